#include "isa/table.h"

namespace hadal::isa {

namespace {

constexpr FieldRow flag(std::string_view name, std::string_view meaning) {
  return {name, FieldKind::flag, meaning, 0, {}};
}
constexpr FieldRow number(std::string_view name, int64_t otherwise, std::string_view meaning) {
  return {name, FieldKind::number, meaning, otherwise, {}};
}
constexpr FieldRow count(std::string_view name, int64_t otherwise, std::string_view meaning) {
  return {name, FieldKind::count, meaning, otherwise, {}};
}
constexpr FieldRow choice(std::string_view name, Choices choices, std::string_view meaning) {
  return {name, FieldKind::choice, meaning, 0, choices};
}
constexpr OperandRow writes(std::string_view name, std::string_view dims = "", uint8_t spaces = in_scratchpad) {
  return {name, true, spaces, false, dims};
}
constexpr OperandRow reads(std::string_view name, std::string_view dims = "", uint8_t spaces = in_scratchpad) {
  return {name, false, spaces, false, dims};
}
constexpr OperandRow may_read(std::string_view name) { return {name, false, in_scratchpad, true, ""}; }
constexpr OperandRow in_place(OperandRow row) {
  row.in_place = true;
  return row;
}
/// A stream of a chain.
constexpr OperandRow stream(std::string_view name) { return in_place(may_read(name)); }

// Every matrix instruction: where partial sums stand, and how they leave.
constexpr FieldRow accumulator =
    number("accumulator", 0, "Byte offset of the f32 (or i32) partial sums in the accumulator memory.");
constexpr FieldRow accumulate = number("accumulate", 0, "Adds to the partial sums where not 0, else replaces them.");
constexpr FieldRow emit = number(
    "emit", 1, "Where not 0, the sums leave through the epilogue into `out`; else they stay and `out` is not touched.");
constexpr FieldRow epilogue{
    "epilogue",
    FieldKind::chain,
    "Chain applied to the sums as they leave; stream 0 is the sum, 1 to 3 the operands e1 to e3.",
    no_chain,
    {}};

constexpr std::array<FieldRow, field_limit> conv_fields{
    accumulator,
    accumulate,
    emit,
    epilogue,
    count("stride_d", 1, "Step of the window in depth."),
    count("stride_h", 1, "Step in height."),
    count("stride_w", 1, "Step in width."),
    count("dilation_d", 1, "Distance of taps in depth."),
    count("dilation_h", 1, "Distance in height."),
    count("dilation_w", 1, "Distance in width."),
    number("pad_front", 0, "Zeros before the first plane."),
    number("pad_top", 0, "Zeros above."),
    number("pad_left", 0, "Zeros to the left."),
    number("pad_back", 0, "Zeros behind the last plane."),
    number("pad_bottom", 0, "Zeros below."),
    number("pad_right", 0, "Zeros to the right."),
    count("groups", 1, "Channels fall into this many independent groups.")};
constexpr std::array<OperandRow, operand_limit> conv_operands{writes("out", "n"), reads("x", "n"), reads("w"),
                                                              stream("e1"),       stream("e2"),    stream("e3")};

constexpr std::array rows{
    Row{Opcode::halt,
        "halt",
        on(Queue::sequencer),
        "Ends the program of this core.",
        "No instruction follows. Every semaphore has its initial count again (sync.C4).",
        "None.",
        {},
        {}},
    Row{Opcode::loop,
        "loop",
        on(Queue::sequencer),
        "Repeats the instructions up to its `end`.",
        "The index register takes 0, 1, … count - 1. A count of 0 skips the body. Loops nest up to 8 deep.",
        "issue_cycles, once; its body is fetched once where it fits the instruction buffer.",
        {},
        {FieldRow{"index", FieldKind::target, "Register that counts.", 0, {}}, number("count", 0, "Trips."),
         count("max", 0, "Largest count, for static checks.")}},
    Row{Opcode::end, "end", on(Queue::sequencer), "Ends the innermost loop's body.", "", "None.", {}, {}},
    Row{Opcode::let,
        "let",
        on(Queue::sequencer),
        "Computes a register.",
        "target = a op b in 64-bit integers. div and mod round towards minus infinity; ceildiv towards plus infinity; "
        "by zero is an error. eq and less give 0 or 1.",
        "let_cycles.",
        {},
        {FieldRow{"target", FieldKind::target, "Register written.", 0, {}},
         choice("op", {"add", "sub", "mul", "div", "mod", "min", "max", "ceildiv", "eq", "less"}, "Operation."),
         number("a", 0, "Left operand."), number("b", 0, "Right operand.")}},
    Row{Opcode::load,
        "load",
        static_cast<uint8_t>(on(Queue::load) | on(Queue::prefetch)),
        "Copies a box of memory into the scratchpad.",
        "to = from, element by element in the order of the views; other strides permute, another dtype converts "
        "(rounding to nearest even, integers saturate). "
        "With `fill`, elements outside the tensor take `value`; without it there are none (view.C1). "
        "With `share`, the cores of a group, `step` apart in blocks of share * step, wait for each other at the load "
        "and get the same bytes (share.C1).",
        "issue + the longest of: contiguous runs, rounded to bursts, over their channels; bytes over the DMA and the "
        "network; converted bytes over the converter. A shared load begins when the last of its group's queues has "
        "come to it, reads memory once, and takes each link of the network once; each core takes it as soon as its "
        "port is free.",
        {writes("to"), reads("from", "", in_memory)},
        {flag("fill", "The box may pass the tensor's edges."),
         FieldRow{"value", FieldKind::real, "Value of elements outside.", 0, {}},
         count("share", 1, "Cores of a group that run this load together; memory is read once for all of them."),
         count("step", 1, "Distance of a group's cores.")}},
    Row{Opcode::store,
        "store",
        on(Queue::store),
        "Copies a scratchpad tile into a box of memory.",
        "to = from, element by element in the order of the views; another dtype converts.",
        "As load.",
        {writes("to", "", in_memory), reads("from")},
        {}},
    Row{Opcode::gather,
        "gather",
        on(Queue::load),
        "Copies rows named by an index into the scratchpad.",
        "to[i..., r...] = from[index[i...], r...]: the first axis of `from` is looked up, for each element of `index`. "
        "A negative index counts from the end. "
        "Outside the table: an error, or the nearest row.",
        "As load; each row is a run of its own. It asks for none before transfers ahead of it in its queue have "
        "brought the index.",
        {writes("to"), reads("from", "", in_memory), reads("index")},
        {choice("bounds", {"error", "clamp"}, "What an index outside the table does.")}},
    Row{Opcode::scatter,
        "scatter",
        on(Queue::store),
        "Writes rows where an index says.",
        "to[..., index[..., i, ...], ...] = to[same] combine from[..., i, ...] along `axis`, one after the other in "
        "the order of `from`; the rest of `to` stays. `index` has the extents of `from`, or 1 elsewhere than the axis: "
        "then it serves a whole row. A negative index counts from the end; outside is an error. Each "
        "result is rounded to the type, as a chain's.",
        "As store; what one index writes is a run of its own, and where `combine` is not set, read before.",
        {OperandRow{"to", true, in_memory, false, "", true}, reads("from"), reads("index")},
        {count("axis", 0, "The axis that is looked up."),
         choice("combine", {"set", "add", "mul", "min", "max"}, "What becomes of old and new.")}},
    Row{Opcode::matmul,
        "matmul",
        on(Queue::matrix),
        "Multiplies matrices, by batches.",
        "sums[b, m, n] (+)= sum over k of a[b, m, k] * b[b, k, n]; on emit out[b, m, n] = epilogue(sums). "
        "Operands have rank 3; an extent of 1 in the batch of a or b serves all. transpose_a reads a[b, k, m], "
        "transpose_b reads b[b, n, k]. "
        "Floats are summed in f32, integers in i32.",
        "ceil(k / rows) * ceil(n / columns) passes of max(m / rows_per_cycle, weight preload), over the arrays of the "
        "core; fill rows + columns - 2, hidden behind a running instruction; "
        "emit m * n / output_elements_per_cycle, hidden where two accumulator tiles exist.",
        {writes("out"), reads("a"), reads("b"), stream("e1"), stream("e2"), stream("e3")},
        {accumulator, accumulate, emit, epilogue, flag("transpose_a", "a is stored k by m."),
         flag("transpose_b", "b is stored n by k.")}},
    Row{Opcode::conv, "conv", on(Queue::matrix),
        "Convolves: an implicit matrix multiplication by the address generator.",
        "x [N, D, H, W, C], w [KD, KH, KW, C / groups, O], out [N, OD, OH, OW, O]. "
        "sums[n, p, o] (+)= sum over taps t and channels c of x[n, p * stride + t * dilation - pad, c] * w[t, c, o]; "
        "outside x is 0.",
        "As matmul with m = output pixels, k = taps * C / groups, n = O / groups, once a group.", conv_operands,
        conv_fields},
    Row{Opcode::conv_depthwise, "conv_depthwise", on(Queue::matrix), "Convolves each channel with its own taps.",
        "x [N, D, H, W, C], w [KD, KH, KW, M, C], out [N, OD, OH, OW, C * M]: out channel c * M + j is channel c of x "
        "with taps w[., ., ., j, c].",
        "outputs * taps / lanes, or one column of the array.", conv_operands, conv_fields},
    Row{Opcode::conv_transpose, "conv_transpose", on(Queue::matrix),
        "The adjoint of conv: spreads each input pixel over its window.",
        "x [N, D, H, W, C], w [KD, KH, KW, C / groups, O], out [N, OD, OH, OW, O]; groups as in conv. "
        "sums[n, p * stride + t * dilation - pad, o] (+)= x[n, p, c] * w[t, c, o].",
        "As matmul with m = input pixels, k = C / groups, n = taps * O / groups.", conv_operands, conv_fields},
    Row{Opcode::matmul_scaled,
        "matmul_scaled",
        on(Queue::matrix),
        "Multiplies matrices that are scaled by blocks of 128.",
        "As matmul, of floats, where sums[b, m, n] (+)= sum over blocks i of 128 along k of "
        "a_scale[b, m, i] * b_scale[b, i, (shift + n) / 128] * (sum over k in block i of a[b, m, k] * b[b, k, n]). "
        "Scales are f32; an extent of 1 in their batch serves all.",
        "As matmul, block after block: each takes the array's time or m * n / output_elements_per_cycle, whichever is "
        "longer, and scale_cycles.",
        {writes("out"), reads("a"), reads("b"), stream("e1"), stream("e2"), stream("e3"), reads("a_scale"),
         reads("b_scale")},
        {accumulator, accumulate, emit, epilogue, flag("transpose_a", "a is stored k by m."),
         flag("transpose_b", "b is stored n by k."),
         number("shift", 0, "Columns of the first block of b_scale before the first of b.")}},
    Row{Opcode::map,
        "map",
        on(Queue::vector),
        "Runs a chain of element-wise operations.",
        "out[i] = chain(in0[i], in1[i], …). Every stream has the rank of `out`; an extent of 1 is repeated. The chain "
        "computes in its own type and rounds once, when written.",
        "elements * max(alu / alu_per_lane, special / special_per_lane) / lanes, or bytes over the scratchpad port, + "
        "vector latency.",
        {writes("out"), stream("in0"), stream("in1"), stream("in2"), stream("in3"), stream("in4"), stream("in5"),
         stream("in6"), stream("in7")},
        {FieldRow{"chain", FieldKind::chain, "The chain.", no_chain, {}}}},
    Row{Opcode::reduce,
        "reduce",
        on(Queue::vector),
        "Reduces over axes, which stay with extent 1.",
        "out[..., 1, ...] = kind over the axes of `axes` (bit i is axis i). Floats are summed in f32.",
        "elements / lanes + log2(lanes) cross-lane steps for each row group.",
        {writes("out"), reads("in")},
        {choice("kind", {"sum", "mean", "max", "min", "prod", "sum_square", "l1", "l2", "log_sum", "log_sum_exp"},
                "What is computed."),
         count("axes", 0, "Bit set of axes.")}},
    Row{Opcode::arg_reduce,
        "arg_reduce",
        on(Queue::vector),
        "Index of the largest or smallest element along an axis.",
        "out (integers) has extent 1 along the axis. Among equals the first, or the last with `last`.",
        "As reduce.",
        {writes("out"), reads("in")},
        {choice("kind", {"max", "min"}, "What is looked for."), count("axis", 0, "The axis."),
         flag("last", "The last among equals.")}},
    Row{Opcode::softmax,
        "softmax",
        on(Queue::vector),
        "exp(x - max) / sum(exp(x - max)) along the last axis.",
        "With `log`: x - max - log(sum(exp(x - max))). Computed in f32, whole rows resident.",
        "Its three passes: max; subtract, exp, sum; scale.",
        {writes("out"), in_place(reads("in"))},
        {flag("log", "Logarithm of the result.")}},
    Row{Opcode::norm,
        "norm",
        on(Queue::vector),
        "Normalises rows: layer norm or RMS norm over the last `dims` axes.",
        "layer: (x - mean) / sqrt(variance + epsilon); rms: x / sqrt(mean(x * x) + epsilon); then * gamma + beta, "
        "which have the extents of the normalised axes.",
        "Its three passes: mean; variance; scale.",
        {writes("out"), in_place(reads("in")), may_read("gamma"), may_read("beta")},
        {choice("kind", {"layer", "rms"}, "Which norm."),
         count("dims", 1, "How many last axes are normalised together."),
         FieldRow{"epsilon", FieldKind::real, "Added to the variance.", 0, {}}}},
    Row{Opcode::pool,
        "pool",
        on(Queue::vector),
        "Pools over windows.",
        "in [N, D, H, W, C], out [N, OD, OH, OW, C]. Elements outside `in` are left out; mean divides by the elements "
        "inside, or with count_pad by the whole window.",
        "outputs * taps / lanes.",
        {writes("out"), reads("in")},
        {choice("kind", {"max", "mean", "sum"}, "What is computed."), count("kernel_d", 1, "Window in depth."),
         count("kernel_h", 1, "Window in height."), count("kernel_w", 1, "Window in width."),
         count("stride_d", 1, "Step of the window in depth."), count("stride_h", 1, "Step in height."),
         count("stride_w", 1, "Step in width."), count("dilation_d", 1, "Distance of taps in depth."),
         count("dilation_h", 1, "Distance in height."), count("dilation_w", 1, "Distance in width."),
         number("pad_front", 0, "Elements before the first plane."), number("pad_top", 0, "Elements above."),
         number("pad_left", 0, "Elements to the left."), number("pad_back", 0, "Elements behind the last plane."),
         number("pad_bottom", 0, "Elements below."), number("pad_right", 0, "Elements to the right."),
         flag("count_pad", "mean divides by the whole window.")}},
    Row{Opcode::resample,
        "resample",
        on(Queue::vector),
        "Resamples one axis by a table of indices and weights.",
        "out[..., i, ...] = sum over taps t of weight[start + i, t] * in[..., index[start + i, t] - base, ...].",
        "outputs * taps / lanes.",
        {writes("out"), reads("in")},
        {count("axis", 0, "The axis."), FieldRow{"table", FieldKind::table, "The table.", 0, {}},
         number("start", 0, "Row of the table of the first output."),
         number("base", 0, "Index that the first element of `in` has in the table.")}},
    Row{Opcode::transpose,
        "transpose",
        on(Queue::vector),
        "Permutes axes inside the scratchpad.",
        "out's axis i is in's axis order_i.",
        "bytes / permute_bytes_per_cycle.",
        {writes("out"), reads("in")},
        {count("order_0", 0, "Source of axis 0."), count("order_1", 1, "Source of axis 1."),
         count("order_2", 2, "Source of axis 2."), count("order_3", 3, "Source of axis 3."),
         count("order_4", 4, "Source of axis 4."), count("order_5", 5, "Source of axis 5.")}},
    Row{Opcode::topk,
        "topk",
        on(Queue::vector),
        "The k largest or smallest of the last axis, and where they were.",
        "k is the last extent of `values`. Among equals the lower index first.",
        "elements * ceil(k / topk_width) / lanes.",
        {writes("values"), writes("indices"), reads("in")},
        {flag("largest", "The largest, else the smallest."), flag("sorted", "In order of value.")}},
    Row{Opcode::scan,
        "scan",
        on(Queue::vector),
        "Running sums along the last axis.",
        "exclusive: the element itself is left out; reverse: from the end.",
        "elements * log2(lanes) / lanes.",
        {writes("out"), in_place(reads("in"))},
        {flag("exclusive", "Without the element itself."), flag("reverse", "From the end.")}},
    Row{Opcode::select_along,
        "select_along",
        on(Queue::vector),
        "Looks elements up along an axis, inside the scratchpad.",
        "out[..., i, ...] = in[..., index[..., i, ...], ...]. A negative index counts from the end; outside is an "
        "error.",
        "bytes / permute_bytes_per_cycle.",
        {writes("out"), reads("in"), reads("index")},
        {count("axis", 0, "The axis.")}},
    Row{Opcode::sort,
        "sort",
        on(Queue::vector),
        "Sorts along an axis by a bitonic network, or merges runs that are sorted.",
        "out = in, and then, for part = 2 * run, 4 * run, … up to the axis, and for distance = part / 2, part / 4, … "
        "1: "
        "elements i and i + distance of the axis, where i / distance is even, are exchanged if they are out of order. "
        "The order ascends where i / part is even and descends elsewhere; in the last part, which is the axis, it "
        "ascends, or descends where `descending` is not 0. NaN is above all numbers. A run of 1 sorts anything; a "
        "longer "
        "one merges runs of so many elements that ascend and descend in turns.",
        "Each step compares elements / lanes / compare_per_lane, and not faster than lanes exchange; or bytes over the "
        "scratchpad port, once, and once more for each step between elements that are farther apart than the lanes.",
        {writes("out"), in_place(reads("in"))},
        {count("axis", 0, "The axis."), count("run", 1, "Elements that are in order already."),
         number("descending", 0, "Where not 0, from the largest to the smallest.")}},
    Row{Opcode::sort_pairs,
        "sort_pairs",
        on(Queue::vector),
        "Sorts as `sort` does, and carries a number with each element: where it was.",
        "(out, numbers) = (in, from), and then as `sort`, both exchanged. Without `from` the numbers count along the "
        "axis, "
        "from 0. Of equal elements that of the greater number is above, with `lower_above` that of the lower: so the "
        "lower comes first in ascending order, and with `lower_above` in descending order.",
        "As sort, with two comparisons a step: of the elements and of the numbers.",
        {writes("out"), writes("numbers"), in_place(reads("in")), may_read("from")},
        {count("axis", 0, "The axis."), count("run", 1, "Elements that are in order already."),
         number("descending", 0, "Where not 0, from the largest to the smallest."),
         flag("lower_above", "Of equal elements that of the lower number is above.")}},
    Row{Opcode::sync,
        "sync",
        static_cast<uint8_t>(on(Queue::load) | on(Queue::prefetch) | on(Queue::store) | on(Queue::matrix) |
                             on(Queue::vector) | on(Queue::host)),
        "Waits and signals, and nothing else.",
        "Its queue stands until its waits are met.",
        "None beyond its waits.",
        {},
        {}},
    Row{Opcode::host_call,
        "host_call",
        on(Queue::host),
        "Runs a named function of the host on tensors in memory.",
        "Operands are read and written in HBM over the host link. `count`, an i64, becomes the number of rows of `out` "
        "that hold results; the others hold filler. `non_max_suppression`: boxes, scores and limits in; indices out.",
        "Round trip over the link, bytes over its bandwidth, operations over the host's rate.",
        {writes("out", "", in_hbm), OperandRow{"count", true, in_hbm, true, ""}, reads("in0", "", in_hbm),
         OperandRow{"in1", false, in_hbm, true, ""}, OperandRow{"in2", false, in_hbm, true, ""},
         OperandRow{"in3", false, in_hbm, true, ""}, OperandRow{"in4", false, in_hbm, true, ""}},
        {FieldRow{"function", FieldKind::function, "The function.", 0, {}}}},
};

// The order is part of the file format.
constexpr std::array ops{
    ChainOp{"constant", 0, 0, 0, "alpha"},
    ChainOp{"copy", 1, 1, 0, "a"},
    ChainOp{"neg", 1, 1, 0, "-a"},
    ChainOp{"abs", 1, 1, 0, "|a|"},
    ChainOp{"sign", 1, 2, 0, "-1, 0 or 1"},
    ChainOp{"floor", 1, 1, 0, "rounded down"},
    ChainOp{"ceil", 1, 1, 0, "rounded up"},
    ChainOp{"round", 1, 1, 0, "rounded to nearest, ties to even"},
    ChainOp{"trunc", 1, 1, 0, "rounded towards zero"},
    ChainOp{"exp", 1, 1, 1, "e^a"},
    ChainOp{"log", 1, 1, 1, "natural logarithm"},
    ChainOp{"sqrt", 1, 0, 1, "square root"},
    ChainOp{"rsqrt", 1, 0, 1, "1 / sqrt(a)"},
    ChainOp{"reciprocal", 1, 0, 1, "1 / a"},
    ChainOp{"sin", 1, 4, 1, "sine"},
    ChainOp{"cos", 1, 4, 1, "cosine"},
    ChainOp{"tan", 1, 5, 2, "tangent"},
    ChainOp{"asin", 1, 6, 2, "arc sine"},
    ChainOp{"acos", 1, 6, 2, "arc cosine"},
    ChainOp{"atan", 1, 6, 1, "arc tangent"},
    ChainOp{"sinh", 1, 4, 2, "hyperbolic sine"},
    ChainOp{"cosh", 1, 4, 2, "hyperbolic cosine"},
    ChainOp{"tanh", 1, 0, 1, "hyperbolic tangent"},
    ChainOp{"asinh", 1, 4, 2, "inverse of sinh"},
    ChainOp{"acosh", 1, 4, 2, "inverse of cosh"},
    ChainOp{"atanh", 1, 4, 2, "inverse of tanh"},
    ChainOp{"erf", 1, 0, 1, "error function"},
    ChainOp{"not", 1, 1, 0, "1 where a is 0, else 0"},
    ChainOp{"is_nan", 1, 1, 0, "1 where a is not a number"},
    ChainOp{"is_inf", 1, 1, 0, "1 where a is infinite"},
    ChainOp{"relu", 1, 1, 0, "max(a, 0), NaN kept"},
    ChainOp{"leaky_relu", 1, 2, 0, "a where a >= 0, else alpha * a"},
    ChainOp{"elu", 1, 3, 1, "a where a >= 0, else alpha * (e^a - 1)"},
    ChainOp{"selu", 1, 4, 1, "beta * (a where a > 0, else alpha * (e^a - 1))"},
    ChainOp{"celu", 1, 4, 1, "max(a, 0) + min(0, alpha * (e^(a / alpha) - 1))"},
    ChainOp{"sigmoid", 1, 1, 1, "1 / (1 + e^-a)"},
    ChainOp{"hard_sigmoid", 1, 3, 0, "max(0, min(1, alpha * a + beta))"},
    ChainOp{"hard_swish", 1, 4, 0, "a * max(0, min(1, a / 6 + 1 / 2))"},
    ChainOp{"silu", 1, 2, 1, "a * sigmoid(a)"},
    ChainOp{"gelu", 1, 4, 1, "a / 2 * (1 + erf(a / sqrt(2)))"},
    ChainOp{"gelu_tanh", 1, 6, 1, "a / 2 * (1 + tanh(sqrt(2 / pi) * (a + 0.044715 * a^3)))"},
    ChainOp{"softplus", 1, 2, 2, "log(1 + e^a)"},
    ChainOp{"softsign", 1, 2, 1, "a / (1 + |a|)"},
    ChainOp{"mish", 1, 3, 3, "a * tanh(softplus(a))"},
    ChainOp{"thresholded_relu", 1, 1, 0, "a where a > alpha, else 0"},
    ChainOp{"clip", 1, 2, 0, "min(max(a, alpha), beta), NaN kept"},
    ChainOp{"add", 2, 1, 0, "a + b"},
    ChainOp{"sub", 2, 1, 0, "a - b"},
    ChainOp{"mul", 2, 1, 0, "a * b"},
    ChainOp{"div", 2, 1, 1, "a / b; integers round towards zero"},
    ChainOp{"rem", 2, 2, 1, "remainder with the sign of b"},
    ChainOp{"fmod", 2, 2, 1, "remainder with the sign of a"},
    ChainOp{"pow", 2, 2, 2, "a^b"},
    ChainOp{"min", 2, 1, 0, "the lesser; NaN where either is"},
    ChainOp{"max", 2, 1, 0, "the greater; NaN where either is"},
    ChainOp{"and", 2, 1, 0, "1 where both are not 0"},
    ChainOp{"or", 2, 1, 0, "1 where either is not 0"},
    ChainOp{"xor", 2, 1, 0, "1 where one of them is not 0"},
    ChainOp{"equal", 2, 1, 0, "1 where equal"},
    ChainOp{"less", 2, 1, 0, "1 where a < b"},
    ChainOp{"less_equal", 2, 1, 0, "1 where a <= b"},
    ChainOp{"greater", 2, 1, 0, "1 where a > b"},
    ChainOp{"greater_equal", 2, 1, 0, "1 where a >= b"},
    ChainOp{"shift_left", 2, 1, 0, "a * 2^b of integers"},
    ChainOp{"shift_right", 2, 1, 0, "a / 2^b of integers, rounded down"},
    ChainOp{"bit_and", 2, 1, 0, "bitwise and of integers"},
    ChainOp{"bit_or", 2, 1, 0, "bitwise or of integers"},
    ChainOp{"bit_xor", 2, 1, 0, "bitwise exclusive or of integers"},
    ChainOp{"prelu", 2, 2, 0, "a where a >= 0, else a * b"},
    ChainOp{"where", 3, 1, 0, "b where a is not 0, else c"},
};

constexpr std::array<std::string_view, queue_count> queue_names{"sequencer", "load",   "prefetch", "store",
                                                                "matrix",    "vector", "host"};

}  // namespace

std::span<const Row> table() { return rows; }

const Row* row_of(Opcode op) {
  for (const Row& row : rows)
    if (row.op == op) return &row;
  return nullptr;
}

const Row* row_named(std::string_view name) {
  for (const Row& row : rows)
    if (row.name == name) return &row;
  return nullptr;
}

std::string_view name_of(Queue queue) { return queue_names[static_cast<size_t>(queue)]; }

std::optional<Queue> queue_named(std::string_view name) {
  for (size_t i = 0; i < queue_names.size(); ++i)
    if (queue_names[i] == name) return static_cast<Queue>(i);
  return std::nullopt;
}

std::span<const ChainOp> chain_ops() { return ops; }

std::optional<uint8_t> chain_op_named(std::string_view name) {
  for (size_t i = 0; i < ops.size(); ++i)
    if (ops[i].name == name) return static_cast<uint8_t>(i);
  return std::nullopt;
}

}  // namespace hadal::isa

// Ops that move elements without computing: reshape, transpose, broadcast, slice, concat, and the cast.
#include "graph/backward.h"
#include "graph/ops.h"
#include "graph/ops/support.h"

namespace hadal::graph::ops {

namespace {

Result<std::vector<Type>> infer_cast(const OperandTypes& in, const Attributes& a) {
  HADAL_CHECK(check_operands("cast", in, 1, 1));
  const auto to = dtype_named(a.text("to"));
  if (!to) return rule("cast.to", "'{}' is no element type", printable(a.text("to")));
  return std::vector<Type>{{*to, in[0]->shape}};
}

std::vector<Tensor> reference_cast(const OperandTensors& in, const Attributes&, const std::vector<Type>& results) {
  const Tensor& x = *in[0];
  const DType to = results[0].dtype;
  if (is_float(x.dtype) || is_float(to)) return {hadal::cast(x, to)};
  Output out(results[0]);  // Between integers: exact, and wrapped where the result is narrower.
  std::vector<Wide> row(index(x.size()));
  read_row(x, 0, 1, x.size(), row.data());
  write_row(to, out.data, 0, x.size(), row.data());
  return {out.tensor};
}

Result<std::vector<Type>> infer_bitcast(const OperandTypes& in, const Attributes& a) {
  HADAL_CHECK(check_operands("bitcast", in, 1, 1));
  const auto to = dtype_named(a.text("to"));
  if (!to) return rule("bitcast.to", "'{}' is no element type", printable(a.text("to")));
  if (info(*to).bits != info(in[0]->dtype).bits)
    return rule("bitcast.C1", "{} has other bits than {}", name_of(*to), name_of(in[0]->dtype));
  return std::vector<Type>{{*to, in[0]->shape}};
}

std::vector<Tensor> reference_bitcast(const OperandTensors& in, const Attributes&, const std::vector<Type>& results) {
  return {Tensor{results[0].dtype, results[0].shape, in[0]->bytes}};
}

Result<std::vector<Type>> infer_reshape(const OperandTypes& in, const Attributes& a) {
  HADAL_CHECK(check_operands("reshape", in, 1, 1));
  const Shape shape = a.integers("shape");
  if (checked_bytes(shape, 1) != elements(in[0]->shape))
    return rule("reshape.C1", "{} elements cannot be {}", elements(in[0]->shape), hadal::text_of(shape));
  return std::vector<Type>{{in[0]->dtype, shape}};
}

std::vector<Tensor> reference_reshape(const OperandTensors& in, const Attributes&, const std::vector<Type>& results) {
  return {reshaped(*in[0], results[0].shape)};
}

Result<std::vector<Type>> infer_transpose(const OperandTypes& in, const Attributes& a) {
  HADAL_CHECK(check_operands("transpose", in, 1, 1));
  const Integers order = a.integers("order");
  HADAL_CHECK(check_count("transpose", "order", order, in[0]->shape.size()));
  HADAL_CHECK(check_axes("transpose", order, order.size()));
  Shape shape;
  for (const int64_t axis : order) shape.push_back(in[0]->shape[index(axis)]);
  return std::vector<Type>{{in[0]->dtype, shape}};
}

std::vector<Tensor> reference_transpose(const OperandTensors& in, const Attributes& a, const std::vector<Type>&) {
  return {transposed(*in[0], a.integers("order"))};
}

Result<std::vector<Type>> infer_broadcast(const OperandTypes& in, const Attributes& a) {
  HADAL_CHECK(check_operands("broadcast", in, 1, 1));
  const Shape shape = a.integers("shape");
  if (checked_bytes(shape, bytes_of(in[0]->dtype)) < 0)
    return rule("broadcast.C2", "{} is no shape", hadal::text_of(shape));
  HADAL_TRY(const Shape result, broadcast_shapes("broadcast.C1", in[0]->shape, shape));
  if (result != shape)
    return rule("broadcast.C1", "{} does not broadcast to {}", hadal::text_of(in[0]->shape), hadal::text_of(shape));
  return std::vector<Type>{{in[0]->dtype, shape}};
}

std::vector<Tensor> reference_broadcast(const OperandTensors& in, const Attributes&, const std::vector<Type>& results) {
  return {strided_copy(*in[0], results[0].shape, broadcast_strides(in[0]->shape, results[0].shape), 0)};
}

Result<std::vector<Type>> infer_slice(const OperandTypes& in, const Attributes& a) {
  HADAL_CHECK(check_operands("slice", in, 1, 1));
  const Shape& x = in[0]->shape;
  const Integers starts = a.integers("starts"), steps = a.integers("steps"), sizes = a.integers("sizes");
  HADAL_CHECK(check_count("slice", "starts", starts, x.size()));
  HADAL_CHECK(check_count("slice", "steps", steps, x.size()));
  HADAL_CHECK(check_count("slice", "sizes", sizes, x.size()));
  for (size_t i = 0; i < x.size(); ++i) {
    if (steps[i] == 0 || sizes[i] < 0 || sizes[i] > x[i])
      return rule("slice.C1", "axis {}: {} elements of {}, step {}", i, sizes[i], x[i], steps[i]);
    if (sizes[i] == 0) continue;
    if (starts[i] < 0 || starts[i] >= x[i])
      return rule("slice.C2", "axis {}: start {} is not below the extent, {}", i, starts[i], x[i]);
    const int64_t room = steps[i] > 0 ? x[i] - 1 - starts[i] : starts[i];
    if (sizes[i] > 1 && (std::abs(steps[i]) > room || (sizes[i] - 1) > room / std::abs(steps[i])))
      return rule("slice.C2", "axis {}: the last element is outside the extent, {}", i, x[i]);
  }
  return std::vector<Type>{{in[0]->dtype, sizes}};
}

std::vector<Tensor> reference_slice(const OperandTensors& in, const Attributes& a, const std::vector<Type>& results) {
  Integers strides = strides_of(in[0]->shape);
  const Integers starts = a.integers("starts"), steps = a.integers("steps");
  int64_t offset = 0;
  if (elements(results[0].shape) > 0)
    for (size_t i = 0; i < strides.size(); ++i) {
      offset += starts[i] * strides[i];
      strides[i] = results[0].shape[i] == 1 ? 0 : strides[i] * steps[i];
    }
  return {strided_copy(*in[0], results[0].shape, strides, offset)};
}

Result<std::vector<Type>> infer_concat(const OperandTypes& in, const Attributes& a) {
  HADAL_CHECK(check_operands("concat", in, std::max<size_t>(in.size(), 1), std::max<size_t>(in.size(), 1)));
  const int64_t axis = a.integer("axis");
  Type out = *in[0];
  HADAL_CHECK(check_axis("concat", axis, out.shape.size()));
  for (size_t k = 1; k < in.size(); ++k) {
    if (in[k]->dtype != out.dtype)
      return rule("concat.C1", "operands are of one type, found {} and {}", name_of(out.dtype), name_of(in[k]->dtype));
    Shape expected = in[k]->shape;
    if (expected.size() == out.shape.size()) expected[index(axis)] = out.shape[index(axis)];
    if (expected != out.shape)
      return rule("concat.C2", "{} does not fit {} but for axis {}", hadal::text_of(in[k]->shape),
                  hadal::text_of(in[0]->shape), axis);
    out.shape[index(axis)] += in[k]->shape[index(axis)];
  }
  if (checked_bytes(out.shape, bytes_of(out.dtype)) < 0) return rule("concat.C3", "the result is too large");
  return std::vector<Type>{out};
}

std::vector<Tensor> reference_concat(const OperandTensors& in, const Attributes& a, const std::vector<Type>& results) {
  Output out(results[0]);
  const auto axis = index(a.integer("axis"));
  const int64_t rows = extent_of(results[0].shape, 0, axis);
  std::byte* to = out.data;
  for (int64_t row = 0; row < rows; ++row)
    for (const Tensor* x : in) {
      const auto length = x->bytes.view.size() / static_cast<size_t>(rows);
      if (length == 0) continue;
      std::memcpy(to, x->bytes.view.data() + static_cast<size_t>(row) * length, length);
      to += length;
    }
  return {out.tensor};
}

/// Along one axis: elements of g at start, start + step, ... of `extent`, zeros elsewhere. step > 0.
Term spread(const Term& g, int64_t axis, int64_t start, int64_t step, int64_t extent) {
  const auto at = index(axis);
  const auto padded = [](const Term& x, size_t i, int64_t low, int64_t high) {
    Integers lows(x.shape().size(), 0), highs(x.shape().size(), 0);
    lows[i] = low, highs[i] = high;
    return low + high == 0 ? x : x.apply(pad, {{"low", lows}, {"high", highs}});
  };
  Term wide = g;
  if (step > 1) {
    Shape apart = g.shape(), joint = g.shape();
    apart.insert(apart.begin() + axis + 1, 1);
    joint[at] *= step;
    wide = padded(g.reshaped(apart), at + 1, 0, step - 1).reshaped(joint);
  }
  const int64_t length = std::min(wide.shape()[at], extent - start);
  return padded(wide.slice(axis, 0, length), at, start, extent - start - length);
}

/// A step below 0 is one above, of the same elements in reverse.
void gradient_slice(Backward& n) {
  const Integers starts = n.node.attributes.integers("starts"), steps = n.node.attributes.integers("steps");
  Term g = n.upstream();
  const Shape shape = n.in(0).shape(), sizes = g.shape();
  if (elements(sizes) == 0) return;
  for (size_t i = 0; i < shape.size(); ++i) {
    int64_t start = starts[i], step = sizes[i] == 1 ? 1 : steps[i];
    if (step < 0) {
      Integers first(shape.size(), 0), backwards(shape.size(), 1);
      first[i] = sizes[i] - 1, backwards[i] = -1;
      g = g.apply(slice, {{"starts", first}, {"steps", backwards}, {"sizes", g.shape()}});
      start += (sizes[i] - 1) * step;
      step = -step;
    }
    if (sizes[i] != shape[i] || start != 0) g = spread(g, static_cast<int64_t>(i), start, step, shape[i]);
  }
  n.give(0, g);
}

void gradient_concat(Backward& n) {
  const int64_t axis = n.node.attributes.integer("axis");
  int64_t start = 0;
  for (size_t i = 0; i < n.node.inputs.size(); ++i) {
    const int64_t size = n.in(i).shape()[index(axis)];
    if (n.wants(i)) n.give(i, n.upstream().slice(axis, start, size));
    start += size;
  }
}

void gradient_transpose(Backward& n) {
  n.give(0, n.upstream().transposed(inverse(n.node.attributes.integers("order"))));
}

}  // namespace

const Op bitcast{
    "bitcast", "The same bits as another element type of as many.", {"to"}, infer_bitcast, reference_bitcast};
const Op cast{"cast",         "Another element type: to nearest even, integers from floats truncate and saturate.",
              {"to"},         infer_cast,
              reference_cast, [](Backward& n) { n.give(0, n.upstream()); }};
const Op reshape{"reshape",         "The same elements in row-major order.",
                 {"shape"},         infer_reshape,
                 reference_reshape, [](Backward& n) { n.give(0, n.upstream().reshaped(n.in(0).shape())); }};
const Op transpose{"transpose",     "Axes in another order.", {"order"},
                   infer_transpose, reference_transpose,      gradient_transpose};
const Op broadcast{"broadcast",         "Repeats axes of extent 1, and adds leading axes.", {"shape"}, infer_broadcast,
                   reference_broadcast, [](Backward& n) { n.give(0, n.upstream()); }};
const Op slice{
    "slice",       "Every step-th element of each axis.", {"starts", "steps", "sizes"}, infer_slice, reference_slice,
    gradient_slice};
const Op concat{"concat",         "Operands one behind the other along an axis.",
                {"axis"},         infer_concat,
                reference_concat, gradient_concat};

}  // namespace hadal::graph::ops

#include <algorithm>
#include <bit>
#include <vector>

#include "isa/encode.h"
#include "isa/fields.h"
#include "isa/findings.h"
#include "isa/table.h"

namespace hadal::isa {

namespace {

/// One instruction under static check.
struct Site {
  const Program& program;
  const Instruction& in;
  const Row& row;
  std::string place;
  Findings& found;

  void require(bool legal, const char* rule, std::string_view message) const {
    found.require(legal, rule, message, place);
  }
  [[nodiscard]] bool given(size_t operand) const { return in.operands[operand] != no_view; }
  [[nodiscard]] const TensorDescriptor& tensor(size_t operand) const {
    return program.tensors[program.views[in.operands[operand]].tensor];
  }
  [[nodiscard]] DType dtype(size_t operand) const { return tensor(operand).dtype; }
  [[nodiscard]] bool runs_on(Queue queue) const { return (row.queues & on(queue)) != 0; }
};

void verify_field(const Site& s, const FieldRow& row, const Field& field) {
  const auto refuse = [&](std::string_view why) {
    s.found.add("code.C1",
                fmt::format("field `{}` of {} is {}{}: {}", row.name, s.row.name, field.is_register ? "r" : "",
                            field.value, why),
                s.place);
  };
  if (field.is_register) {
    if (row.kind != FieldKind::number || field.value < 0 || field.value >= registers)
      refuse("not a register it may name");
    return;
  }
  const auto index_into = [&](size_t size, bool optional = false) {
    const bool none = optional && field.value == no_chain;
    if (!none && (field.value < 0 || field.value >= static_cast<int64_t>(size))) refuse("there is none of that number");
  };
  switch (row.kind) {
    case FieldKind::flag:
      return index_into(2);
    case FieldKind::target:
      return index_into(registers);
    case FieldKind::chain:
      return index_into(s.program.chains.size(), true);
    case FieldKind::table:
      return index_into(s.program.tables.size());
    case FieldKind::function:
      return index_into(s.program.functions.size());
    case FieldKind::choice:
      return index_into(static_cast<size_t>(std::find(row.choices.begin(), row.choices.end(), std::string_view()) -
                                            row.choices.begin()));
    case FieldKind::number:
      if (field.value < INT32_MIN || field.value > INT32_MAX) refuse("32 bits do not hold it");
      return;
    case FieldKind::count:
    case FieldKind::real:
      if (field.value < 0 || field.value > UINT32_MAX) refuse("32 bits do not hold it");
      return;
  }
}

/// Stride 0, or one that is less than what lies inside it, lets two elements of a box share bytes.
bool overlaps_itself(const View& view, const TensorDescriptor& tensor) {
  std::vector<std::pair<int64_t, int64_t>> axes;  // stride, extent
  for (size_t i = 0; i < view.rank; ++i)
    if (view.extents[i].size > 1) axes.emplace_back(std::abs(tensor.strides[i]), view.extents[i].size);
  std::sort(axes.begin(), axes.end());
  __int128 inner = bytes_of(tensor.dtype);
  for (const auto& [stride, extent] : axes) {
    if (stride < inner) return true;
    inner += static_cast<__int128>(stride) * (extent - 1);
  }
  return false;
}

void verify_operand(const Site& s, size_t i) {
  const OperandRow& row = s.row.operands[i];
  const uint16_t number = s.in.operands[i];
  if (number == no_view) return s.require(row.optional, "code.C1", fmt::format("`{}` is missing", row.name));
  if (number >= s.program.views.size())
    return s.found.add("code.C1", fmt::format("`{}` names view {}, which does not exist", row.name, number), s.place);
  const TensorDescriptor& tensor = s.tensor(i);
  s.require((row.spaces >> static_cast<unsigned>(tensor.space) & 1) != 0, "queue.C1",
            fmt::format("`{}` of {} may not lie where {} does", row.name, s.row.name, printable(tensor.name)));
  if (!row.written || tensor.space == Space::scratchpad) return;
  const RegionKind kind = s.program.regions[tensor.region].kind;
  s.require(kind != RegionKind::weight && kind != RegionKind::input, "region.C1",
            fmt::format("`{}` writes {}, which is only read", row.name, printable(tensor.name)));
  s.require(!overlaps_itself(s.program.views[number], tensor), "view.C4",
            fmt::format("`{}` writes some bytes of {} more than once", row.name, printable(tensor.name)));
}

void verify_syncs(const Site& s) {
  const bool control = s.runs_on(Queue::sequencer);
  for (const auto* syncs : {&s.in.waits, &s.in.signals}) {
    bool ended = false;
    for (const Sync& sync : *syncs) {
      if (sync.count == 0) {
        ended = true;
        s.require(sync == Sync{}, "code.C1", "an unused wait or signal is not 0");
        continue;
      }
      s.require(!ended && !control, "code.C1",
                control ? "the sequencer's own instructions do not wait or signal" : "waits and signals leave a gap");
      s.require(sync.id < s.program.semaphores.size(), "code.C1", fmt::format("semaphore {} does not exist", sync.id));
    }
  }
  for (size_t i = 0; i < s.in.waits.size() && s.in.waits[i].count > 0; ++i) {
    const Sync& wait = s.in.waits[i];
    if (wait.id >= s.program.semaphores.size()) continue;
    const Semaphore& semaphore = s.program.semaphores[wait.id];
    s.require(semaphore.waiter == s.in.queue, "sync.C2",
              fmt::format("{} waits on {}, whose queue is {}", name_of(s.in.queue), printable(semaphore.name),
                          name_of(semaphore.waiter)));
    bool once = !wait.everywhere;
    for (size_t k = 0; k < i; ++k) once = once && s.in.waits[k].id != wait.id;
    s.require(once, "sync.C2", fmt::format("{} is waited on twice, or everywhere", printable(semaphore.name)));
  }
}

/// The chain in field `field` takes the operands [first, last), after `before` streams of its own.
void verify_chain_use(const Site& s, const char* rule, size_t field, size_t first, size_t last, size_t before) {
  const int64_t chain = s.in.fields[field].value;
  size_t given = 0;
  for (size_t i = first; i < last; ++i) {
    if (!s.given(i)) continue;
    s.require(given == i - first, rule, "operands of the chain leave a gap");
    ++given;
  }
  if (chain == no_chain)
    return s.require(before > 0 && given == 0, rule, before > 0 ? "operands without a chain" : "there is no chain");
  const size_t inputs = s.program.chains[static_cast<size_t>(chain)].inputs;
  s.require(inputs == before + given, rule,
            fmt::format("the chain has {} inputs; {} are given", inputs, before + given));
}

void verify_matrix(const Site& s) {
  const DType a = s.dtype(at::a), b = s.dtype(at::b);
  s.require(is_float(a) == is_float(b), "matmul.C2", fmt::format("{} times {}", name_of(a), name_of(b)));
  const auto& types = s.program.limits.matrix_types;
  for (const DType type : {a, b})
    s.require(std::find(types.begin(), types.end(), type) != types.end(), "place.C1",
              fmt::format("the limits do not name the matrix type {}", name_of(type)));
  verify_chain_use(s, "epilogue.C1", at::epilogue, at::epilogue_0, at::epilogue_2 + 1, 1);
}

void verify_windows(const Site& s, size_t first, size_t count) {
  for (size_t i = first; i < first + count; ++i) {
    const int64_t value = s.in.fields[i].value;
    s.require(value >= 1 && value <= 65535, "code.C1",
              fmt::format("field `{}` is {}, not 1 to 65535", s.row.fields[i].name, value));
  }
}

void verify_types(const Site& s) {
  const auto integer = [&](size_t operand, const char* rule) {
    const DType type = s.dtype(operand);
    s.require(!is_float(type) && type != DType::boolean, rule,
              fmt::format("`{}` is {}, not an integer", s.row.operands[operand].name, name_of(type)));
  };
  const auto same = [&](size_t a, size_t b, const char* rule) {
    s.require(s.dtype(a) == s.dtype(b), rule, fmt::format("{} becomes {}", name_of(s.dtype(b)), name_of(s.dtype(a))));
  };
  const auto floats = [&](const char* rule) {
    s.require(is_float(s.dtype(0)) && is_float(s.dtype(1)), rule, "not both are floats");
  };
  const auto axis = [&](size_t field, const char* rule) {
    s.require(s.in.fields[field].value < rank_limit, rule, "the axis is not below 6");
  };
  switch (s.in.op) {
    case Opcode::matmul:
      return verify_matrix(s);
    case Opcode::matmul_scaled:
      verify_matrix(s);
      s.require(is_float(s.dtype(at::a)) && is_float(s.dtype(at::b)), "scaled.C1", "only floats are scaled");
      for (const size_t scale : {at::a_scale, at::b_scale})
        s.require(s.dtype(scale) == DType::f32, "scaled.C1",
                  fmt::format("`{}` is {}, not f32", s.row.operands[scale].name, name_of(s.dtype(scale))));
      return;
    case Opcode::conv:
    case Opcode::conv_depthwise:
    case Opcode::conv_transpose:
      verify_matrix(s);
      verify_windows(s, at::stride_d, 6);
      return s.require(s.in.fields[at::groups].value >= 1, "conv.C2", "there are no groups");
    case Opcode::map:
      return verify_chain_use(s, "map.C1", at::map_chain, at::map_in, s.in.operands.size(), 0);
    case Opcode::reduce:
      return s.require(s.in.fields[at::reduce_axes].value != 0 && s.in.fields[at::reduce_axes].value < 1 << rank_limit,
                       "reduce.C1", "the axes are none, or above 5");
    case Opcode::arg_reduce:
      integer(0, "reduce.C1");
      return axis(at::arg_axis, "reduce.C1");
    case Opcode::softmax:
      return floats("softmax.C1");
    case Opcode::norm: {
      floats("norm.C1");
      const int64_t dims = s.in.fields[at::norm_dims].value;
      return s.require(dims >= 1 && dims <= rank_limit, "norm.C1", "`dims` is not 1 to 6");
    }
    case Opcode::pool:
      return verify_windows(s, at::kernel_d, 9);
    case Opcode::resample:
      return axis(at::resample_axis, "resample.C1");
    case Opcode::transpose: {
      same(0, 1, "transpose.C1");
      for (size_t i = s.program.views[s.in.operands[1]].rank; i < rank_limit; ++i)
        s.require(s.in.fields[at::order_0 + i].value == static_cast<int64_t>(i), "transpose.C1",
                  "the order moves axes beyond the rank");
      return;
    }
    case Opcode::topk:
      integer(1, "topk.C1");
      return same(0, 2, "topk.C1");
    case Opcode::select_along:
      integer(2, "select_along.C1");
      same(0, 1, "select_along.C1");
      return axis(at::select_axis, "select_along.C1");
    case Opcode::sort:
      same(0, 1, "sort.C1");
      s.require(std::has_single_bit(static_cast<uint64_t>(s.in.fields[at::sort_run].value)), "sort.C1",
                "`run` is not a power of two");
      return axis(at::sort_axis, "sort.C1");
    case Opcode::sort_pairs:
      same(0, 2, "sort_pairs.C1");
      integer(1, "sort_pairs.C1");
      if (s.in.operands[3] != no_view) same(1, 3, "sort_pairs.C1");
      s.require(std::has_single_bit(static_cast<uint64_t>(s.in.fields[at::pairs_run].value)), "sort_pairs.C1",
                "`run` is not a power of two");
      return axis(at::pairs_axis, "sort_pairs.C1");
    case Opcode::gather:
      integer(2, "gather.C1");
      return same(0, 1, "gather.C1");
    case Opcode::scatter:
      integer(2, "scatter.C1");
      same(0, 1, "scatter.C1");
      return axis(at::scatter_axis, "scatter.C1");
    case Opcode::let: {
      const int64_t op = s.in.fields[at::let_op].value;
      const Field& b = s.in.fields[at::let_b];
      return s.require((op != 3 && op != 4 && op != 7) || b.is_register || b.value != 0, "let.C1", "division by 0");
    }
    case Opcode::load:
      for (const size_t field : {at::load_share, at::load_step})
        s.require(s.in.fields[field].value >= 1 && s.in.fields[field].value <= 65536, "share.C1",
                  "a group has 1 to 65536 cores, as far apart");
      return s.require(s.in.fields[at::load_fill].value != 0 || s.in.fields[at::load_value].value == 0, "code.C1",
                       "a value without `fill`");
    default:
      return;
  }
}

void verify_instruction(const Site& s) {
  s.require(s.runs_on(s.in.queue), "queue.C1",
            fmt::format("{} does not run on queue {}", s.row.name, name_of(s.in.queue)));
  s.require(is_optional_register(s.in.predicate) && (s.in.predicate == no_register || !s.runs_on(Queue::sequencer)),
            "code.C1", "the predicate is no register, or the sequencer's own instruction has one");
  verify_syncs(s);
  if (s.in.operands.size() != s.row.operand_count() || s.in.fields.size() != s.row.field_count())
    return s.found.add("code.C1", fmt::format("the operands or fields are not those of {}", s.row.name), s.place);
  const size_t before = s.found.count;
  for (size_t i = 0; i < s.in.operands.size(); ++i) verify_operand(s, i);
  for (size_t i = 0; i < s.in.fields.size(); ++i) verify_field(s, s.row.fields[i], s.in.fields[i]);
  s.require(!s.runs_on(Queue::vector) || s.in.op == Opcode::sync || s.program.limits.vector_unit, "place.C1",
            "the limits do not name a vector unit");
  if (s.found.count == before) verify_types(s);
}

/// Nesting, and that a loop's index is its own. Operands and fields have passed.
void verify_loops(const Program& p, Findings& found) {
  std::vector<int64_t> indices;
  for (size_t i = 0; i < p.code.size(); ++i) {
    const Instruction& in = p.code[i];
    const std::string place = place_of(p, i);
    if (in.op == Opcode::halt)
      found.require(i + 1 == p.code.size(), "code.C1", "`halt` is not the last instruction", place);
    if (in.op == Opcode::end && !indices.empty()) indices.pop_back();
    if (in.op != Opcode::loop && in.op != Opcode::let) continue;
    const int64_t written = in.fields[at::loop_index].value;  // of a let: its target
    found.require(std::find(indices.begin(), indices.end(), written) == indices.end(), "loop.C1",
                  fmt::format("r{} counts a loop around it and is written", written), place);
    if (in.op == Opcode::let) continue;
    const Field& count = in.fields[at::loop_count];
    found.require(count.is_register || (count.value >= 0 && count.value <= in.fields[at::loop_max].value), "loop.C1",
                  fmt::format("{} trips; at most {} are stated", count.value, in.fields[at::loop_max].value), place);
    indices.push_back(written);
  }
  if (auto walk = Walk::of(p); !walk) {
    const Error& error = walk.error();
    found.add(error.code == "loop.C1" ? "loop.C1" : "code.C1", error.message, error.place);
  }
}

}  // namespace

void verify_code(const Program& p, Findings& found) {
  for (size_t i = 0; i < p.code.size() && !found.full(); ++i) {
    const Row* row = row_of(p.code[i].op);
    if (row == nullptr || static_cast<int>(p.code[i].queue) >= queue_count)
      found.add("code.C1", "the instruction or its queue does not exist", place_of(p, i));
    else
      verify_instruction({p, p.code[i], *row, place_of(p, i), found});
  }
  if (found.errors.empty()) verify_loops(p, found);
}

}  // namespace hadal::isa

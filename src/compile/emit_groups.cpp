// Which emitter writes a group's phases.
#include <algorithm>
#include <map>

#include "compile/compile.h"
#include "compile/views.h"
#include "graph/ops.h"
#include "graph/ops/kernel.h"
#include "graph/ops/scalar.h"
#include "isa/table.h"

namespace hadal::compile {

using isa::Opcode;
namespace ops = graph::ops;
using graph::Node;
using graph::ValueId;

namespace {

/// What lowers an op, and the instructions that do its work; moving data goes without saying.
struct Lowering {
  void (*emit)(Emitter&, const Group&);
  std::string_view instructions;
};

/// Views and concatenations are the emitter's own.
const Lowering* lowering_of(const graph::Op* op) {
  static const std::map<const graph::Op*, Lowering> lowerings{
      {&ops::matmul, {emit_matmul, "matmul"}},
      {&ops::scaled_matmul, {emit_matmul, "matmul_scaled"}},
      {&ops::conv, {emit_conv, "conv conv_depthwise"}},
      {&ops::conv_transpose, {emit_conv_transpose, "conv_transpose"}},
      {&ops::pool, {emit_pool, "pool"}},
      {&ops::resize, {emit_resize, "resample"}},
      {&ops::reduce, {emit_reduce, "reduce"}},
      {&ops::arg_reduce, {emit_arg_reduce, "arg_reduce"}},
      {&ops::softmax, {emit_softmax, "softmax"}},
      {&ops::normalize, {emit_normalize, "norm"}},
      {&ops::topk, {emit_topk, "topk"}},
      {&ops::cumsum, {emit_cumsum, "scan"}},
      {&ops::gather, {emit_gather, "gather"}},
      {&ops::gather_elements, {emit_gather_elements, "select_along"}},
      {&ops::scatter, {emit_scatter, "scatter"}},
      {&ops::non_max_suppression, {emit_host_call, "host_call"}},
      {&ops::pad, {emit_pad, "load"}},
      {&ops::kernel, {emit_kernel, "its own"}}};
  const auto found = lowerings.find(op);
  return found == lowerings.end() ? nullptr : &found->second;
}

}  // namespace

std::string_view instructions_of(const graph::Op& op) {
  const graph::ScalarFunction* function = graph::scalar_function(op);
  if (function) return isa::chain_op_named(function->name) ? "map" : "";
  if (&op == &ops::cast || &op == &ops::quantize || &op == &ops::dequantize) return "map";
  if (is_view(&op)) return "view";
  if (op.name == "concat") return "in place";
  const Lowering* lowering = lowering_of(&op);
  return lowering ? lowering->instructions : "";
}

void Emitter::emit_main(const Group& group) {
  const Node* main = group.main >= 0 ? &graph_.nodes[static_cast<size_t>(group.main)] : nullptr;
  if (elements(graph_.type(group.result).shape) == 0) {
    result(group.result);
    return;
  }
  if (!main) return emit_map(*this, group);
  if (is_view(main->op)) return emit_view(*main);
  if (main->op == &ops::concat) return emit_concat(*main);
  for (const ValueId v : main->inputs)
    if (v != graph::absent && elements(graph_.type(v).shape) == 0)
      return fail("compile.empty", fmt::format("{} of a tensor without elements", main->op->name));
  lowering_of(main->op)->emit(*this, group);
}

void Emitter::emit_group(const Group& group) {
  nodes_.clear();
  for (const int n : group.nodes)
    for (const std::string& origin : graph_.nodes[static_cast<size_t>(n)].origins)
      if (!std::count(nodes_.begin(), nodes_.end(), origin)) nodes_.push_back(origin);
  const size_t phases = program_.phases.size();
  emit_parts(group);
  if (!error_ && program_.phases.size() > phases) note_made(group);
}

/// The results of a group that phases have just stored.
void Emitter::note_made(const Group& group) {
  std::vector<ValueId> results{group.result};
  if (group.main >= 0)
    for (const ValueId v : graph_.nodes[static_cast<size_t>(group.main)].outputs)
      if (v != group.result) results.push_back(v);
  for (const ValueId v : results) {
    const auto& placed = placed_[static_cast<size_t>(v)];
    const bool known = std::ranges::any_of(made_, [&](const Made& made) { return made.value == v; });
    if (placed && !known) made_.push_back({v, program_.phases.size() - 1, *placed});
  }
}

void Emitter::emit_parts(const Group& group) {
  if (group.before.empty()) return emit_main(group);
  if (plan_.attention != Scores::apart && emit_attention(*this, group)) return;
  if (plan_.profile && plan_.profile->attention.scores == "stored" && group.streams.empty()) {
    const std::vector<std::string> nodes = nodes_;
    emit_group(group.before[0]);
    nodes_ = nodes;
    return emit_stored_attention(*this, group);
  }
  for (const Group& part : group.before) emit_group(part);
  Group mix = group;
  for (const Group& part : group.before)
    for (const int n : part.nodes) std::erase(mix.nodes, n);
  mix.before.clear();
  emit_group(mix);
}

/// All nodes that the chip has no lowering of, in one error.
Status Emitter::check_ops() const {
  std::string list;
  for (const Node& node : graph_.nodes)
    if (instructions_of(*node.op).empty())
      list += fmt::format("{}{} ({})", list.empty() ? "" : ", ", printable(node.origins.front()), node.op->name);
  if (list.empty()) return {};
  return Error{"compile.unsupported", "the chip has no lowering of these nodes: " + list, "",
               "docs/ops.md lists what runs where"};
}

/// Goes on without the group, so that one error tells of all that the chip cannot run.
void Emitter::take_error(const Group& group) {
  errors_.push_back(*std::exchange(error_, std::nullopt));
  for (const int n : group.nodes)
    for (const ValueId v : graph_.nodes[static_cast<size_t>(n)].outputs) result(v);
}

Error Emitter::all_errors() const {
  if (errors_.size() == 1) return errors_[0];
  std::string list;
  for (const Error& error : errors_)
    list += fmt::format("{}{}: {}", list.empty() ? "" : "; ", error.place, error.message);
  return Error{"compile.unsupported", fmt::format("{} layers cannot run on {}: {}", errors_.size(), chip_.name, list)};
}

Result<tile::Program> Emitter::run(const std::vector<Group>& groups, const Interface& interface) {
  HADAL_CHECK(check_ops());
  program_.model = graph_.name;
  program_.chip = chip_.name;
  program_.precision = interface.precision;
  declare_ports(interface);
  choose_orders();
  choose_homes();
  place_viewed_outputs();
  for (const Group& group : groups) {
    emit_group(group);
    if (error_) take_error(group);
  }
  if (!errors_.empty()) return all_errors();
  return std::move(program_);
}

}  // namespace hadal::compile

// Calls of the host: one core asks, with whole tensors in HBM.
#include "compile/tiling.h"

namespace hadal::compile {

using isa::Opcode;
using isa::Queue;

namespace {

tile::Window whole(Emitter& e, const Placed& placed, const std::string& name) {
  const std::vector<int64_t> extents = placed.extents.empty() ? std::vector<int64_t>{1} : placed.extents;
  tile::Window window{e.tensor(placed, name), std::vector<Expr>(extents.size()), {}};
  window.extents.assign(extents.begin(), extents.end());
  return window;
}

}  // namespace

/// The host's function has the op's name, and takes its operands in their order.
void emit_host_call(Emitter& e, const Group& group) {
  const graph::Node& node = e.graph().nodes[static_cast<size_t>(group.main)];
  const std::string name = e.graph().value(group.result).name, function(node.op->name);
  std::vector<Placed> operands;
  for (const graph::ValueId v : node.inputs) operands.push_back(e.operand(v));
  const Placed out = e.result(group.result);
  e.begin_phase(name, function, e.nodes());
  std::vector<tile::Operand> views{whole(e, out, name), std::monostate{}};
  if (const auto count = e.count_of(group.result)) views[isa::at::host_count] = whole(e, *count, name + ".count");
  for (size_t i = 0; i < operands.size(); ++i)
    views.emplace_back(whole(e, operands[i], e.graph().value(node.inputs[i]).name));
  const Expr number(e.add_function(function));
  e.units({1}, [&](const std::vector<Expr>&, const Expr&) { e.emit(Opcode::host_call, Queue::host, views, {number}); });
}

}  // namespace hadal::compile

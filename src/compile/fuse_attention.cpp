// Attention is two products with a softmax between: what nobody else reads need not leave the core.
#include <algorithm>
#include <map>

#include "compile/fuse.h"
#include "graph/ops.h"
#include "isa/table.h"

namespace hadal::compile {

namespace ops = graph::ops;
using graph::Node;
using graph::ValueId;

namespace {

constexpr double hidden = -1e30;  // A softmax makes nothing of what is so low, in a row that has anything higher.

/// How many steps at the end of a chain mask its result by the last of `streams` streams: x + mask, or mask ? x : a low
/// number.
size_t mask_steps(const isa::Chain& chain, size_t streams) {
  const size_t steps = chain.steps.size();
  if (steps == 0 || streams == 0) return 0;
  const isa::ChainStep& last = chain.steps.back();
  const auto result = [](size_t made) { return made == 0 ? size_t{0} : isa::chain_inputs + made - 1; };
  const auto is = [&](int operand, size_t what) { return last.operands[static_cast<size_t>(operand)] == what; };
  if (last.op == isa::chain_op_named("add"))
    return (is(0, streams) && is(1, result(steps - 1))) || (is(1, streams) && is(0, result(steps - 1))) ? 1 : 0;
  if (last.op != isa::chain_op_named("where") || steps < 2) return 0;
  const isa::ChainStep& low = chain.steps[steps - 2];
  const bool masks = low.op == isa::chain_op_named("constant") && low.alpha <= hidden && is(0, streams) &&
                     is(1, result(steps - 2)) && is(2, result(steps - 1));
  return masks ? 2 : 0;
}

/// How far rows see where a constant masks the scores.
void note_reach(const graph::Graph& graph, Group& scores) {
  const size_t steps = mask_steps(scores.chain, scores.streams.size());
  if (steps == 0) return;
  const graph::Value& mask = graph.value(scores.streams.back());
  const Shape &shape = graph.type(scores.result).shape, &own = mask.type.shape;
  const int64_t rows = shape[shape.size() - 2], columns = shape.back();
  // One mask for all of the batch.
  const bool covers = own.size() > 1 && own.back() == columns && own[own.size() - 2] == rows;
  if (!mask.constant || mask.constant->bytes.view.empty() || !covers || mask.constant->size() != rows * columns) return;
  const std::byte* data = mask.constant->bytes.view.data();
  const auto at = [&](int64_t i, int64_t j) {
    return load_number(mask.type.dtype, data + (i * columns + j) * bytes_of(mask.type.dtype));
  };
  const bool chooses = steps == 2;
  int64_t reach = -columns, clear = columns;
  for (int64_t i = 0; i < rows; ++i) {
    int64_t seen = columns, free = 0;
    while (seen > 0 && (chooses ? at(i, seen - 1) == 0 : at(i, seen - 1) <= hidden)) --seen;
    while (free < seen && (chooses ? at(i, free) != 0 : at(i, free) == 0)) ++free;
    reach = std::max(reach, (seen > 0 ? seen : columns) - 1 - i);  // Of a row that sees nothing, all count the same.
    clear = std::min(clear, free - 1 - i);
  }
  if (reach + 1 < columns) scores.reach = reach, scores.clear = clear, scores.mask_steps = steps;
}

class Join {
 public:
  Join(const graph::Graph& graph, std::vector<Group> groups)
      : graph_(graph), groups_(std::move(groups)), readers_(graph.values.size(), 0) {
    for (const Node& node : graph.nodes)
      for (const ValueId v : node.inputs)
        if (v != graph::absent) ++readers_[static_cast<size_t>(v)];
    for (const ValueId v : graph.outputs) ++readers_[static_cast<size_t>(v)];
    for (size_t g = 0; g < groups_.size(); ++g) maker_[groups_[g].result] = g;
  }

  std::vector<Group> run() {
    std::vector<bool> joined(groups_.size(), false);
    for (Group& group : groups_) {
      const auto softmax = before(group, &ops::matmul, &ops::softmax);
      if (!softmax) continue;
      const Node& rows = main_of(groups_[*softmax]);
      const auto scores = before(groups_[*softmax], &ops::softmax, &ops::matmul);
      const bool plain = rows.attributes.integer("log") == 0 && main_of(group).attributes.integer("transpose_a") == 0 &&
                         rows.attributes.integer("axis") + 1 == static_cast<int64_t>(rank(rows.outputs[0])) &&
                         rank(group.result) == rank(rows.outputs[0]) && groups_[*softmax].chain.steps.empty();
      if (!scores || !plain || !is_float(graph_.type(groups_[*scores].result).dtype)) continue;
      joined[*scores] = joined[*softmax] = true;
      group.before = {std::move(groups_[*scores]), std::move(groups_[*softmax])};
      note_reach(graph_, group.before[0]);
      for (const Group& part : group.before)
        group.nodes.insert(group.nodes.end(), part.nodes.begin(), part.nodes.end());
      std::sort(group.nodes.begin(), group.nodes.end());
    }
    std::vector<Group> out;
    for (size_t g = 0; g < groups_.size(); ++g)
      if (!joined[g]) out.push_back(std::move(groups_[g]));
    return out;
  }

 private:
  [[nodiscard]] const Node& main_of(const Group& group) const { return graph_.nodes[static_cast<size_t>(group.main)]; }
  [[nodiscard]] size_t rank(ValueId v) const { return graph_.type(v).shape.size(); }

  /// The group that makes the first operand of a group's main op `op`, for it alone, by a main op `theirs`.
  [[nodiscard]] std::optional<size_t> before(const Group& group, const graph::Op* op, const graph::Op* theirs) const {
    if (group.main < 0 || main_of(group).op != op) return std::nullopt;
    const ValueId v = main_of(group).inputs[0];
    const auto made = maker_.find(v);
    if (made == maker_.end() || readers_[static_cast<size_t>(v)] != 1) return std::nullopt;
    const Group& other = groups_[made->second];
    if (other.main < 0 || main_of(other).op != theirs) return std::nullopt;
    return made->second;
  }

  const graph::Graph& graph_;
  std::vector<Group> groups_;
  std::vector<int> readers_;
  std::map<ValueId, size_t> maker_;
};

}  // namespace

std::vector<Group> join_attention(const graph::Graph& graph, std::vector<Group> groups) {
  return Join(graph, std::move(groups)).run();
}

}  // namespace hadal::compile

// What the rules of long rows write with: nodes in place of one, and an axis as pieces.
#pragma once

#include <string>
#include <vector>

#include "compile/rows.h"
#include "graph/ops.h"

namespace hadal::compile {

/// Elements [start, start + count * length) of an axis, as [count, length] in its place.
struct Pieces {
  graph::ValueId value = graph::absent;
  int64_t start = 0, count = 1, length = 1;
};

/// Writes what stands for a node of the graph. Nodes are those of the graph so far, without the node itself.
class RowWriter {
 public:
  RowWriter(graph::Graph& graph, const graph::Node& of, const chip::Chip& chip, const Profile* profile = nullptr)
      : node(of), fit(row_fit(graph, of, chip, profile)), graph_(graph), cores_(chip.cores) {}

  const graph::Node node;
  const RowFit fit;

  [[nodiscard]] const graph::Type& type(graph::ValueId v) const { return graph_.type(v); }
  [[nodiscard]] int64_t extent(graph::ValueId v, int64_t axis) const {
    return type(v).shape[static_cast<size_t>(axis)];
  }
  /// The type of the node's first result.
  [[nodiscard]] const graph::Type& result() const { return type(node.outputs[0]); }

  /// A new node; its first result.
  Result<graph::ValueId> add(const graph::Op& op, std::vector<graph::ValueId> inputs,
                             graph::Attributes attributes = {});
  /// The second result of the newest node.
  [[nodiscard]] graph::ValueId second() const { return graph_.nodes.back().outputs[1]; }
  graph::ValueId constant(Tensor tensor);
  graph::ValueId scalar(DType dtype, double value);

  // --- The same value where nothing changes.
  Result<graph::ValueId> cast(graph::ValueId v, DType dtype);
  Result<graph::ValueId> reshape(graph::ValueId v, Shape shape);
  Result<graph::ValueId> slice(graph::ValueId v, int64_t axis, int64_t start, int64_t size);
  Result<graph::ValueId> concat(std::vector<graph::ValueId> parts, int64_t axis);

  Result<graph::ValueId> reduce(graph::ValueId v, const std::string& kind, std::vector<int64_t> axes, bool keep,
                                DType to);

  /// An axis in pieces of at most `fit.most` elements, and of about `least` or more: equal ones where the extent has a
  /// fitting divisor, else a shorter one behind them.
  Result<std::vector<Pieces>> cut(graph::ValueId v, int64_t axis, int64_t least = 1);
  /// [..., count, n, ...] with both dims as one again.
  Result<graph::ValueId> joined(graph::ValueId v, int64_t axis);

  /// The node's result `i` is what `v`, made here and read by none, is.
  void replace(size_t i, graph::ValueId v);

 private:
  graph::Graph& graph_;
  int64_t cores_;
};

}  // namespace hadal::compile

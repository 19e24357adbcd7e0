#include "compile/lane_products.h"

#include "graph/ops.h"
#include "graph/simplify/rewrite.h"
#include "rules/matrix.h"

namespace hadal::compile {

namespace {

namespace ops = graph::ops;
using graph::Attributes;
using graph::Node;
using graph::Rewrite;
using graph::ValueId;

constexpr int64_t most_products = int64_t{1} << 28;

/// [..., rows, depth] with the axis of depth last, and an axis of 1 before or behind the rows.
Result<ValueId> arranged(Rewrite& w, const Node& node, ValueId x, bool depth_is_last, bool is_left) {
  Shape shape = w.shape(x);
  const size_t rank = shape.size();
  if (!depth_is_last) {
    std::vector<int64_t> order(rank);
    for (size_t i = 0; i < rank; ++i) order[i] = static_cast<int64_t>(i);
    std::swap(order[rank - 2], order[rank - 1]);
    std::swap(shape[rank - 2], shape[rank - 1]);
    HADAL_TRY(x, w.add(ops::transpose, {x}, {{"order", order}}, node));
  }
  shape.insert(shape.end() - (is_left ? 1 : 2), 1);
  return w.add(ops::reshape, {x}, {{"shape", shape}}, node);
}

Result<bool> multiply(Rewrite& w, Node& node, const chip::Chip& chip) {
  if (node.op != &ops::matmul) return false;
  const graph::Type result = w.graph.type(node.outputs[0]);
  const DType dtype = w.graph.type(node.inputs[0]).dtype;
  const bool on_lanes = dtype == DType::f64 || (!is_float(dtype) && bytes_of(dtype) > 1);
  if (!on_lanes || rules::supports(chip.matrix, dtype)) return false;
  const bool a_is_last = node.attributes.integer("transpose_a") == 0,
             b_is_last = node.attributes.integer("transpose_b") != 0;
  const Shape& left = w.shape(node.inputs[0]);
  const int64_t depth = left[left.size() - (a_is_last ? 1 : 2)];
  Shape products = result.shape;
  products.push_back(depth);
  if (const int64_t count = checked_bytes(products, 1); count < 1 || count > most_products) return false;
  HADAL_TRY(const ValueId a, arranged(w, node, node.inputs[0], a_is_last, true));
  HADAL_TRY(const ValueId b, arranged(w, node, node.inputs[1], b_is_last, false));
  HADAL_TRY(const ValueId each, w.add(ops::mul, {a, b}, {}, node));
  w.edit(node, ops::reduce, {each},
         {{"kind", "sum"},
          {"axes", std::vector<int64_t>{static_cast<int64_t>(result.shape.size())}},
          {"keep", int64_t{0}}});
  return false;
}

}  // namespace

Status multiply_on_lanes(graph::Graph& graph, const chip::Chip& chip) {
  HADAL_TRY([[maybe_unused]] const bool changed,
            Rewrite::sweep(graph, [&](Rewrite& w, Node& node) { return multiply(w, node, chip); }));
  return {};
}

}  // namespace hadal::compile

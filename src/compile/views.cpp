#include "compile/views.h"

#include "graph/ops.h"

namespace hadal::compile {

namespace ops = graph::ops;
using graph::Node;

bool is_view(const graph::Op* op) {
  return op == &ops::reshape || op == &ops::transpose || op == &ops::slice || op == &ops::broadcast ||
         op == &ops::bitcast;
}

std::optional<std::vector<int64_t>> reshaped_strides(const Shape& extents, const std::vector<int64_t>& strides,
                                                     const Shape& to) {
  if (elements(to) == 0) return std::vector<int64_t>(to.size(), 0);  // Nothing is there to be strode over.
  std::vector<std::pair<int64_t, int64_t>> old;                      // Merged dims that hold more than one element.
  for (size_t i = 0; i < extents.size(); ++i) {
    if (extents[i] == 1) continue;
    if (!old.empty() && old.back().second == strides[i] * extents[i])
      old.back() = {old.back().first * extents[i], strides[i]};
    else
      old.emplace_back(extents[i], strides[i]);
  }
  // Each old dim is split into new ones, from the innermost.
  std::vector<int64_t> out(to.size(), 0);
  size_t next = old.size();
  int64_t left = 1, stride = 0;
  for (size_t i = to.size(); i-- > 0;) {
    if (to[i] == 1) continue;
    if (left == 1) {
      if (next == 0) return std::nullopt;
      left = old[--next].first;
      stride = old[next].second;
    }
    if (left % to[i] != 0) return std::nullopt;
    out[i] = stride;
    stride *= to[i];
    left /= to[i];
  }
  if (left != 1 || next != 0) return std::nullopt;
  return out;
}

namespace {

/// The same memory under another shape, if strides can say it.
std::optional<Placed> reshaped(Placed placed, const Shape& shape) {
  auto strides = reshaped_strides(placed.extents, placed.strides, shape);
  if (!strides) return std::nullopt;
  placed.extents = shape;
  placed.strides = *std::move(strides);
  return placed;
}

}  // namespace

std::optional<Placed> view_of(const Node& node, const Placed& source, const Shape& shape) {
  if (node.op == &ops::reshape) return reshaped(source, shape);
  Placed out = source;
  out.extents = shape;
  if (node.op == &ops::bitcast) {
    out.dtype = *dtype_named(node.attributes.text("to"));
  } else if (node.op == &ops::transpose) {
    const auto order = node.attributes.integers("order");
    for (size_t i = 0; i < order.size(); ++i) out.strides[i] = source.strides[static_cast<size_t>(order[i])];
  } else if (node.op == &ops::slice) {
    const auto starts = node.attributes.integers("starts"), steps = node.attributes.integers("steps");
    for (size_t i = 0; i < shape.size(); ++i) {
      out.offset += starts[i] * source.strides[i];
      if (shape[i] > 1) out.strides[i] = source.strides[i] * steps[i];
    }
  } else {
    out.strides.assign(shape.size(), 0);
    const size_t lead = shape.size() - source.extents.size();
    for (size_t i = 0; i < source.extents.size(); ++i)
      if (source.extents[i] == shape[lead + i]) out.strides[lead + i] = source.strides[i];
  }
  return out;
}

std::optional<Placed> source_of(const Node& node, const Placed& view, const Shape& shape) {
  if (node.op == &ops::reshape) return reshaped(view, shape);
  if (node.op != &ops::transpose) return std::nullopt;
  Placed out = view;
  out.extents = shape;
  const auto order = node.attributes.integers("order");
  for (size_t i = 0; i < order.size(); ++i) out.strides[static_cast<size_t>(order[i])] = view.strides[i];
  return out;
}

}  // namespace hadal::compile

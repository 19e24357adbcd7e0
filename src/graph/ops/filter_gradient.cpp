#include "graph/ops/filter_gradient.h"

#include <numeric>

namespace hadal::graph {

namespace {

/// How far the windows at `positions` reach beyond an axis of `extent` and its begin pad: below 0, what none reads.
int64_t end_pad(const Window& window, size_t i, int64_t extent, int64_t positions) {
  const int64_t reach = (window.kernel[i] - 1) * window.dilations[i] + 1;
  return (positions - 1) * window.strides[i] + reach - window.begin[i] - extent;
}

}  // namespace

Term filter_gradient(const Term& image, const Term& result, const Window& window, int64_t groups) {
  const size_t axes = window.kernel.size();
  Term x = image;
  Integers pads = window.begin;
  for (size_t i = 0; i < axes; ++i) {
    const int64_t end = end_pad(window, i, image.shape()[2 + i], result.shape()[2 + i]);
    if (end < 0) x = x.slice(static_cast<int64_t>(2 + i), 0, image.shape()[2 + i] + end);
    pads.push_back(std::max<int64_t>(end, 0));
  }
  // [N, C, s...] as [C/groups, groups * N, s...]: each group's images beside each other.
  const Shape shape = x.shape();
  const int64_t batch = shape[0], channels = shape[1] / groups;
  Shape apart{batch, groups, channels}, joint{channels, groups * batch};
  apart.insert(apart.end(), shape.begin() + 2, shape.end());
  joint.insert(joint.end(), shape.begin() + 2, shape.end());
  Integers order(apart.size()), swap(shape.size());
  std::iota(order.begin(), order.end(), 0);
  std::iota(swap.begin(), swap.end(), 0);
  std::swap(order[0], order[2]);
  std::swap(swap[0], swap[1]);
  const Term images = x.reshaped(apart).transposed(order).reshaped(joint);
  const Attributes attributes{
      {"strides", window.dilations}, {"dilations", window.strides}, {"pads", pads}, {"groups", groups}};
  return images.apply(ops::conv, result.transposed(swap), attributes).transposed(swap);
}

Term sum_of_channels(const Term& g) {
  Integers axes{0};
  for (int64_t i = 2; i < std::ssize(g.shape()); ++i) axes.push_back(i);
  return g.reduced("sum", axes, false);
}

Attributes spread_attributes(const Window& window, const Shape& extents, const Shape& positions, int64_t groups) {
  Integers pads = window.begin, more;
  for (size_t i = 0; i < window.kernel.size(); ++i) {
    const int64_t end = end_pad(window, i, extents[2 + i], positions[2 + i]);
    pads.push_back(std::max<int64_t>(end, 0));
    more.push_back(std::max<int64_t>(-end, 0));
  }
  return {{"strides", window.strides},
          {"dilations", window.dilations},
          {"pads", pads},
          {"output_padding", more},
          {"groups", groups}};
}

}  // namespace hadal::graph

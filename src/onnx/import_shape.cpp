// Operators that move elements: their attributes are resolved here.
#include <algorithm>
#include <limits>
#include <numeric>

#include "onnx/importer.h"

namespace hadal::onnx {

namespace {

/// 0 copies the operand's extent (unless allowzero), -1 is what is left.
Values reshape(Site& n) {
  const auto wanted = n.list("shape", 1);
  if (!wanted) fail("onnx.attribute", "Reshape has no shape");
  Shape to = *wanted;
  const Shape& from = n.b.shape(n[0]);
  int64_t known = 1;
  std::optional<size_t> open;
  for (size_t i = 0; i < to.size(); ++i) {
    if (to[i] == 0 && !n.integer("allowzero")) {
      if (i >= from.size())
        fail("onnx.shape", "entry {} of the shape copies an axis that the operand ({}) lacks", i, text_of(from));
      to[i] = from[i];
    }
    if (to[i] < -1 || (to[i] == -1 && open)) fail("onnx.shape", "the shape is {}", text_of(*wanted));
    if (to[i] == -1) {
      open = i;
      continue;
    }
    if (to[i] > 0 && known > (int64_t{1} << 62) / to[i]) fail("onnx.shape", "{} is too large", text_of(to));
    known *= to[i];
  }
  const int64_t count = elements(from);
  if (open) {
    if (known == 0 || count % known != 0) fail("onnx.shape", "{} elements do not fill {}", count, text_of(*wanted));
    to[*open] = count / known;
  }
  return {n.b.reshape(n[0], to)};
}

Values flatten(Site& n) {
  const Shape& x = n.b.shape(n[0]);
  const int64_t axis = n.integer("axis", 1), rank = n.b.rank(n[0]);
  const int64_t split = axis == rank ? rank : Site::axis(axis, rank);
  const Shape head(x.begin(), x.begin() + split), tail(x.begin() + split, x.end());
  return {n.b.reshape(n[0], {elements(head), elements(tail)})};
}

Values squeeze(Site& n) {
  const Shape& x = n.b.shape(n[0]);
  auto given = n.list("axes", 1);
  std::vector<bool> drop(x.size());
  if (given)
    for (const int64_t axis : Site::axes(*given, n.b.rank(n[0]))) {
      if (x[static_cast<size_t>(axis)] != 1) fail("onnx.shape", "axis {} of {} is not 1", axis, text_of(x));
      drop[static_cast<size_t>(axis)] = true;
    }
  Shape to;
  for (size_t i = 0; i < x.size(); ++i)
    if (given ? !drop[i] : x[i] != 1) to.push_back(x[i]);
  return {n.b.reshape(n[0], to)};
}

Values unsqueeze(Site& n) {
  const auto given = n.list("axes", 1);
  if (!given) fail("onnx.attribute", "Unsqueeze has no axes");
  const Shape& x = n.b.shape(n[0]);
  const Integers axes = Site::axes(*given, n.b.rank(n[0]) + static_cast<int64_t>(given->size()));
  std::vector<bool> fresh(x.size() + axes.size());
  for (const int64_t axis : axes) {
    if (fresh[static_cast<size_t>(axis)]) fail("onnx.attribute", "axis {} is given twice", axis);
    fresh[static_cast<size_t>(axis)] = true;
  }
  Shape to;
  size_t next = 0;
  for (const bool is_fresh : fresh) to.push_back(is_fresh ? 1 : x[next++]);
  return {n.b.reshape(n[0], to)};
}

Values transpose(Site& n) {
  Integers order = n.integers("perm");
  if (!n.has("perm")) {
    order.resize(n.b.shape(n[0]).size());
    std::iota(order.rbegin(), order.rend(), 0);
  }
  if (std::is_sorted(order.begin(), order.end()))
    return {n.make(ops::transpose, {n[0]}, {{"order", order}})};  // also checks it
  return {n.b.transpose(n[0], order)};
}

/// Two-way: an extent of 1 in the shape keeps the operand's.
Values expand(Site& n) {
  Shape to = n.integers(1, "shape");
  const Shape& x = n.b.shape(n[0]);
  while (to.size() < x.size()) to.insert(to.begin(), 1);
  for (size_t i = 0; i < x.size(); ++i) {
    int64_t& extent = to[to.size() - x.size() + i];
    if (extent == 1) extent = x[i];
  }
  return {n.b.broadcast(n[0], to)};
}

Values concat(Site& n) {
  for (const ValueId v : n.inputs)
    if (v == absent) fail("onnx.graph", "an input is missing");
  return {n.make(ops::concat, n.inputs, {{"axis", Site::axis(n.integer("axis", 1), n.b.rank(n[0]))}})};
}

Values split(Site& n) {
  const int64_t axis = Site::axis(n.integer("axis"), n.b.rank(n[0]));
  const int64_t extent = n.b.shape(n[0])[static_cast<size_t>(axis)];
  auto sizes = n.list("split", 1);
  if (!sizes) {
    const auto parts = static_cast<int64_t>(n.node.outputs.size());
    const int64_t each = (extent + parts - 1) / parts;
    sizes.emplace();
    for (int64_t i = 0, left = extent; i < parts; ++i, left -= sizes->back()) sizes->push_back(std::min(each, left));
  }
  if (sizes->size() != n.node.outputs.size())
    fail("onnx.attribute", "{} sizes for {} outputs", sizes->size(), n.node.outputs.size());
  Values out;
  int64_t start = 0;
  for (const int64_t size : *sizes) {
    if (size < 0 || size > extent - start) fail("onnx.shape", "the parts pass the extent, {}", extent);
    out.push_back(n.b.slice(n[0], axis, start, size));
    start += size;
  }
  if (start != extent) fail("onnx.shape", "the parts cover {} of {}", start, extent);
  return out;
}

struct Range {
  int64_t start, step, size;
};

/// What NumPy's start:end:step picks of an axis.
Range resolve(int64_t start, int64_t end, int64_t step, int64_t extent) {
  step = std::clamp<int64_t>(step, -(int64_t{1} << 40), int64_t{1} << 40);
  const auto from_end = [&](int64_t i) { return i < 0 ? std::max(i, -extent - 1) + extent : std::min(i, extent); };
  if (step > 0) {
    start = std::max<int64_t>(from_end(start), 0);
    end = std::max<int64_t>(from_end(end), 0);
    const int64_t size = start >= end ? 0 : (end - start + step - 1) / step;
    return {size ? start : 0, step, size};
  }
  start = std::min(from_end(start), extent - 1);
  end = std::max<int64_t>(from_end(end), -1);
  const int64_t size = start <= end ? 0 : (start - end - step - 1) / -step;
  return {size ? start : 0, step, size};
}

/// Bounds are attributes before opset 10, then inputs.
Values slice(Site& n) {
  const auto starts = n.list("starts", 1), ends = n.list("ends", 2), axes = n.list("axes", 3);
  const Integers steps = n.has(4) ? n.integers(4, "steps") : Integers(starts ? starts->size() : 0, 1);
  if (!starts || !ends || starts->size() != ends->size() || steps.size() != starts->size() ||
      (axes && axes->size() != starts->size()))
    fail("onnx.attribute", "starts, ends, axes and steps are not equally long");
  const Shape& x = n.b.shape(n[0]);
  if (!axes && starts->size() > x.size()) fail("onnx.attribute", "{} starts for {} axes", starts->size(), x.size());
  Integers first(x.size(), 0), step(x.size(), 1), size = x;
  std::vector<bool> seen(x.size());
  for (size_t i = 0; i < starts->size(); ++i) {
    const auto axis = static_cast<size_t>(Site::axis(axes ? (*axes)[i] : static_cast<int64_t>(i), n.b.rank(n[0])));
    if (seen[axis]) fail("onnx.attribute", "axis {} is given twice", axis);
    seen[axis] = true;
    if (steps[i] == 0) fail("onnx.attribute", "a step is 0");
    const Range range = resolve((*starts)[i], (*ends)[i], steps[i], x[axis]);
    first[axis] = range.start, step[axis] = range.step, size[axis] = range.size;
  }
  const bool whole = size == x && std::all_of(step.begin(), step.end(), [](int64_t s) { return s == 1; });
  if (whole) return {n[0]};
  return {n.make(ops::slice, {n[0]}, {{"starts", first}, {"steps", step}, {"sizes", size}})};
}

/// Negative pads cut off.
ValueId pad_by(Site& n, ValueId x, Integers low, Integers high, const std::string& mode, double value) {
  const Shape& from = n.b.shape(x);
  Integers starts(from.size(), 0), sizes = from;
  bool cuts = false, pads = false;
  for (size_t i = 0; i < from.size(); ++i) {
    const bool fits = low[i] >= -from[i] && high[i] >= -from[i];
    starts[i] = fits ? std::max<int64_t>(0, -low[i]) : 0;
    sizes[i] = fits ? from[i] - starts[i] - std::max<int64_t>(0, -high[i]) : -1;
    if (sizes[i] < 0) fail("onnx.shape", "axis {}: pads {} and {} of {}", i, low[i], high[i], from[i]);
    if (sizes[i] == 0) starts[i] = 0;
    cuts = cuts || low[i] < 0 || high[i] < 0;
    pads = pads || low[i] > 0 || high[i] > 0;
    low[i] = std::max<int64_t>(0, low[i]);
    high[i] = std::max<int64_t>(0, high[i]);
  }
  if (cuts) x = n.make(ops::slice, {x}, {{"starts", starts}, {"steps", Integers(from.size(), 1)}, {"sizes", sizes}});
  if (!pads) return x;
  return n.make(ops::pad, {x}, {{"low", low}, {"high", high}, {"mode", mode}, {"value", value}});
}

Values pad(Site& n) {
  const auto pads = n.list("pads", 1);
  const size_t rank = n.b.shape(n[0]).size();
  Integers axes(rank);
  std::iota(axes.begin(), axes.end(), 0);
  if (n.has(3)) axes = Site::axes(n.integers(3, "axes"), static_cast<int64_t>(rank));
  if (!pads || pads->size() != 2 * axes.size())
    fail("onnx.attribute", "{} pads for {} axes", pads ? pads->size() : 0, axes.size());
  Integers low(rank, 0), high(rank, 0);
  for (size_t i = 0; i < axes.size(); ++i) {
    low[static_cast<size_t>(axes[i])] = (*pads)[i];
    high[static_cast<size_t>(axes[i])] = (*pads)[axes.size() + i];
  }
  const double value = n.has(2) ? n.number(2, "constant_value") : n.number("value");
  return {pad_by(n, n[0], low, high, n.text("mode", "constant"), value)};
}

/// [a, b] by r along the first axis is [1, a, b] broadcast to [r, a, b].
ValueId repeated(Site& n, ValueId x, size_t axis, int64_t times) {
  Shape apart = n.b.shape(x), to = apart;
  to[axis] *= times;
  apart.insert(apart.begin() + static_cast<int64_t>(axis), 1);
  Shape wide = apart;
  wide[axis] = times;
  return n.b.reshape(n.b.broadcast(n.b.reshape(x, apart), wide), to);
}

/// Repeats: [a, b] by (r, s) is [1, a, 1, b] broadcast to [r, a, s, b]; many axes are repeated one by one.
Values tile(Site& n) {
  const Integers repeats = n.integers(1, "repeats");
  const Shape x = n.b.shape(n[0]);
  if (repeats.size() != x.size()) fail("onnx.shape", "{} repeats for {} axes", repeats.size(), x.size());
  Shape apart, wide, to;
  for (size_t i = 0; i < x.size(); ++i) {
    if (repeats[i] < 0 || checked_bytes({x[i], repeats[i]}, 1) < 0) fail("onnx.shape", "{} repeats", repeats[i]);
    apart.insert(apart.end(), {1, x[i]});
    wide.insert(wide.end(), {repeats[i], x[i]});
    to.push_back(repeats[i] * x[i]);
  }
  if (to == x) return {n[0]};
  const auto repeats_of = std::ranges::count_if(repeats, [](int64_t times) { return times != 1; });
  if (std::ssize(x) + repeats_of > 6) {
    ValueId out = n[0];
    for (size_t i = 0; i < x.size(); ++i)
      if (repeats[i] != 1) out = repeated(n, out, i, repeats[i]);
    return {out};
  }
  return {n.b.reshape(n.b.broadcast(n.b.reshape(n[0], apart), wide), to)};
}

Values depth_to_space(Site& n) {
  const Shape x = n.b.shape(n[0]);
  const int64_t block = n.integer("blocksize");
  const std::string mode = n.text("mode", "DCR");
  if (x.size() != 4 || block < 1 || block > 65536 || x[1] % (block * block) != 0)
    fail("onnx.shape", "blocks of {} in {}", block, text_of(x));
  if (mode != "DCR" && mode != "CRD") fail("onnx.attribute", "mode: '{}' is not known", printable(mode));
  const int64_t depth = x[1] / (block * block);
  const Shape apart =
      mode == "DCR" ? Shape{x[0], block, block, depth, x[2], x[3]} : Shape{x[0], depth, block, block, x[2], x[3]};
  const Integers order = mode == "DCR" ? Integers{0, 3, 4, 1, 5, 2} : Integers{0, 1, 4, 2, 5, 3};
  return {n.b.reshape(n.b.transpose(n.b.reshape(n[0], apart), order), {x[0], depth, x[2] * block, x[3] * block})};
}

Values space_to_depth(Site& n) {
  const Shape x = n.b.shape(n[0]);
  const int64_t block = n.integer("blocksize");
  const std::string mode = n.text("mode", "DCR");
  if (mode != "DCR" && mode != "CRD") fail("onnx.attribute", "mode: '{}' is not known", printable(mode));
  if (x.size() != 4 || block < 1 || x[2] % block != 0 || x[3] % block != 0)
    fail("onnx.shape", "blocks of {} in {}", block, text_of(x));
  const ValueId apart = n.b.reshape(n[0], {x[0], x[1], x[2] / block, block, x[3] / block, block});
  return {n.b.reshape(n.b.transpose(apart, mode == "DCR" ? Integers{0, 3, 5, 1, 2, 4} : Integers{0, 1, 3, 5, 2, 4}),
                      {x[0], x[1] * block * block, x[2] / block, x[3] / block})};
}

constexpr Operator rows[] = {
    {"Concat", concat, "concat", 1, any_number, "axis:i"},
    {"DepthToSpace", depth_to_space, "reshape transpose", 1, 1, "blocksize:i mode:s"},
    {"Expand", expand, "broadcast", 2, 2, ""},
    {"Flatten", flatten, "reshape", 1, 1, "axis:i"},
    {"Pad", pad, "pad slice", 1, 4, "mode:s pads:is value:f"},
    {"Reshape", reshape, "reshape", 1, 2, "shape:is allowzero:i"},
    {"Slice", slice, "slice", 1, 5, "axes:is starts:is ends:is"},
    {"SpaceToDepth", space_to_depth, "reshape transpose", 1, 1, "blocksize:i mode:s"},
    {"Split", split, "slice", 1, 2, "axis:i split:is num_outputs:i"},
    {"Squeeze", squeeze, "reshape", 1, 2, "axes:is"},
    {"Tile", tile, "reshape broadcast", 2, 2, ""},
    {"Transpose", transpose, "transpose", 1, 1, "perm:is"},
    {"Unsqueeze", unsqueeze, "reshape", 1, 2, "axes:is"},
};

}  // namespace

std::span<const Operator> shape_operators() { return rows; }

}  // namespace hadal::onnx

// Pooling: pads and ceil mode are resolved here; what the chip's pool has no step for becomes arithmetic around it.
#include <algorithm>
#include <cmath>

#include "onnx/terms.h"
#include "onnx/windows.h"

namespace hadal::onnx {

namespace {

/// Positions beyond the end pad that ceil mode adds; a window that would start there is dropped.
Integers ceil_extra(const Site& n, const Window& w, const Shape& spatial) {
  Integers extra(spatial.size(), 0);
  const std::string automatic = n.text("auto_pad", "NOTSET");
  if (!n.integer("ceil_mode") || automatic == "SAME_UPPER" || automatic == "SAME_LOWER") return extra;
  for (size_t i = 0; i < spatial.size(); ++i) {
    const int64_t padded = spatial[i] + w.begin[i] + w.end[i], room = padded - w.reach(i);
    if (room < 0) continue;
    int64_t out = (room + w.strides[i] - 1) / w.strides[i] + 1;
    if ((out - 1) * w.strides[i] >= spatial[i] + w.begin[i]) --out;
    extra[i] = std::max<int64_t>(0, (out - 1) * w.strides[i] + w.reach(i) - padded);
  }
  return extra;
}

struct Pooling {
  Shape spatial;
  Window w;
  Integers extra;

  /// Positions of windows along an axis, with the pads.
  [[nodiscard]] int64_t count(size_t i) const {
    const int64_t room = spatial[i] + w.begin[i] + w.end[i] + extra[i] - w.reach(i);
    if (room < 0) fail("onnx.shape", "a window of {} in {} elements", w.reach(i), spatial[i]);
    return room / w.strides[i] + 1;
  }
  [[nodiscard]] Attributes attributes(const std::string& kind) const {
    return {{"kind", kind},     {"kernel", w.kernel},       {"strides", w.strides},
            {"pads", w.pads()}, {"dilations", w.dilations}, {"extra", extra}};
  }
};

Pooling pooling_of(const Site& n) {
  Pooling p{spatial_of(n, n[0]), {}, {}};
  p.w = window_of(n, n.attribute("kernel_shape").integers, p.spatial);
  p.extra = ceil_extra(n, p.w, p.spatial);
  return p;
}

/// With the pads, which are then none of the window's.
Term padded(const Term& x, const Pooling& p, double value) {
  Integers low{0, 0}, high{0, 0};
  for (size_t i = 0; i < p.spatial.size(); ++i) {
    low.push_back(p.w.begin[i]);
    high.push_back(p.w.end[i] + p.extra[i]);
  }
  const bool none = std::ranges::all_of(low, [](int64_t pad) { return pad == 0; }) &&
                    std::ranges::all_of(high, [](int64_t pad) { return pad == 0; });
  return none ? x : x.apply(ops::pad, {{"low", low}, {"high", high}, {"mode", "constant"}, {"value", value}});
}

/// The mean of each window, pads as zeros that count.
Term padded_mean(const Term& x, const Pooling& p) {
  Attributes attributes = p.attributes("mean");
  attributes.set("pads", Integers(2 * p.spatial.size(), 0));
  attributes.set("extra", Integers(p.spatial.size(), 0));
  return padded(x, p, 0).apply(ops::pool, attributes);
}

/// Pads count, but not what ceil mode adds behind them: then the divisors differ, and are a constant.
Values average_pool(Site& n) {
  const Pooling p = pooling_of(n);
  const bool adds = std::ranges::any_of(p.extra, [](int64_t extra) { return extra > 0; });
  Attributes attributes = p.attributes("mean");
  attributes.set("count_pad", n.integer("count_include_pad"));
  if (!n.integer("count_include_pad") || !adds) return {n.make(ops::pool, {n[0]}, attributes)};
  Term mean = padded_mean(input(n, 0), p);
  for (size_t i = 0; i < p.spatial.size(); ++i) {
    std::vector<double> shares;
    for (int64_t o = 0; o < p.count(i); ++o) {
      int64_t counted = 0;
      for (int64_t k = 0; k < p.w.kernel[i]; ++k)
        counted += o * p.w.strides[i] + k * p.w.dilations[i] < p.spatial[i] + p.w.begin[i] + p.w.end[i];
      shares.push_back(static_cast<double>(p.w.kernel[i]) / static_cast<double>(std::max<int64_t>(1, counted)));
    }
    Shape along(p.spatial.size(), 1);
    along[i] = p.count(i);
    mean = mean * mean.with(n.b.constant(hadal::cast(Tensor::of(DType::f64, along, shares), mean.dtype())));
  }
  return {mean.id};
}

// ---- MaxPool

/// Where element k of each window lies in the whole operand: [N,C,positions...]; -1 in the pads.
Term places(Site& n, const Pooling& p, const Integers& k) {
  const Shape x = n.b.shape(n[0]);
  const bool columns_first = n.integer("storage_order") != 0;
  int64_t plane = 1;
  for (const int64_t extent : p.spatial) plane *= extent;
  Shape images{x[0], x[1]};
  images.insert(images.end(), p.spatial.size(), 1);
  Term place = positions(n, x[0] * x[1]).reshaped(images);
  place = place * place.with(n.b.integer(plane));
  int64_t stride = columns_first ? 1 : plane;
  for (size_t i = 0; i < p.spatial.size(); ++i) {
    if (!columns_first) stride /= p.spatial[i];
    Integers along;
    for (int64_t o = 0; o < p.count(i); ++o)
      along.push_back((o * p.w.strides[i] + k[i] * p.w.dilations[i] - p.w.begin[i]) * stride);
    if (columns_first) stride *= p.spatial[i];
    Shape shape(p.spatial.size(), 1);
    shape[i] = p.count(i);
    place = place + place.with(n.b.reshape(n.b.constant(along), shape));
  }
  return place;
}

/// The largest of each window and where it lies, one element of the window after the other.
Values max_pool_with_indices(Site& n, const Pooling& p) {
  constexpr int64_t most_taps = 1024;
  const int64_t taps = checked_bytes(p.w.kernel, 1);
  if (taps < 1 || taps > most_taps || elements(n.b.shape(n[0])) == 0)
    fail("onnx.unsupported", "indices of windows of {} in {}", text_of(p.w.kernel), text_of(n.b.shape(n[0])));
  const bool floats = is_float(n.b.dtype(n[0]));
  const Term x = padded(input(n, 0), p, floats ? -INFINITY : std::ldexp(-1, 62));
  std::optional<Term> best, at;
  for (int64_t tap = 0; tap < taps; ++tap) {
    Integers k(p.spatial.size()), starts{0, 0}, steps{1, 1}, sizes{x.shape()[0], x.shape()[1]};
    for (int64_t i = std::ssize(k) - 1, rest = tap; i >= 0; --i) {
      k[static_cast<size_t>(i)] = rest % p.w.kernel[static_cast<size_t>(i)];
      rest /= p.w.kernel[static_cast<size_t>(i)];
    }
    for (size_t i = 0; i < k.size(); ++i) {
      starts.push_back(k[i] * p.w.dilations[i]);
      steps.push_back(p.w.strides[i]);
      sizes.push_back(p.count(i));
    }
    const Term value = x.apply(ops::slice, {{"starts", starts}, {"steps", steps}, {"sizes", sizes}});
    const Term place = places(n, p, k);
    if (best) {
      const Term larger = *best < value;
      at = where(larger, place, *at);
      best = where(larger, value, *best);
    } else {
      best = value, at = place.broadcast(sizes);
    }
  }
  return {best->id, at->id};
}

Values max_pool(Site& n) {
  const Pooling p = pooling_of(n);
  if (n.wants(1)) return max_pool_with_indices(n, p);
  return {n.make(ops::pool, {n[0]}, p.attributes("max"))};
}

// ---- p-norms

/// |x| to the power p, and back.
Term raised(const Term& x, double p) {
  if (p == 2) return x * x;
  return p == 1 ? x.apply(ops::abs) : x.apply(ops::abs).apply(ops::pow, x.number(p));
}
Term root(const Term& x, double p) {
  if (p == 2) return x.apply(ops::sqrt);
  return p == 1 ? x : x.apply(ops::pow, x.number(1 / p));
}

Values lp_pool(Site& n) {
  const Pooling pooling = pooling_of(n);
  const auto p = static_cast<double>(n.integer("p", 2));
  if (p < 1) fail("onnx.attribute", "p is {}", p);
  const auto elements_of_window = static_cast<double>(std::max<int64_t>(1, checked_bytes(pooling.w.kernel, 1)));
  return {root(padded_mean(raised(input(n, 0), p), pooling) * elements_of_window, p).id};
}

Integers spatial_axes(const Site& n) {
  Integers axes;
  for (int64_t i = 2; i < n.b.rank(n[0]); ++i) axes.push_back(i);
  if (axes.empty()) fail("onnx.shape", "the operand is {}: it has no spatial axes", text_of(n.b.shape(n[0])));
  return axes;
}

Values global_average_pool(Site& n) { return {n.b.reduce(n[0], "mean", spatial_axes(n))}; }
Values global_max_pool(Site& n) { return {n.b.reduce(n[0], "max", spatial_axes(n))}; }
Values global_lp_pool(Site& n) {
  const int64_t p = n.integer("p", 2);
  if (p < 1) fail("onnx.attribute", "p is {}", p);
  if (p <= 2) return {n.b.reduce(n[0], p == 1 ? "l1" : "l2", spatial_axes(n))};
  const auto power = static_cast<double>(p);
  return {root(raised(input(n, 0), power).reduced("sum", spatial_axes(n)), power).id};
}

constexpr Operator rows[] = {
    {"AveragePool", average_pool, "pool pad mul", 1, 1,
     "auto_pad:s ceil_mode:i count_include_pad:i dilations:is kernel_shape:is pads:is strides:is"},
    {"GlobalAveragePool", global_average_pool, "reduce", 1, 1, ""},
    {"GlobalLpPool", global_lp_pool, "reduce abs pow", 1, 1, "p:i"},
    {"GlobalMaxPool", global_max_pool, "reduce", 1, 1, ""},
    {"LpPool", lp_pool, "pool pad mul abs pow sqrt", 1, 1,
     "auto_pad:s ceil_mode:i dilations:is kernel_shape:is p:i pads:is strides:is"},
    {"MaxPool", max_pool, "pool pad slice where less broadcast", 1, 1,
     "auto_pad:s ceil_mode:i dilations:is kernel_shape:is pads:is storage_order:i strides:is"},
};

}  // namespace

std::span<const Operator> pool_operators() { return rows; }

}  // namespace hadal::onnx

#include <limits>

#include "graph/backward.h"
#include "graph/ops.h"
#include "graph/ops/filter_gradient.h"

namespace hadal::graph::ops {

namespace {

Result<std::vector<Type>> infer(const OperandTypes& in, const Attributes& a) {
  HADAL_CHECK(check_operands("pool", in, 1, 1));
  HADAL_TRY(const Window win, window_of("pool", a.integers("kernel"), a));
  const Type& x = *in[0];
  const std::string kind = a.text("kind");
  if (kind != "max" && kind != "mean") return rule("pool.kind", "'{}' is no kind", printable(kind));
  if (!is_float(x.dtype) && (kind != "max" || x.dtype == DType::boolean))
    return rule("pool.dtype", "{} is not defined for {}", kind, name_of(x.dtype));
  if (x.shape.size() != win.kernel.size() + 2)
    return rule("pool.C1", "x has {} axes, the kernel {}", x.shape.size(), win.kernel.size());
  Integers extra = a.has("extra") ? a.integers("extra") : Integers(win.kernel.size(), 0);
  HADAL_CHECK(check_count("pool", "extra", extra, win.kernel.size()));
  Shape shape{x.shape[0], x.shape[1]};
  for (size_t i = 0; i < extra.size(); ++i) {
    if (extra[i] < 0 || extra[i] >= int64_t{1} << 31) return rule("pool.C2", "extra is 0 or more, found {}", extra[i]);
    HADAL_TRY(const int64_t extent, positions("pool", win, i, x.shape[2 + i], extra[i]));
    shape.push_back(extent);
  }
  if (checked_bytes(shape, 8) < 0) return rule("pool.C3", "the result is too large");
  return std::vector<Type>{{x.dtype, shape}};
}

/// What one window holds.
struct Cell {
  double greatest = -std::numeric_limits<double>::infinity(), sum = 0;
  int64_t inside = 0, padded = 0;  ///< Elements inside x, and inside x and its pads.
};

std::array<std::pair<int64_t, int64_t>, 3> padded_range(const std::array<Axis, 3>& axes, const Window& win) {
  std::array<std::pair<int64_t, int64_t>, 3> range;
  for (size_t i = 0; i < 3; ++i) {
    const size_t missing = 3 - win.end.size();
    range[i] = {-axes[i].pad, axes[i].in + (i < missing ? 0 : win.end[i - missing])};
  }
  return range;
}

template <class F>
Cell visit(const double* x, const std::array<Axis, 3>& axes, const std::array<std::pair<int64_t, int64_t>, 3>& padded,
           const std::array<int64_t, 3>& o, const F& add) {
  Cell cell;
  const auto counts = [&](size_t i, int64_t p) { return p >= padded[i].first && p < padded[i].second; };
  const auto inside = [&](size_t i, int64_t p) { return p >= 0 && p < axes[i].in; };
  for (int64_t kd = 0; kd < axes[0].kernel; ++kd)
    for (int64_t kh = 0; kh < axes[1].kernel; ++kh)
      for (int64_t kw = 0; kw < axes[2].kernel; ++kw) {
        const int64_t d = axes[0].at(o[0], kd), h = axes[1].at(o[1], kh), w = axes[2].at(o[2], kw);
        cell.padded += counts(0, d) && counts(1, h) && counts(2, w);
        if (!inside(0, d) || !inside(1, h) || !inside(2, w)) continue;
        const int64_t at = (d * axes[1].in + h) * axes[2].in + w;
        add(cell, x[at]);
        ++cell.inside;
      }
  return cell;
}

std::vector<Tensor> reference(const OperandTensors& in, const Attributes& a, const std::vector<Type>& results) {
  const Tensor& x = *in[0];
  const Window win = *window_of("pool", a.integers("kernel"), a);
  const auto axes = axes_of(win, x.shape, results[0].shape);
  const auto padded = padded_range(axes, win);
  const std::string kind = a.text("kind");
  const bool count_pad = a.integer("count_pad") != 0;
  const int64_t plane = axes[0].in * axes[1].in * axes[2].in, cells = axes[0].out * axes[1].out * axes[2].out;
  Output out(results[0]);
  std::vector<double> from(index(plane)), to(index(cells));
  for (int64_t c = 0; c < x.shape[0] * x.shape[1]; ++c) {
    read_row(x, c * plane, 1, plane, from.data());
    for (int64_t i = 0; i < cells; ++i) {
      const std::array<int64_t, 3> o{i / (axes[1].out * axes[2].out), i / axes[2].out % axes[1].out, i % axes[2].out};
      double& value = to[index(i)];
      if (kind == "max") {
        const Cell cell = visit(from.data(), axes, padded, o, [](Cell& seen, double v) {
          if (seen.inside == 0 || v > seen.greatest || v != v) seen.greatest = v;
        });
        value = cell.greatest;
      } else {
        const Cell cell = visit(from.data(), axes, padded, o, [](Cell& seen, double v) { seen.sum += v; });
        value = cell.sum / static_cast<double>(std::max<int64_t>(1, count_pad ? cell.padded : cell.inside));
      }
    }
    write_row(x.dtype, out.data, c * cells, cells, to.data());
  }
  return {out.tensor};
}

/// x with as much around it as its windows reach.
Term padded(const Term& x, const Window& win, const Shape& positions) {
  const size_t axes = win.kernel.size();
  const Integers pads = spread_attributes(win, x.shape(), positions, 1).integers("pads");
  Integers low(axes + 2, 0), high(axes + 2, 0);
  for (size_t i = 0; i < axes; ++i) low[2 + i] = pads[i], high[2 + i] = pads[axes + i];
  if (low == high && low == Integers(axes + 2, 0)) return x;
  return x.apply(pad, {{"low", low}, {"high", high}, {"value", -std::numeric_limits<double>::infinity()}});
}

/// [N, C, taps, o...]: the windows' elements, in row-major order. One slice a tap, or, where that would be many, one
/// gather of all.
Term windows_of(const Term& x, const Window& win, const Shape& positions) {
  constexpr int64_t few = 9;
  const size_t axes = win.kernel.size();
  const int64_t taps = extent_of(win.kernel, 0, axes);
  const Shape shape = x.shape();
  const Integers strides = strides_of(Shape(shape.begin() + 2, shape.end()));
  Shape one = positions, all = positions;
  one.insert(one.begin() + 2, 1);
  all.insert(all.begin() + 2, taps);
  std::vector<Term> slices;
  Integers places;
  for (int64_t tap = 0; tap < taps; ++tap) {
    Integers starts(axes + 2, 0), steps(axes + 2, 1);
    for (size_t i = axes, rest = index(tap); i-- > 0; rest /= index(win.kernel[i])) {
      starts[2 + i] = static_cast<int64_t>(rest) % win.kernel[i] * win.dilations[i];
      steps[2 + i] = positions[2 + i] == 1 ? 1 : win.strides[i];
    }
    if (taps <= few) {
      const Attributes part{{"starts", starts}, {"steps", steps}, {"sizes", positions}};
      slices.push_back(x.apply(slice, part).reshaped(one));
      continue;
    }
    for (Walk at(Shape(positions.begin() + 2, positions.end()), {});
         std::ssize(places) < (tap + 1) * extent_of(positions, 2, axes + 2); at.next()) {
      int64_t place = 0;
      for (size_t i = 0; i < axes; ++i) place += (starts[2 + i] + at.position()[i] * steps[2 + i]) * strides[i];
      places.push_back(place);
    }
  }
  if (taps <= few) return graph::joined(slices, 2);
  const Shape flat{shape[0], shape[1], extent_of(shape, 2, axes + 2)};
  return x.reshaped(flat).gathered(x.with(x.b().constant(places)), 2).reshaped(all);
}

/// [N, C * taps, o...]: of each channel, what its windows give to each of their elements, in row-major order. Of equal
/// elements, the first is the largest one.
Term largest_shares(Backward& n, const Window& win, const Term& g) {
  const Term x = windows_of(padded(n.in(0), win, g.shape()), win, g.shape());
  const int64_t taps = x.shape()[2];
  Shape apart = g.shape(), along(x.shape().size(), 1), joint = g.shape();
  apart.insert(apart.begin() + 2, 1);
  along[2] = taps;
  joint[1] *= taps;
  const Term numbers = graph::positions(n.b, taps).as(g.dtype()).reshaped(along);
  const Term number = where(equal(x, n.out().reshaped(apart)), numbers, numbers.number(static_cast<double>(taps)));
  const Term is_first = equal(number, number.reduced("min", {2}));
  return where(is_first, g.reshaped(apart), g.number(0)).reshaped(joint);
}

/// What a mean divides by, at each position: [1, 1, o...].
Tensor divisors(const Window& win, const Shape& x, const Shape& y, bool count_pad) {
  const auto axes = axes_of(win, x, y);
  const auto padded = padded_range(axes, win);
  const std::vector<double> plane(index(axes[0].in * axes[1].in * axes[2].in));
  std::vector<double> counts;
  for (int64_t i = 0; i < axes[0].out * axes[1].out * axes[2].out; ++i) {
    const std::array<int64_t, 3> o{i / (axes[1].out * axes[2].out), i / axes[2].out % axes[1].out, i % axes[2].out};
    const Cell cell = visit(plane.data(), axes, padded, o, [](Cell&, double) {});
    counts.push_back(static_cast<double>(std::max<int64_t>(1, count_pad ? cell.padded : cell.inside)));
  }
  Shape shape{1, 1};
  shape.insert(shape.end(), y.begin() + 2, y.end());
  return Tensor::of(DType::f64, shape, counts);
}

/// Whether the windows are side by side and cover every element once.
bool tiles_exactly(const Window& win, const Shape& x, const Shape& y) {
  for (size_t i = 0; i < win.kernel.size(); ++i)
    if (win.begin[i] != 0 || win.dilations[i] != 1 || win.strides[i] != win.kernel[i] ||
        y[2 + i] * win.kernel[i] != x[2 + i])
      return false;
  return true;
}

/// Shares [N, C * taps, o...] (or, where all taps get the same, [N, C, o...]) at the elements that they are of. Windows
/// side by side only stand in another order; else each tap's are spread by a filter that is 1 there.
Term spread_shares(const Term& shares, const Window& win, const Shape& x) {
  const int64_t taps = extent_of(win.kernel, 0, win.kernel.size()), each = shares.shape()[1] / x[1];
  const Shape y = shares.shape();
  if (tiles_exactly(win, x, y)) {
    Shape apart{x[0], x[1]}, whole{x[0], x[1]};
    for (const int64_t k : win.kernel) apart.push_back(each == 1 ? 1 : k), whole.push_back(k);
    apart.insert(apart.end(), y.begin() + 2, y.end());
    whole.insert(whole.end(), y.begin() + 2, y.end());
    Integers order{0, 1};
    const auto axes = std::ssize(win.kernel);
    for (int64_t i = 0; i < axes; ++i) order.insert(order.end(), {2 + axes + i, 2 + i});
    return shares.reshaped(apart).broadcast(whole).transposed(order).reshaped(x);
  }
  std::vector<double> filter(index(x[1] * each * taps), 1);
  if (each > 1)
    for (size_t i = 0; i < filter.size(); ++i) filter[i] = i / index(taps) % index(taps) == i % index(taps) ? 1 : 0;
  Shape shape{x[1] * each, 1};
  shape.insert(shape.end(), win.kernel.begin(), win.kernel.end());
  const Tensor taps_apart = hadal::cast(Tensor::of(DType::f64, shape, filter), shares.dtype());
  return shares.apply(conv_transpose, shares.with(shares.b().constant(taps_apart)), spread_attributes(win, x, y, x[1]));
}

void gradient(Backward& n) {
  const Attributes& a = n.node.attributes;
  const Window win = *window_of("pool", a.integers("kernel"), a);
  const Shape x = n.in(0).shape();
  const Term g = n.upstream();
  if (a.text("kind") == "max") return n.give(0, spread_shares(largest_shares(n, win, g), win, x));
  const Tensor counts = hadal::cast(divisors(win, x, g.shape(), a.integer("count_pad") != 0), g.dtype());
  n.give(0, spread_shares(g / g.with(n.b.constant(counts)), win, x));
}

}  // namespace

const Op pool{"pool",
              "Largest or mean of each window.",
              {"kind", "kernel", "strides", "pads", "dilations", "extra", "count_pad"},
              infer,
              reference,
              gradient};

}  // namespace hadal::graph::ops

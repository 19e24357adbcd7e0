#include <limits>

#include "graph/ops.h"
#include "graph/ops/window.h"

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

}  // namespace

const Op pool{"pool",
              "Largest or mean of each window.",
              {"kind", "kernel", "strides", "pads", "dilations", "extra", "count_pad"},
              infer,
              reference};

}  // namespace hadal::graph::ops

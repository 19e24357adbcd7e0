#include "graph/backward.h"
#include "graph/ops.h"
#include "graph/ops/filter_gradient.h"

namespace hadal::graph::ops {

namespace {

Result<Window> window(const OperandTypes& in, const Attributes& a) {
  const Shape& w = in[1]->shape;
  return window_of("conv_transpose", Integers(w.begin() + std::min<int64_t>(2, rank_of(w)), w.end()), a);
}

Result<std::vector<Type>> infer(const OperandTypes& in, const Attributes& a) {
  HADAL_CHECK(check_operands("conv_transpose", in, 2, 3));
  const Type &x = *in[0], &w = *in[1];
  HADAL_TRY(const Window win, window(in, a));
  const int64_t groups = a.integer("groups", 1);
  if (x.dtype != w.dtype || !is_float(x.dtype))
    return rule("conv_transpose.dtype", "operands are of one float type, found {} and {}", name_of(x.dtype),
                name_of(w.dtype));
  if (x.shape.size() != w.shape.size())
    return rule("conv_transpose.C1", "x has {} axes, w has {}", x.shape.size(), w.shape.size());
  if (groups < 1 || x.shape[1] != w.shape[0] || x.shape[1] % groups != 0)
    return rule("conv_transpose.C2", "{} channels, w of {} channels, {} groups", x.shape[1], w.shape[0], groups);
  const int64_t filters = w.shape[1] * groups;
  if (in.size() > 2 && in[2] && *in[2] != Type{x.dtype, {filters}})
    return rule("conv_transpose.C3", "the bias is {}, expected {}", hadal::text_of(in[2]->shape), filters);
  Integers more = a.integers("output_padding");
  if (more.empty()) more.assign(win.kernel.size(), 0);
  HADAL_CHECK(check_count("conv_transpose", "output_padding", more, win.kernel.size()));
  Shape shape{x.shape[0], filters};
  for (size_t i = 0; i < more.size(); ++i) {
    const int64_t reach = (win.kernel[i] - 1) * win.dilations[i] + 1;
    if (more[i] < 0 || more[i] >= int64_t{1} << 31)
      return rule("conv_transpose.C4", "output_padding is 0 or more, found {}", more[i]);
    const int64_t extent = (x.shape[2 + i] - 1) * win.strides[i] + reach - win.begin[i] - win.end[i] + more[i];
    if (extent < 1) return rule("conv_transpose.C5", "spatial axis {}: the pads leave an extent of {}", i, extent);
    shape.push_back(extent);
  }
  if (checked_bytes(shape, bytes_of(x.dtype)) < 0) return rule("conv_transpose.C6", "the result is too large");
  return std::vector<Type>{{x.dtype, shape}};
}

/// Spreads operand channel x over `sums`: the convolution that would read `sums` and write x, backwards.
template <class T>
void spread_channel(const T* x, const T* w, const std::array<Axis, 3>& axes, double* sums) {
  const auto& [depth, height, width] = axes;  // `in` is the result's extent, `out` the operand's
  for (int64_t kd = 0; kd < depth.kernel; ++kd)
    for (int64_t kh = 0; kh < height.kernel; ++kh)
      for (int64_t kw = 0; kw < width.kernel; ++kw) {
        const auto factor = static_cast<double>(w[(kd * height.kernel + kh) * width.kernel + kw]);
        for (int64_t d = depth.first(kd); d < depth.last(kd); ++d)
          for (int64_t h = height.first(kh); h < height.last(kh); ++h) {
            double* const to = sums + (depth.at(d, kd) * height.in + height.at(h, kh)) * width.in;
            const T* const from = x + (d * height.out + h) * width.out;
            for (int64_t i = width.first(kw); i < width.last(kw); ++i)
              to[width.at(i, kw)] += factor * static_cast<double>(from[i]);
          }
      }
}

template <class T>
Tensor convolve(const Tensor& x, const Tensor& w, const Tensor* bias, const std::array<Axis, 3>& axes, int64_t groups,
                const Type& result) {
  Output out(result);
  const int64_t channels = x.shape[1] / groups, filters = w.shape[1];
  const int64_t kernel = axes[0].kernel * axes[1].kernel * axes[2].kernel;
  const int64_t plane = axes[0].in * axes[1].in * axes[2].in, source = axes[0].out * axes[1].out * axes[2].out;
  std::vector<double> sums(index(plane));
  for (int64_t n = 0; n < x.shape[0]; ++n)
    for (int64_t o = 0; o < filters * groups; ++o) {
      std::fill(sums.begin(), sums.end(), bias ? number_at(*bias, o) : 0);
      for (int64_t c = o / filters * channels; c < (o / filters + 1) * channels; ++c)
        spread_channel(x.as<T>().data() + (n * x.shape[1] + c) * source,
                       w.as<T>().data() + (c * filters + o % filters) * kernel, axes, sums.data());
      write_row(result.dtype, out.data, (n * filters * groups + o) * plane, plane, sums.data());
    }
  return out.tensor;
}

std::vector<Tensor> reference(const OperandTensors& in, const Attributes& a, const std::vector<Type>& results) {
  const Type x{in[0]->dtype, in[0]->shape}, w{in[1]->dtype, in[1]->shape};
  const auto axes = axes_of(*window({&x, &w}, a), results[0].shape, x.shape);
  const int64_t groups = a.integer("groups", 1);
  const Tensor* const bias = in.size() > 2 ? in[2] : nullptr;
  if (x.dtype == DType::f64) return {convolve<double>(*in[0], *in[1], bias, axes, groups, results[0])};
  return {convolve<float>(as_wide_float(*in[0]), as_wide_float(*in[1]), bias, axes, groups, results[0])};
}

/// Of the convolution that this transposes, the operand is the result: its own gradients, with the roles changed.
void gradient(Backward& n) {
  const Type x = n.b.type(n.in(0).id), w = n.b.type(n.in(1).id);
  const Window win = *window({&x, &w}, n.node.attributes);
  const int64_t groups = n.node.attributes.integer("groups", 1);
  const Term g = n.upstream();
  if (n.wants(0)) {
    const Attributes spread = spread_attributes(win, g.shape(), x.shape, groups);
    Term image = g;  // What output_padding added beyond the reach of every window is not read.
    const Integers unread = spread.integers("output_padding");
    for (size_t i = 0; i < unread.size(); ++i)
      image = image.slice(static_cast<int64_t>(2 + i), 0, g.shape()[2 + i] - unread[i]);
    n.give(0, image.apply(conv, n.in(1),
                          {{"strides", win.strides},
                           {"dilations", win.dilations},
                           {"pads", spread.integers("pads")},
                           {"groups", groups}}));
  }
  if (n.wants(1)) n.give(1, filter_gradient(g, n.in(0), win, groups));
  if (n.wants(2)) n.give(2, sum_of_channels(g));
}

}  // namespace

const Op conv_transpose{"conv_transpose",
                        "The transpose of a convolution: each element of x spreads a filter.",
                        {"strides", "pads", "dilations", "output_padding", "groups"},
                        infer,
                        reference,
                        gradient};

}  // namespace hadal::graph::ops

#include "graph/backward.h"
#include "graph/ops.h"
#include "graph/ops/filter_gradient.h"

namespace hadal::graph::ops {

namespace {

bool is_byte(DType t) { return t == DType::i8 || t == DType::u8; }

Result<Window> window(const OperandTypes& in, const Attributes& a) {
  const Shape& w = in[1]->shape;
  return window_of("conv", Integers(w.begin() + std::min<int64_t>(2, rank_of(w)), w.end()), a);
}

Result<std::vector<Type>> infer(const OperandTypes& in, const Attributes& a) {
  HADAL_CHECK(check_operands("conv", in, 2, 3));
  const Type &x = *in[0], &w = *in[1];
  HADAL_TRY(const Window win, window(in, a));
  const int64_t groups = a.integer("groups", 1);
  if (x.dtype != w.dtype && !(is_byte(x.dtype) && is_byte(w.dtype)))
    return rule("conv.dtype", "operands are of one type, found {} and {}", name_of(x.dtype), name_of(w.dtype));
  if (!is_float(x.dtype) && !is_byte(x.dtype))
    return rule("conv.dtype", "conv is not defined for {}", name_of(x.dtype));
  if (x.shape.size() != w.shape.size())
    return rule("conv.C1", "x has {} axes, w has {}", x.shape.size(), w.shape.size());
  if (groups < 1 || w.shape[0] % groups != 0 || x.shape[1] % groups != 0 || x.shape[1] / groups != w.shape[1])
    return rule("conv.C2", "{} channels and {} filters of {} channels in {} groups", x.shape[1], w.shape[0], w.shape[1],
                groups);
  const DType dtype = is_byte(x.dtype) ? DType::i32 : x.dtype;
  if (in.size() > 2 && in[2] && *in[2] != Type{dtype, {w.shape[0]}})
    return rule("conv.C3", "the bias is {}[{}], expected {}[{}]", name_of(in[2]->dtype), hadal::text_of(in[2]->shape),
                name_of(dtype), w.shape[0]);
  Shape shape{x.shape[0], w.shape[0]};
  for (size_t i = 0; i < win.kernel.size(); ++i) {
    HADAL_TRY(const int64_t extent, positions("conv", win, i, x.shape[2 + i]));
    shape.push_back(extent);
  }
  if (checked_bytes(shape, bytes_of(dtype)) < 0) return rule("conv.C4", "the result is too large");
  return std::vector<Type>{{dtype, shape}};
}

/// Adds what one filter channel [kd,kh,kw] over one operand channel gives to row (od, oh) of the result.
template <class T, class Sum>
void add_channel(const T* x, const T* w, const std::array<Axis, 3>& axes, int64_t od, int64_t oh, Sum* sums) {
  const auto& [depth, height, width] = axes;
  for (int64_t kd = 0; kd < depth.kernel; ++kd) {
    const int64_t id = depth.at(od, kd);
    if (id < 0 || id >= depth.in) continue;
    for (int64_t kh = 0; kh < height.kernel; ++kh) {
      const int64_t ih = height.at(oh, kh);
      if (ih < 0 || ih >= height.in) continue;
      const T* const row = x + (id * height.in + ih) * width.in;
      for (int64_t kw = 0; kw < width.kernel; ++kw) {
        const auto factor = static_cast<Sum>(w[(kd * height.kernel + kh) * width.kernel + kw]);
        const int64_t first = width.first(kw), last = width.last(kw);
        const T* const from = row + (kw * width.dilation - width.pad);
        if (width.stride == 1) {
          for (int64_t o = first; o < last; ++o) sums[o] += factor * static_cast<Sum>(from[o]);
        } else {
          for (int64_t o = first; o < last; ++o) sums[o] += factor * static_cast<Sum>(from[o * width.stride]);
        }
      }
    }
  }
}

/// Whether the axis maps each element to itself.
bool is_plain(const Axis& axis) { return axis.kernel == 1 && axis.stride == 1 && axis.pad == 0 && axis.in == axis.out; }

/// The innermost loop is a row: a plain axis joins the one before it, and axes of extent 1 are not the last.
void lengthen_rows(std::array<Axis, 3>& axes) {
  for (int i = 0; i < 2; ++i) {
    if (is_plain(axes[1]) && is_plain(axes[2])) {
      axes[2].in = axes[2].out = axes[1].in * axes[2].in;
    } else if (!is_plain(axes[2]) || axes[2].in != 1) {
      return;
    } else {
      axes[2] = axes[1];
    }
    axes[1] = axes[0];
    axes[0] = Axis{};
  }
}

template <class T, class Sum>
Tensor convolve(const Tensor& x, const Tensor& w, const Tensor* bias, std::array<Axis, 3> axes, int64_t groups,
                const Type& result) {
  Output out(result);
  lengthen_rows(axes);
  const int64_t filters = w.shape[0], channels = w.shape[1];
  const int64_t plane = axes[0].in * axes[1].in * axes[2].in, kernel = axes[0].kernel * axes[1].kernel * axes[2].kernel;
  const int64_t rows = axes[0].out * axes[1].out, length = axes[2].out;
  std::vector<Sum> sums(index(length));
  for (int64_t n = 0; n < x.shape[0]; ++n)
    for (int64_t o = 0; o < filters; ++o) {
      const T* const from = x.as<T>().data() + (n * x.shape[1] + o / (filters / groups) * channels) * plane;
      const T* const filter = w.as<T>().data() + o * channels * kernel;
      const Sum start = bias ? static_cast<Sum>(number_at(*bias, o)) : Sum{0};
      for (int64_t row = 0; row < rows; ++row) {
        std::fill(sums.begin(), sums.end(), start);
        for (int64_t c = 0; c < channels; ++c)
          add_channel<T, Sum>(from + c * plane, filter + c * kernel, axes, row / axes[1].out, row % axes[1].out,
                              sums.data());
        const int64_t at = ((n * filters + o) * rows + row) * length;
        if constexpr (std::is_same_v<Sum, double>) {
          write_row(result.dtype, out.data, at, length, sums.data());
        } else {
          for (int64_t i = 0; i < length; ++i)
            out.template as<int32_t>()[at + i] = static_cast<int32_t>(sums[index(i)]);
        }
      }
    }
  return out.tensor;
}

/// x with what lies outside around it.
Tensor surrounded(const Tensor& x, const Integers& pads, double outside) {
  Integers low{0, 0}, high{0, 0};
  const auto half = std::ssize(pads) / 2;
  low.insert(low.end(), pads.begin(), pads.begin() + half);
  high.insert(high.end(), pads.begin() + half, pads.end());
  const Attributes a{{"low", low}, {"high", high}, {"mode", "constant"}, {"value", outside}};
  const Type type{x.dtype, x.shape};
  return pad.reference({&x}, a, *pad.infer({&type}, a))[0];
}

std::vector<Tensor> reference(const OperandTensors& in, const Attributes& a, const std::vector<Type>& results) {
  if (const double outside = a.number("outside"); outside != 0) {
    Attributes inside = a;
    inside.set("pads", Integers(a.integers("pads").size(), 0));
    inside.set("outside", 0.0);
    OperandTensors operands = in;
    const Tensor x = surrounded(*in[0], a.integers("pads"), outside);
    operands[0] = &x;
    return reference(operands, inside, results);
  }
  const Type x{in[0]->dtype, in[0]->shape}, w{in[1]->dtype, in[1]->shape};
  const auto axes = axes_of(*window({&x, &w}, a), x.shape, results[0].shape);
  const int64_t groups = a.integer("groups", 1);
  const Tensor* const bias = in.size() > 2 ? in[2] : nullptr;
  if (!is_float(x.dtype))
    return {convolve<int64_t, int64_t>(hadal::cast(*in[0], DType::i64), hadal::cast(*in[1], DType::i64), bias, axes,
                                       groups, results[0])};
  if (x.dtype == DType::f64) return {convolve<double, double>(*in[0], *in[1], bias, axes, groups, results[0])};
  return {convolve<float, double>(as_wide_float(*in[0]), as_wide_float(*in[1]), bias, axes, groups, results[0])};
}

void gradient(Backward& n) {
  const Type x = n.b.type(n.in(0).id), w = n.b.type(n.in(1).id);
  const Window win = *window({&x, &w}, n.node.attributes);
  const int64_t groups = n.node.attributes.integer("groups", 1);
  const Term g = n.upstream();
  if (n.wants(0)) n.give(0, g.apply(conv_transpose, n.in(1), spread_attributes(win, x.shape, g.shape(), groups)));
  if (n.wants(1)) n.give(1, filter_gradient(n.in(0), g, win, groups));
  if (n.wants(2)) n.give(2, sum_of_channels(g));
}

}  // namespace

const Op conv{"conv",
              "Convolution (cross-correlation) over 1 to 3 spatial axes, in groups.",
              {"strides", "pads", "dilations", "groups", "outside"},
              infer,
              reference,
              gradient};

}  // namespace hadal::graph::ops

// Ops that scale a row by what is in it: softmax and normalize.
#include "graph/backward.h"
#include "graph/ops.h"
#include "graph/ops/support.h"

namespace hadal::graph::ops {

namespace {

Status check_float(std::string_view op, const Type& x) {
  if (is_float(x.dtype)) return {};
  return rule(fmt::format("{}.dtype", op), "{} is not defined for {}", op, name_of(x.dtype));
}

/// f(row, n) on each row over `axes`; the result is in `dtype`.
template <class F>
Tensor map_rows(const Tensor& operand, const Integers& axes, DType dtype, const F& f) {
  const Integers order = axes_last(axes, operand.shape.size());
  const Tensor x = transposed(operand, order);
  const int64_t n = extent_of(x.shape, x.shape.size() - axes.size(), x.shape.size());
  Output out(dtype, x.shape);
  std::vector<double> row(index(n));
  for (int64_t start = 0; start < x.size(); start += n) {
    read_row(x, start, 1, n, row.data());
    f(row);
    write_row(dtype, out.data, start, n, row.data());
  }
  return transposed(out.tensor, inverse(order));
}

Result<std::vector<Type>> infer_softmax(const OperandTypes& in, const Attributes& a) {
  HADAL_CHECK(check_operands("softmax", in, 1, 1));
  HADAL_CHECK(check_axis("softmax", a.integer("axis"), in[0]->shape.size()));
  HADAL_CHECK(check_float("softmax", *in[0]));
  return std::vector<Type>{*in[0]};
}

std::vector<Tensor> reference_softmax(const OperandTensors& in, const Attributes& a, const std::vector<Type>& results) {
  const bool logarithm = a.integer("log") != 0;
  return {map_rows(*in[0], {a.integer("axis")}, results[0].dtype, [&](std::vector<double>& row) {
    const double top = *std::max_element(row.begin(), row.end());
    double sum = 0;
    for (const double v : row) sum += std::exp(v - top);
    const double log_sum = std::log(sum);
    for (double& v : row) v = logarithm ? v - top - log_sum : std::exp(v - top) / sum;
  })};
}

Result<std::vector<Type>> infer_normalize(const OperandTypes& in, const Attributes& a) {
  HADAL_CHECK(check_operands("normalize", in, 1, 3));
  HADAL_CHECK(check_axes("normalize", a.integers("axes"), in[0]->shape.size()));
  HADAL_CHECK(check_float("normalize", *in[0]));
  const std::string kind = a.text("kind", "layer");
  if (kind != "layer" && kind != "rms") return rule("normalize.kind", "'{}' is neither layer nor rms", printable(kind));
  for (size_t i = 1; i < in.size(); ++i) {
    if (!in[i]) continue;
    if (in[i]->dtype != in[0]->dtype)
      return rule("normalize.C1", "scale and bias are of x's type, found {} and {}", name_of(in[0]->dtype),
                  name_of(in[i]->dtype));
    HADAL_TRY(const Shape shape, broadcast_shapes("normalize.C2", in[0]->shape, in[i]->shape));
    if (shape != in[0]->shape)
      return rule("normalize.C2", "{} does not broadcast to {}", hadal::text_of(in[i]->shape),
                  hadal::text_of(in[0]->shape));
  }
  return std::vector<Type>{*in[0]};
}

std::vector<Tensor> reference_normalize(const OperandTensors& in, const Attributes& a,
                                        const std::vector<Type>& results) {
  const bool layer = a.text("kind", "layer") == "layer";
  const double epsilon = a.number("epsilon", 1e-5);
  const DType wide = results[0].dtype == DType::f64 ? DType::f64 : DType::f32;
  Tensor y = map_rows(*in[0], a.integers("axes"), wide, [&](std::vector<double>& row) {
    const auto n = static_cast<double>(row.size());
    double mean = 0, variance = 0;
    if (layer)
      for (const double v : row) mean += v / n;
    for (const double v : row) variance += (v - mean) * (v - mean) / n;
    for (double& v : row) v = (v - mean) / std::sqrt(variance + epsilon);
  });
  const std::vector<Type> types{{wide, y.shape}};
  for (size_t i = 1; i < in.size(); ++i) {
    if (!in[i]) continue;
    const Tensor operand = hadal::cast(*in[i], wide);
    y = (i == 1 ? mul : add).reference({&y, &operand}, {}, types)[0];
  }
  return {hadal::cast(y, results[0].dtype)};
}

void gradient_softmax(Backward& n) {
  const Integers axes{n.node.attributes.integer("axis")};
  const Term g = n.upstream(), y = n.out();
  if (n.node.attributes.integer("log"))
    n.give(0, g - exp(y) * g.reduced("sum", axes));
  else
    n.give(0, y * (g - (g * y).reduced("sum", axes)));
}

/// With u = (x - mean) r and r = 1 / sqrt(variance + epsilon): dx = r (du - mean(du) - u mean(du u)); rms: without
/// mean(du). (Ba, Kiros, Hinton: Layer Normalization, 2016.)
void gradient_normalize(Backward& n) {
  const Integers axes = n.node.attributes.integers("axes");
  const bool layer = n.node.attributes.text("kind", "layer") == "layer";
  const Term x = n.in(0), g = n.upstream();
  n.give(2, g);
  if (!n.wants(0) && !n.wants(1)) return;
  const Term centred = layer ? x - x.reduced("mean", axes) : x;
  const Term r = rsqrt((centred * centred).reduced("mean", axes) + n.node.attributes.number("epsilon", 1e-5));
  const Term u = centred * r;
  if (n.wants(1)) n.give(1, g * u);
  if (!n.wants(0)) return;
  const Term du = n.has(1) ? g * n.in(1) : g;
  const Term slope = layer ? du - du.reduced("mean", axes) : du;
  n.give(0, r * (slope - u * (du * u).reduced("mean", axes)));
}

}  // namespace

const Op softmax{"softmax",         "exp(x - max) / sum(exp(x - max)) along one axis, or its logarithm.",
                 {"axis", "log"},   infer_softmax,
                 reference_softmax, gradient_softmax};
const Op normalize{"normalize",
                   "(x - mean) / sqrt(variance + epsilon) * scale + bias; rms: without the mean.",
                   {"axes", "epsilon", "kind"},
                   infer_normalize,
                   reference_normalize,
                   gradient_normalize};

}  // namespace hadal::graph::ops

#include "compile/precision.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <vector>

#include "graph/ops.h"
#include "graph/ops/scalar.h"

namespace hadal::compile {

namespace {

namespace ops = graph::ops;

/// Values that must stay floats where others become integers: exponentials and statistics are of floats, a view has its
/// operand's type, and a product both of its operands'.
std::set<graph::ValueId> wide_values(const graph::Graph& graph) {
  std::set<graph::ValueId> wide;
  for (bool grown = true; grown;) {
    const size_t before = wide.size();
    for (const graph::Node& node : graph.nodes) {
      if (graph::scalar_function(*node.op) || node.op == &ops::cast) continue;
      std::vector<graph::ValueId> same = node.inputs;
      const bool product = node.op == &ops::conv || node.op == &ops::matmul || node.op == &ops::conv_transpose;
      if (!product) same.insert(same.end(), node.outputs.begin(), node.outputs.end());
      std::erase(same, graph::absent);
      if (node.op == &ops::softmax || node.op == &ops::normalize ||
          std::any_of(same.begin(), same.end(), [&](graph::ValueId v) { return wide.contains(v); }))
        wide.insert(same.begin(), same.end());
    }
    grown = wide.size() > before;
  }
  return wide;
}

/// Constants that sums of integers meet once they are floats: shifts and factors, which are exact in f32.
std::set<graph::ValueId> exact_constants(const graph::Graph& graph) {
  std::set<graph::ValueId> sums, exact;
  for (const graph::Node& node : graph.nodes) {
    const bool converts = node.op == &ops::cast && graph.type(node.inputs[0]).dtype == DType::i32;
    const bool continues = (node.op == &ops::add || node.op == &ops::mul) &&
                           (sums.contains(node.inputs[0]) || sums.contains(node.inputs[1]));
    if (converts || (continues && node.op == &ops::add)) sums.insert(node.outputs[0]);
    for (const graph::ValueId v : node.inputs)
      if (continues && graph.is_constant(v)) exact.insert(v);
  }
  return exact;
}

/// The largest finite number of a type that has infinities.
float largest_of(DType type) {
  if (type == DType::f16) return from_f16(0x7bff);
  if (type == DType::bf16) return from_bf16(0x7f7f);
  if (type == DType::f8e5m2) return from_f8e5m2(0x7b);
  return std::numeric_limits<float>::infinity();
}

/// A constant in a narrower type, in which what is finite stays so: masks are made of the lowest f32, and of 0 times
/// it.
Tensor narrowed(const Tensor& tensor, DType precision) {
  const float most = largest_of(precision);
  const Tensor wide = cast(tensor, DType::f32);
  const auto passes = [&](float x) { return std::isfinite(x) && std::abs(x) > most; };
  if (std::ranges::none_of(wide.as<float>(), passes)) return cast(tensor, precision);
  std::byte* data = nullptr;
  const Tensor held = Tensor::zeros(DType::f32, tensor.shape, data);
  std::ranges::transform(wide.as<float>(), reinterpret_cast<float*>(data),
                         [&](float x) { return passes(x) ? std::copysign(most, x) : x; });
  return cast(held, precision);
}

}  // namespace

Status set_precision(graph::Graph& graph, DType precision, bool values) {
  if (!is_float(precision) && values)
    return Error{
        "precision.type",
        fmt::format("floats of a model can be stored as {} only where no values are computed", name_of(precision)), "",
        "give --calibrate NAME=FILE.npy to quantise by samples, --no-values for the time alone, or a float type: f32, "
        "bf16, f16"};
  for (const graph::Node& node : graph.nodes)
    if (node.op == &ops::bitcast)
      return Error{"precision.type", fmt::format("'{}' reads the bits of a float", printable(node.origins.front())), "",
                   "leave --precision out: the model fixes the types"};
  const std::set<graph::ValueId> wide = is_float(precision) ? std::set<graph::ValueId>{} : wide_values(graph);
  const std::set<graph::ValueId> exact = exact_constants(graph);
  for (size_t v = 0; v < graph.values.size(); ++v) {
    graph::Value& value = graph.values[v];
    if (exact.contains(static_cast<graph::ValueId>(v))) continue;
    if (!is_float(value.type.dtype) || value.type.dtype == DType::f64 || value.type.dtype == precision) continue;
    if (wide.contains(static_cast<graph::ValueId>(v))) continue;
    value.type.dtype = precision;
    if (!value.constant) continue;
    if (value.constant->bytes.view.empty())
      value.constant->dtype = precision;
    else
      value.constant = narrowed(*value.constant, precision);
  }
  for (graph::Node& node : graph.nodes)
    if (node.op == &ops::cast && is_float(graph.type(node.outputs[0]).dtype))
      node.attributes.set("to", std::string(name_of(graph.type(node.outputs[0]).dtype)));
  return {};
}

}  // namespace hadal::compile

// What quantize and dequantize are made of, spelled once: for the reference, the importer and the compiler.
#pragma once

#include <functional>

#include "graph/ops.h"

namespace hadal::graph {

/// Makes the result of an op on operands of type V: a tensor, or a value of a graph.
template <class V>
using Make = std::function<Result<V>(const Op& op, std::vector<V> operands, Attributes attributes)>;

/// (x - zero) * scale in the scale's type `wide`; a `zero` of null is 0. Source: ONNX, DequantizeLinear.
template <class V>
Result<V> spell_dequantize(const Make<V>& make, V x, const V& scale, const V* zero, DType wide) {
  const Attributes to{{"to", std::string(name_of(wide))}};
  HADAL_TRY(x, make(ops::cast, {x}, to));
  if (zero) {
    HADAL_TRY(const V shift, make(ops::cast, {*zero}, to));
    HADAL_TRY(x, make(ops::sub, {x, shift}, {}));
  }
  return make(ops::mul, {x, scale}, {});
}

/// round(x / scale) + zero as the integer `to`, ties to even, saturated. Source: ONNX, QuantizeLinear.
template <class V>
Result<V> spell_quantize(const Make<V>& make, V x, const V& scale, const V* zero, DType wide, DType to) {
  HADAL_TRY(x, make(ops::div, {x, scale}, {}));
  HADAL_TRY(x, make(ops::round, {x}, {}));
  if (zero) {
    HADAL_TRY(const V shift, make(ops::cast, {*zero}, {{"to", std::string(name_of(wide))}}));
    HADAL_TRY(x, make(ops::add, {x, shift}, {}));
  }
  HADAL_TRY(x, make(ops::clip, {x},
                    {{"alpha", static_cast<double>(least_of(to))}, {"beta", static_cast<double>(most_of(to))}}));
  return make(ops::cast, {x}, {{"to", std::string(name_of(to))}});
}

}  // namespace hadal::graph

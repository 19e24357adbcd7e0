#include "compile/precision.h"

#include "graph/ops.h"

namespace hadal::compile {

Status set_precision(graph::Graph& graph, DType precision) {
  if (!is_float(precision))
    return Error{"precision.type",
                 fmt::format("{} is no float type; floats can be stored as f32, bf16 or f16", name_of(precision))};
  for (graph::Value& value : graph.values) {
    if (!is_float(value.type.dtype) || value.type.dtype == DType::f64 || value.type.dtype == precision) continue;
    value.type.dtype = precision;
    if (!value.constant) continue;
    if (value.constant->bytes.view.empty())
      value.constant->dtype = precision;
    else
      value.constant = cast(*value.constant, precision);
  }
  for (graph::Node& node : graph.nodes)
    if (node.op == &graph::ops::cast && is_float(graph.type(node.outputs[0]).dtype))
      node.attributes.set("to", std::string(name_of(graph.type(node.outputs[0]).dtype)));
  return {};
}

}  // namespace hadal::compile

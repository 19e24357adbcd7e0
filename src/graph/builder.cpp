#include "graph/builder.h"

#include <algorithm>
#include <cstring>

#include "graph/ops.h"

namespace hadal::graph {

Tensor filled(DType dtype, Shape shape, double value) {
  std::byte* data = nullptr;
  Tensor out = Tensor::zeros(dtype, std::move(shape), data);
  const auto width = static_cast<size_t>(bytes_of(dtype));
  std::byte element[8] = {};
  store_number(dtype, element, value);
  if (std::all_of(element, element + width, [](std::byte b) { return b == std::byte{0}; })) return out;
  for (size_t i = 0; i < out.bytes.view.size(); i += width) std::memcpy(data + i, element, width);
  return out;
}

Values Builder::add(const Op& op, const Values& inputs, Attributes attributes) {
  auto made = graph.add(op, inputs, std::move(attributes), {origin_});
  if (!made) throw Failure{std::move(made).error()};
  return std::move(made).value();
}

ValueId Builder::constant(Tensor tensor) {
  return graph.add_constant(fmt::format("{}#{}", origin_, graph.values.size()), std::move(tensor));
}

ValueId Builder::constant(const Integers& values) {
  return constant(Tensor::of(DType::i64, {static_cast<int64_t>(values.size())}, values));
}

ValueId Builder::scalar(DType dtype, double value) { return constant(filled(dtype, {}, value)); }

const Tensor* Builder::known(ValueId v) const {
  return graph.is_constant(v) && has_data(*graph.value(v).constant) ? &*graph.value(v).constant : nullptr;
}

ValueId Builder::reshape(ValueId x, Shape to) {
  if (shape(x) == to) return x;
  return make(ops::reshape, {x}, {{"shape", std::move(to)}});
}

ValueId Builder::transpose(ValueId x, Integers order) {
  if (std::is_sorted(order.begin(), order.end()) && order.size() == shape(x).size()) return x;
  return make(ops::transpose, {x}, {{"order", std::move(order)}});
}

ValueId Builder::broadcast(ValueId x, Shape to) {
  if (shape(x) == to) return x;
  return make(ops::broadcast, {x}, {{"shape", std::move(to)}});
}

ValueId Builder::cast(ValueId x, DType to) {
  if (dtype(x) == to) return x;
  return make(ops::cast, {x}, {{"to", std::string(name_of(to))}});
}

ValueId Builder::slice(ValueId x, int64_t axis, int64_t start, int64_t size) {
  const auto at = static_cast<size_t>(axis);
  if (start == 0 && size == shape(x)[at]) return x;
  Integers starts(shape(x).size(), 0), steps(shape(x).size(), 1), sizes = shape(x);
  starts[at] = start;
  sizes[at] = size;
  return make(ops::slice, {x}, {{"starts", starts}, {"steps", steps}, {"sizes", sizes}});
}

ValueId Builder::reduce(ValueId x, std::string kind, Integers axes, bool keep) {
  return make(ops::reduce, {x}, {{"kind", std::move(kind)}, {"axes", std::move(axes)}, {"keep", int64_t{keep}}});
}

}  // namespace hadal::graph

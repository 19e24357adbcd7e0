// A node that a kernel of the caller's computes.
#include <algorithm>

#include "graph/ops/kernel.h"
#include "onnx/importer.h"

namespace hadal::onnx {

namespace {

using Kind = ModelAttribute::Kind;

/// Those that are numbers, texts and lists of numbers.
Attributes attributes_of(const ModelNode& node) {
  Attributes out;
  for (const auto& [name, value] : node.attributes) {
    if (value.kind == Kind::integer) out.set(name, value.integer);
    if (value.kind == Kind::number) out.set(name, value.number);
    if (value.kind == Kind::text) out.set(name, value.text);
    if (value.kind == Kind::integers) out.set(name, value.integers);
    if (value.kind == Kind::numbers) out.set(name, value.numbers);
  }
  return out;
}

void check_elements(const Shape& found, const Shape& wanted) {
  if (elements(found) != elements(wanted))
    fail("kernel.shape", "[{}] does not have the elements of [{}]", text_of(wanted), text_of(found));
}

}  // namespace

std::optional<Values> import_kernel(Builder& b, const ModelNode& node, const Values& inputs, const KernelTable& table) {
  const std::string op = node.domain.empty() ? node.type : node.domain + "::" + node.type;
  if (!table.operators.contains(op)) return std::nullopt;
  KernelNode seen{op, node.name, {}, attributes_of(node)};
  for (const ValueId v : inputs) {
    if (v != absent && !is_tensor(v)) return std::nullopt;
    seen.inputs.push_back(v == absent ? std::nullopt : std::optional(b.type(v)));
  }
  auto kernel = table.kernel_of(seen);
  if (!kernel) throw Failure{std::move(kernel).error()};
  if (!*kernel) return std::nullopt;
  const Kernel& found = **kernel;
  if (found.inputs.size() > inputs.size() || found.shapes.size() != found.results.size())
    fail("kernel.inputs", "the kernel takes {} inputs, the node has {}", found.inputs.size(), inputs.size());
  Values operands;
  for (size_t i = 0; i < found.inputs.size(); ++i) {
    if (inputs[i] == absent) fail("kernel.inputs", "input {} is missing", i);
    check_elements(b.shape(inputs[i]), found.inputs[i]);
    operands.push_back(b.reshape(inputs[i], found.inputs[i]));
  }
  Values results = b.make_all(ops::kernel, operands, graph::kernel_attributes(found.number, found.name, found.results));
  for (size_t i = 0; i < results.size(); ++i) {
    check_elements(found.results[i].shape, found.shapes[i]);
    results[i] = b.reshape(results[i], found.shapes[i]);
  }
  return results;
}

}  // namespace hadal::onnx

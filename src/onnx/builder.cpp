#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <numeric>

#include "graph/simplify.h"
#include "onnx/importer.h"

namespace hadal::onnx {

void Builder::check_size(const Type& type) const {
  const int64_t bytes = checked_bytes(type.shape, bytes_of(type.dtype));
  if (bytes >= 0 && bytes <= options_.memory_limit) return;
  fail("onnx.memory", "a value of {}[{}] passes the memory limit of {} bytes", name_of(type.dtype), text_of(type.shape),
       options_.memory_limit);
}

void Builder::book(int64_t bytes) {
  if (bytes < 0 || bytes > options_.memory_limit - booked_)
    fail("onnx.memory", "constants pass the memory limit of {} bytes", options_.memory_limit);
  booked_ += bytes;
}

void Builder::keep_running(ValueId old, ValueId updated) {
  const graph::Value& value = graph.value(old);
  if (value.producer < 0 && !value.constant) running_.push_back({value.name, updated});
}

ValueId Builder::sequence(Values elements) {
  sequences_.push_back(std::move(elements));
  return first_sequence - static_cast<ValueId>(sequences_.size() - 1);
}

const Values& Builder::elements_of(ValueId v) const {
  if (!is_sequence(v)) fail("onnx.type", "an input is {}, expected a sequence", kind_of(v));
  return sequences_[static_cast<size_t>(first_sequence - v)];
}

std::string_view Builder::kind_of(ValueId v) {
  if (is_tensor(v)) return "a tensor";
  return is_sequence(v) ? "a sequence" : v == nothing ? "an optional without a value" : "missing";
}

/// Names of the inputs that a value is computed from.
std::set<std::string> Builder::sources_of(ValueId v) const {
  std::set<std::string> names;
  std::unordered_set<ValueId> seen;
  for (Values open{v}; !open.empty();) {
    const ValueId at = open.back();
    open.pop_back();
    if (at == absent || !seen.insert(at).second) continue;
    const graph::Value& value = graph.value(at);
    if (value.producer >= 0)
      std::ranges::copy(graph.nodes[static_cast<size_t>(value.producer)].inputs, std::back_inserter(open));
    else if (!value.constant)
      names.insert(value.name.substr(0, value.name.rfind("#refused")));
  }
  return names;
}

std::optional<Tensor> Builder::computed(ValueId v, int depth) {
  constexpr int deepest = 8;  // Operands are computed as often as they are read.
  if (const Tensor* const tensor = known(v)) return *tensor;
  const int32_t producer = graph.value(v).producer;
  if (producer < 0 || depth == deepest) return std::nullopt;
  const graph::Node node = graph.nodes[static_cast<size_t>(producer)];
  if (node.op->counted_axis) return std::nullopt;
  std::vector<std::optional<Tensor>> operands;
  std::vector<const Tensor*> given;
  for (const ValueId operand : node.inputs) {
    operands.push_back(operand == absent ? std::nullopt : computed(operand, depth + 1));
    if (operand != absent && !operands.back()) return std::nullopt;
  }
  for (const auto& operand : operands) given.push_back(operand ? &*operand : nullptr);
  std::vector<Type> types;
  for (const ValueId output : node.outputs) {
    types.push_back(type(output));
    book(checked_bytes(types.back().shape, bytes_of(types.back().dtype)));
  }
  const auto at = std::ranges::find(node.outputs, v) - node.outputs.begin();
  return node.op->reference(given, node.attributes, types)[static_cast<size_t>(at)];
}

const Tensor& Builder::decisive(ValueId v, std::string_view what) {
  if (!is_tensor(v)) fail("onnx.type", "{} is {}, expected a tensor", what, kind_of(v));
  if (const Tensor* const tensor = known(v)) return *tensor;
  const std::set<std::string> sources = sources_of(v);
  if (sources.empty())
    if (auto tensor = computed(v)) return *graph.value(constant(std::move(*tensor))).constant;
  const auto may_be_fixed = [&](const std::string& name) {
    const auto given = options_.values.find(name);
    return given != options_.values.end() && given->second.size() <= most_fixed_elements;
  };
  if (std::ranges::all_of(sources, may_be_fixed)) wanted_.insert(sources.begin(), sources.end());
  Error error{"onnx.dynamic", fmt::format("{} depends on data that are only known when the model runs", what)};
  if (!sources.empty()) {
    error.message += fmt::format(": '{}'", printable(fmt::format("{}", fmt::join(sources, "', '"))));
    error.remedy = fmt::format("give --input NAME=FILE.npy of each, of at most {} elements, to compile for its values",
                               most_fixed_elements);
  }
  throw Failure{std::move(error)};
}

std::vector<std::string> Builder::take_origins(const Values& inputs) {
  std::vector<std::string> origins{origin_};
  for (const ValueId v : inputs) {
    const auto waiting = pending_.find(v);
    if (waiting == pending_.end()) continue;
    graph::append_origins(origins, std::move(waiting->second));
    pending_.erase(waiting);
  }
  return origins;
}

void Builder::unite(std::vector<std::string> origins, ValueId v) {
  const int32_t producer = graph.value(v).producer;
  auto& known = producer >= 0 ? graph.nodes[static_cast<size_t>(producer)].origins : pending_[v];
  graph::append_origins(known, std::move(origins));
}

ValueId Builder::copy(ValueId v) {
  std::vector<std::string> origins = take_origins({v});
  if (origins.size() > 1) origins.erase(origins.begin());  // The model has no node of the output's name.
  auto made = graph.add(ops::reshape, {v}, {{"shape", shape(v)}}, std::move(origins));
  if (!made) throw Failure{std::move(made).error()};
  return (*made)[0];
}

void Builder::absorb(ValueId v) { unite({origin_}, v); }

std::optional<Values> Builder::fold(const Op& op, const Values& inputs, const Attributes& attributes) {
  std::vector<const Type*> types;
  std::vector<const Tensor*> operands;
  std::vector<Tensor> empty;  // What has no elements is known.
  empty.reserve(inputs.size());
  int64_t operand_elements = 0;
  bool data = true;
  for (const ValueId v : inputs) {
    const bool is_empty = v != absent && !graph.is_constant(v) && elements(shape(v)) == 0;
    if (v != absent && !graph.is_constant(v) && !is_empty) return std::nullopt;
    types.push_back(v == absent ? nullptr : &type(v));
    if (is_empty) empty.push_back({dtype(v), shape(v), {}});
    operands.push_back(v == absent ? nullptr : is_empty ? &empty.back() : &*graph.value(v).constant);
    if (v == absent) continue;
    operand_elements += operands.back()->size();
    data = data && graph::has_data(*operands.back());
  }
  // What is dequantised stays so: the compiler multiplies the integers.
  if (inputs.empty() || !op.reference || op.counted_axis || &op == &ops::dequantize) return std::nullopt;
  auto results = op.infer(types, attributes);
  if (!results) throw Failure{std::move(results).error()};
  int64_t bytes = 0, result_elements = 0;
  for (const Type& result : *results) {
    check_size(result);
    bytes += checked_bytes(result.shape, bytes_of(result.dtype));
    result_elements += elements(result.shape);
  }
  if (bytes > 4096 && result_elements > operand_elements) return std::nullopt;
  std::vector<Tensor> made;
  if (data) {
    if (&op != &ops::reshape) book(bytes);
    made = op.reference(operands, attributes, *results);
  } else {
    for (const Type& result : *results) made.push_back({result.dtype, result.shape, {}});
  }
  Values values;
  std::vector<std::string> origins = take_origins(inputs);
  for (Tensor& tensor : made) values.push_back(constant(std::move(tensor)));
  unite(std::move(origins), values[0]);
  return values;
}

Values Builder::add(const Op& op, const Values& inputs, Attributes attributes) {
  if (auto folded = fold(op, inputs, attributes)) return *folded;
  auto made = graph.add(op, inputs, std::move(attributes), take_origins(inputs));
  if (!made) {
    Error error = std::move(made).error();
    error.place.clear();  // The importer knows a better one.
    throw Failure{std::move(error)};
  }
  for (const ValueId v : *made) check_size(type(v));
  return *made;
}

Tensor Builder::filled(DType dtype, const Shape& shape, double value) {
  check_size({dtype, shape});
  book(checked_bytes(shape, bytes_of(dtype)));
  return graph::filled(dtype, shape, value);
}

}  // namespace hadal::onnx

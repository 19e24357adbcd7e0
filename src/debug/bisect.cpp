#include "debug/bisect.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "debug/layers.h"
#include "debug/words.h"
#include "graph/evaluate.h"
#include "machine/functional/stepper.h"
#include "runtime/outputs.h"

namespace hadal::debug {

namespace {

/// Whether both programs have the same layers, ports and regions; what the instructions say may differ.
Status check_same_model(const isa::Program& program, const isa::Program& compiled) {
  const auto differ = [](const std::string& what) {
    return Error{"debug.model",
                 "the program was not compiled from this model in this way: " + what,
                 {},
                 "give the flags that it was compiled with: --chip, --precision, --profile, --effort, --shape"};
  };
  const auto names = [](const auto& list) {
    std::vector<std::string> out;
    for (const auto& each : list) out.push_back(each.name);
    return out;
  };
  if (names(program.layers) != names(compiled.layers))
    return differ(fmt::format("it has {} layers, the model {}, or they have other names", program.layers.size(),
                              compiled.layers.size()));
  if (names(program.regions) != names(compiled.regions)) return differ("their regions of memory are others");
  for (size_t i = 0; i < program.regions.size(); ++i) {
    if (program.regions[i].kind != compiled.regions[i].kind)
      return differ(fmt::format("region {} is of another kind", printable(program.regions[i].name)));
    if (program.regions[i].bytes != compiled.regions[i].bytes)
      return differ(fmt::format("region {} has {} bytes, that of the model {}", printable(program.regions[i].name),
                                program.regions[i].bytes, compiled.regions[i].bytes));
  }
  if (program.inputs != compiled.inputs || program.outputs != compiled.outputs)
    return differ("their inputs or outputs are others");
  return {};
}

/// Calls f(index, byte) for each element of a tensor with these strides, row-major; byte counts from the first element.
template <class F>
void for_elements(const Shape& shape, const std::vector<int64_t>& strides, const F& f) {
  std::vector<int64_t> index(shape.size());
  for (int64_t left = elements(shape); left > 0; --left) {
    int64_t byte = 0;
    for (size_t axis = 0; axis < shape.size(); ++axis) byte += index[axis] * strides[axis];
    f(index, byte);
    for (size_t axis = shape.size(); axis-- > 0 && ++index[axis] == shape[axis];) index[axis] = 0;
  }
}

Tensor copy_from(const machine::Memory& memory, const compile::StoredValue& stored, const graph::Type& type) {
  std::byte* to = nullptr;
  Tensor out = Tensor::zeros(type.dtype, type.shape, to);
  const std::byte* from = memory.base(stored.region) + stored.offset;
  const auto bytes = static_cast<size_t>(bytes_of(type.dtype));
  for_elements(type.shape, stored.strides, [&](const auto&, int64_t byte) {
    std::memcpy(to, from + byte, bytes);
    to += bytes;
  });
  return out;
}

/// Runs the program, and keeps what each layer has stored at the moment when it has.
class Recorder {
 public:
  Recorder(const isa::Program& program, const compile::Lowered& lowered, machine::Stepper& stepper, Layers& layers)
      : program_(program), lowered_(lowered), stepper_(stepper), layers_(layers) {}

  std::optional<Error> run() {
    while (true) {
      const auto turn = stepper_.turn();
      if (!turn) return turn.error();
      if (!*turn) return std::nullopt;
      const auto executed = stepper_.step();
      if (!executed) return executed.error();
      layers_.count(*executed);
      const auto layer = layer_of(program_, executed->instruction);
      if (layer && layers_.stored(*layer)) take_stored();
    }
  }
  [[nodiscard]] const std::map<graph::ValueId, Tensor>& values() const { return values_; }

 private:
  /// Layers that do not depend on each other store in any order: all that are due are looked at.
  void take_stored() {
    const auto has_stored = [&](size_t layer) { return layers_.stored(layer); };
    for (const compile::StoredValue& stored : lowered_.values)
      if (!values_.contains(stored.value) && std::ranges::all_of(stored.layers, has_stored))
        values_.emplace(stored.value, copy_from(stepper_.memory(), stored, lowered_.graph.type(stored.value)));
  }

  const isa::Program& program_;
  const compile::Lowered& lowered_;
  machine::Stepper& stepper_;
  Layers& layers_;
  std::map<graph::ValueId, Tensor> values_;
};

/// The graph with its narrow floats as f32, as they are between what a layer loads and what it stores.
graph::Graph widened(graph::Graph graph) {
  const auto is_narrow = [](DType dtype) { return is_float(dtype) && bytes_of(dtype) < bytes_of(DType::f32); };
  for (graph::Value& value : graph.values) {
    if (!is_narrow(value.type.dtype)) continue;
    value.type.dtype = DType::f32;
    if (value.constant) value.constant = cast(*value.constant, DType::f32);
  }
  for (graph::Node& node : graph.nodes) {
    const auto to = dtype_named(node.attributes.text("to"));
    if (to && is_narrow(*to)) node.attributes.set("to", std::string(name_of(DType::f32)));
  }
  return graph;
}

bool is_off(double got, double want, double most) {
  if (std::isfinite(got) && std::isfinite(want)) return std::fabs(got - want) > most;
  return !(got == want || (std::isnan(got) && std::isnan(want)));
}

/// Fills in what is off, where `compare` has found that it is.
void find_furthest(const Tensor& got, const Tensor& want, Difference& out) {
  double largest = 0, furthest = -1;
  for (int64_t i = 0; i < want.size(); ++i)
    if (std::isfinite(number_at(want, i))) largest = std::max(largest, std::fabs(number_at(want, i)));
  const std::vector<int64_t> none(want.shape.size());
  int64_t i = 0;
  for_elements(want.shape, none, [&](const std::vector<int64_t>& index, int64_t) {
    const double g = number_at(got, i), w = number_at(want, i++);
    if (!is_off(g, w, out.tolerance * largest)) return;
    ++out.beyond;
    const double off = std::isfinite(g) && std::isfinite(w) ? std::fabs(g - w) : INFINITY;
    if (off <= furthest) return;
    furthest = off;
    out.index = index, out.got = g, out.expected = w;
  });
}

}  // namespace

Result<Bisection> bisect(const isa::Program& program, const isa::Program& compiled, const compile::Lowered& lowered,
                         int64_t cores, const machine::ValueOptions& options, const std::vector<Tensor>& inputs,
                         std::optional<double> tolerance) {
  HADAL_CHECK(check_same_model(program, compiled));
  HADAL_TRY(Layers layers, Layers::of(program, static_cast<size_t>(cores)));
  std::vector<Tensor> own;  // A run may change an input in its place.
  for (const Tensor& input : inputs) {
    std::byte* data = nullptr;
    own.push_back(Tensor::zeros(input.dtype, input.shape, data));
    std::ranges::copy(input.bytes.view, data);
  }
  HADAL_TRY(const auto stepper, machine::Stepper::make(program, cores, options, own));
  Recorder recorder(program, lowered, *stepper, layers);
  Bisection out{.layers = program.layers.size(), .values = lowered.values.size()};
  out.failure = recorder.run();
  std::map<graph::ValueId, size_t> storing;
  for (const compile::StoredValue& stored : lowered.values) storing[stored.value] = stored.layer;
  const graph::Graph wide = widened(lowered.graph);
  const auto see = [&](graph::ValueId value, Tensor& result) {
    const auto layer = storing.find(value);
    if (layer == storing.end()) return;
    Difference difference{.layer = layer->second, .value = lowered.graph.value(value).name};
    const auto got = recorder.values().find(value);
    if (got == recorder.values().end()) {
      difference.stored = false;
      out.differences.push_back(std::move(difference));
      return;
    }
    const Tensor want = cast(result, got->second.dtype);
    const runtime::Comparison compared = runtime::compare(difference.value, got->second, want, tolerance, want.dtype);
    difference.error = compared.error, difference.tolerance = compared.tolerance;
    difference.elements = want.size();
    if (!compared.ok) {
      find_furthest(got->second, want, difference);
      out.differences.push_back(std::move(difference));
    }
    result = cast(got->second, result.dtype);
  };
  std::vector<Tensor> wide_inputs;
  for (size_t i = 0; i < inputs.size(); ++i) wide_inputs.push_back(cast(inputs[i], wide.type(wide.inputs[i]).dtype));
  HADAL_TRY(const auto outputs, graph::evaluate(wide, wide_inputs, see));
  std::ranges::stable_sort(out.differences, {}, &Difference::layer);
  return out;
}

std::string text_of(const Bisection& bisection, const isa::Program& program) {
  std::string out;
  if (bisection.failure) out += fmt::format("the run has failed: {}\n", one_line(*bisection.failure));
  if (bisection.differences.empty())
    return out + fmt::format("no layer differs: {} values of {} layers compared\n", bisection.values, bisection.layers);
  const Difference& first = bisection.differences.front();
  const isa::Layer& layer = program.layers[first.layer];
  std::vector<std::string> nodes;
  for (const std::string& node : layer.nodes) nodes.push_back(printable(node));
  out += fmt::format("the first layer that differs: {}, {} of {} ({})\n", printable(layer.name), first.layer + 1,
                     bisection.layers, printable(layer.op));
  out += fmt::format("  nodes      {}\n", fmt::join(nodes, ", "));
  out += fmt::format("  value      {}\n", printable(first.value));
  if (!first.stored) return out + "  the run has ended before it was stored\n";
  out += fmt::format("  error      {:.3e}, tolerance {:.3e}; beyond it: {} of {} elements\n", first.error,
                     first.tolerance, first.beyond, first.elements);
  out += fmt::format("  worst at   {}: expected {:.6g}, got {:.6g}\n", text_of_index(first.index), first.expected,
                     first.got);
  if (const size_t more = bisection.differences.size() - 1; more > 0)
    out += fmt::format("  behind it  {} more that differ from what the values stored before them give\n", more);
  return out;
}

}  // namespace hadal::debug

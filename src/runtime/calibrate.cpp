#include "runtime/calibrate.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "base/npy.h"
#include "compile/post_training.h"
#include "graph/simplify.h"

namespace hadal::runtime {

namespace {

std::string place_of(const NamedFile& file) {
  return fmt::format("input \"{}\": {}", printable(file.name), printable(file.file));
}

/// Samples of the graph's inputs, in its order, each of all samples.
struct Samples {
  std::vector<Tensor> of_inputs;
  int64_t count = 0;
};

Result<Samples> samples_of(const graph::Graph& graph, const std::vector<GivenInput>& given) {
  Samples out;
  for (const graph::ValueId v : graph.inputs) {
    const graph::Value& input = graph.value(v);
    const auto found = std::ranges::find(given, input.name, [](const GivenInput& g) { return g.source.name; });
    if (found == given.end() || !found->tensor)
      return Error{"input.name", fmt::format("no calibration array for input \"{}\"", printable(input.name)), "",
                   fmt::format("give --calibrate {}=FILE.npy", printable(input.name))};
    const auto array = array_as(*found->tensor, input.type.dtype);
    if (!array)
      return Error{"input.type",
                   fmt::format("expected {}, found {}", name_of(input.type.dtype), name_of(found->tensor->dtype)),
                   place_of(found->source)};
    const Shape &shape = array->shape, &wanted = input.type.shape;
    const bool fits = shape.size() == wanted.size() && !wanted.empty() && wanted[0] > 0 && shape[0] % wanted[0] == 0 &&
                      std::equal(shape.begin() + 1, shape.end(), wanted.begin() + 1);
    if (!fits)
      return Error{
          "input.shape",
          fmt::format("expected samples of {} along the first axis, found {}", text_of(wanted), text_of(shape)),
          place_of(found->source)};
    const int64_t count = shape[0] / wanted[0];
    if (count < 1 || (out.count > 0 && count != out.count))
      return Error{"calibrate.samples", fmt::format("{} samples; other inputs have {}", count, out.count),
                   place_of(found->source)};
    out.count = count;
    out.of_inputs.push_back(*array);
  }
  if (out.count == 0) return Error{"calibrate.samples", "the model has no inputs to calibrate by"};
  for (const GivenInput& g : given)
    if (std::ranges::none_of(graph.inputs, [&](graph::ValueId v) { return graph.value(v).name == g.source.name; }))
      return Error{"input.name", fmt::format("the model has no input \"{}\"", printable(g.source.name)),
                   place_of(g.source)};
  return out;
}

Tensor sample(const Tensor& all, const Shape& shape, int64_t index) {
  const auto bytes = static_cast<size_t>(elements(shape) * bytes_of(all.dtype));
  Tensor out{all.dtype, shape, all.bytes};
  out.bytes.view = all.bytes.view.subspan(static_cast<size_t>(index) * bytes, bytes);
  return out;
}

constexpr double most_loss = 1e-3;  ///< Of a tensor's squares: 30 dB. One that loses more stays in floats.

/// What a value was on the samples so far.
struct Seen {
  compile::Range range;
  std::vector<float> numbers;  ///< Some of them, evenly.
};

void look(Seen& seen, const Tensor& values, int64_t samples) {
  constexpr int64_t most = 8192;  // Of a sample.
  const int64_t size = values.size(), step = (size + most - 1) / most;
  const size_t axis = values.shape.size() > 2 ? 1 : values.shape.size() - 1;
  int64_t inner = 1;
  for (size_t i = axis + 1; i < values.shape.size(); ++i) inner *= values.shape[i];
  const int64_t channels = values.shape.empty() ? 1 : values.shape[axis];
  compile::Range& range = seen.range;
  range.means.resize(static_cast<size_t>(channels), 0);
  const double share = static_cast<double>(channels) / static_cast<double>(size * samples);
  for (int64_t i = 0; i < size; ++i) {
    const double value = number_at(values, i);
    if (!std::isfinite(value)) continue;
    range.low = std::min(range.low, value);
    range.high = std::max(range.high, value);
    range.means[static_cast<size_t>(i / inner % channels)] += value * share;
    if (i % step == 0) seen.numbers.push_back(static_cast<float>(value));
  }
}

}  // namespace

Result<std::vector<std::string>> calibrate(graph::Graph& graph, const std::vector<GivenInput>& given) {
  HADAL_TRY(const Samples samples, samples_of(graph, given));
  HADAL_CHECK(graph::simplify(graph));
  graph::Graph watched = graph;
  watched.outputs = compile::quantisable(graph);
  std::map<graph::ValueId, Seen> seen;
  for (int64_t i = 0; i < samples.count; ++i) {
    std::vector<Tensor> inputs;
    for (size_t k = 0; k < graph.inputs.size(); ++k)
      inputs.push_back(sample(samples.of_inputs[k], graph.type(graph.inputs[k]).shape, i));
    HADAL_TRY(const std::vector<Tensor> values, graph::evaluate(watched, inputs));
    for (size_t k = 0; k < values.size(); ++k) look(seen[watched.outputs[k]], values[k], samples.count);
  }
  std::map<graph::ValueId, compile::Range> ranges;
  std::vector<std::string> kept;
  for (const auto& [v, of] : seen) {
    compile::Range range = compile::least_loss(of.range, of.numbers);
    if (range.loss <= most_loss)
      ranges.emplace(v, std::move(range));
    else
      kept.push_back(fmt::format("{} (1 in {:.0f})", graph.value(v).name, 1 / range.loss));
  }
  HADAL_TRY(const std::vector<std::string> wide, compile::quantise(graph, ranges));
  std::vector<std::string> notes{fmt::format("int8: {} tensors quantised by the range that loses least on {} samples",
                                             ranges.size(), samples.count)};
  if (!wide.empty()) notes.push_back(fmt::format("products that stay in floats: {}", fmt::join(wide, ", ")));
  if (!kept.empty())
    notes.push_back(fmt::format("tensors that lose more than 1 in {:.0f} as bytes, and stay in floats: {}",
                                1 / most_loss, fmt::join(kept, ", ")));
  return notes;
}

}  // namespace hadal::runtime

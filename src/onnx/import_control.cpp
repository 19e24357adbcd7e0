// If, Loop and Scan: the branch that a known condition picks, and bodies once for each step.
#include <algorithm>

#include "onnx/terms.h"

namespace hadal::onnx {

namespace {

bool is_true(const Site& n, ValueId v, std::string_view what) {
  const Tensor& known = n.b.decisive(v, what);
  if (known.size() != 1) fail("onnx.shape", "{} has {} elements, expected one", what, known.size());
  return number_at(known, 0) != 0;
}

Values one_branch(Site& n) { return n.body(is_true(n, n[0], "the condition") ? "then_branch" : "else_branch", {}); }

/// Of a loop without steps: nothing, of the type that a step would give.
ValueId none_of(Site& n, ValueId example) {
  if (!is_tensor(example)) fail("onnx.type", "the body gives {}, expected a tensor", Builder::kind_of(example));
  Shape shape = n.b.shape(example);
  shape.insert(shape.begin(), 0);
  return n.b.constant(n.b.filled(n.b.dtype(example), shape, 0));
}

/// Inputs: the most steps, whether to begin, and what goes from step to step. The body gives whether to go on.
Values loop(Site& n) {
  constexpr int64_t longest = 65536;
  if (n.inputs.size() < 2) fail("onnx.inputs", "{} inputs, expected 2 or more", n.inputs.size());
  const int64_t most = n.has(0) ? n.integer(0, "the number of steps") : longest + 1;
  const Values first(n.inputs.begin() + 2, n.inputs.end());
  Values carried = first;
  std::vector<Values> outputs;  // Of each step, behind what is carried.
  bool goes_on = !n.has(1) || is_true(n, n[1], "the condition");
  const auto step = [&](int64_t i) {
    Values operands{n.b.integer(i), n.b.scalar(DType::boolean, 1)};
    operands.insert(operands.end(), carried.begin(), carried.end());
    Values results = n.body("body", operands);
    if (results.size() < 1 + carried.size())
      fail("onnx.graph", "the body has {} outputs for {} values", results.size(), carried.size());
    return results;
  };
  for (int64_t i = 0; i < most && goes_on; ++i) {
    if (i == longest) fail("onnx.unsupported", "a loop of more than {} steps is not supported", longest);
    const Values results = step(i);
    const auto end = results.begin() + 1 + std::ssize(carried);
    carried.assign(results.begin() + 1, end);
    outputs.emplace_back(end, results.end());
    goes_on = is_true(n, results[0], "the body's condition");
  }
  Values out = carried;
  if (out.size() == n.node.outputs.size()) return out;
  const Values example = outputs.empty() ? step(0) : Values{};
  const size_t scanned = outputs.empty() ? example.size() - 1 - carried.size() : outputs[0].size();
  for (size_t k = 0; k < scanned; ++k) {
    Values steps;
    for (const Values& list : outputs) steps.push_back(list[k]);
    out.push_back(outputs.empty() ? none_of(n, example[1 + carried.size() + k]) : stacked(n, steps, 0));
  }
  return out;
}

struct Direction {
  int64_t axis = 0;
  bool backwards = false;
};
Direction direction_of(const Site& n, const std::string& what, size_t i) {
  const Integers axes = n.integers("scan_" + what + "_axes"), directions = n.integers("scan_" + what + "_directions");
  return {i < axes.size() ? axes[i] : 0, i < directions.size() && directions[i] != 0};
}

/// Element i of `x` along an axis, without that axis.
ValueId element(Site& n, ValueId x, int64_t axis, int64_t i) {
  Shape shape = n.b.shape(x);
  shape.erase(shape.begin() + axis);
  return n.b.reshape(n.b.slice(x, axis, i, 1), shape);
}

Values scan_over(Site& n, Values states, const Values& scanned) {
  const size_t carried = states.size();
  std::vector<Direction> from;
  int64_t steps = -1;
  for (size_t i = 0; i < scanned.size(); ++i) {
    from.push_back(direction_of(n, "input", i));
    from[i].axis = Site::axis(from[i].axis, n.b.rank(scanned[i]));
    const int64_t extent = n.b.shape(scanned[i])[static_cast<size_t>(from[i].axis)];
    if (steps >= 0 && extent != steps) fail("onnx.shape", "scans of {} and {} steps", steps, extent);
    steps = extent;
  }
  if (steps < 1) fail("onnx.unsupported", "a scan of {} steps is not supported", std::max<int64_t>(steps, 0));
  std::vector<Values> outputs;  // By output.
  for (int64_t i = 0; i < steps; ++i) {
    Values operands = states;
    for (size_t k = 0; k < scanned.size(); ++k)
      operands.push_back(element(n, scanned[k], from[k].axis, from[k].backwards ? steps - 1 - i : i));
    const Values results = n.body("body", operands);
    if (results.size() < carried) fail("onnx.graph", "the body has {} outputs for {} states", results.size(), carried);
    for (const ValueId v : results)
      if (!is_tensor(v)) fail("onnx.type", "the body gives {}, expected a tensor", Builder::kind_of(v));
    states.assign(results.begin(), results.begin() + static_cast<int64_t>(carried));
    outputs.resize(results.size() - carried);
    for (size_t k = 0; k < outputs.size(); ++k) outputs[k].push_back(results[carried + k]);
  }
  for (size_t k = 0; k < outputs.size(); ++k) {
    const Direction to = direction_of(n, "output", k);
    if (to.backwards) std::ranges::reverse(outputs[k]);
    states.push_back(stacked(n, outputs[k], to.axis));
  }
  return states;
}

/// Opset 8 has lengths first, which are all the whole, and a batch as first axis of everything.
Values scan_batches(Site& n, size_t scanned) {
  if (n.has(0)) fail("onnx.unsupported", "sequence_lens of Scan are not supported");
  if (n.has("directions")) fail("onnx.unsupported", "directions of Scan are not supported");
  const int64_t batch = n.b.rank(n[1]) > 0 ? n.b.shape(n[1])[0] : 0;
  std::vector<Values> all;  // By output.
  for (int64_t i = 0; i < batch; ++i) {
    Values parts;
    for (size_t k = 1; k < n.inputs.size(); ++k) {
      if (n.b.rank(n[k]) < 1 || n.b.shape(n[k])[0] != batch) fail("onnx.shape", "input {} is no batch", k);
      parts.push_back(element(n, n[k], 0, i));
    }
    const auto split = parts.end() - static_cast<int64_t>(scanned);
    const Values results = scan_over(n, {parts.begin(), split}, {split, parts.end()});
    all.resize(results.size());
    for (size_t k = 0; k < results.size(); ++k) all[k].push_back(results[k]);
  }
  Values out;
  for (const Values& list : all) out.push_back(stacked(n, list, 0));
  return out;
}

Values scan(Site& n) {
  const int64_t given = n.attribute("num_scan_inputs").integer;
  const auto scanned = static_cast<size_t>(std::max<int64_t>(given, 0));
  const size_t first = n.opset < 9 ? 1 : 0;
  if (given < 1 || scanned + first > n.inputs.size()) fail("onnx.attribute", "num_scan_inputs is {}", given);
  for (size_t i = first; i < n.inputs.size(); ++i)
    if (!n.has(i)) fail("onnx.inputs", "input {} is missing", i);
  if (first == 1) return scan_batches(n, scanned);
  const auto split = n.inputs.end() - static_cast<int64_t>(scanned);
  return scan_over(n, {n.inputs.begin(), split}, {split, n.inputs.end()});
}

constexpr Operator rows[] = {
    {"If", one_branch, "", 1, 1, "else_branch:g then_branch:g"},
    {"Loop", loop, "", 0, any_number, "body:g", "", true},
    {"Scan", scan, "", 0, any_number,
     "body:g directions:is num_scan_inputs:i scan_input_axes:is scan_input_directions:is scan_output_axes:is "
     "scan_output_directions:is"},
};

}  // namespace

std::span<const Operator> control_operators() { return rows; }

}  // namespace hadal::onnx

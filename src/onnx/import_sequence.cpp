// Sequences and optionals: known while importing, so that only their tensors are left in the graph.
#include <algorithm>

#include "onnx/terms.h"

namespace hadal::onnx {

namespace {

DType element_type(const Site& n, const ValueId v) {
  if (!is_tensor(v)) fail("onnx.type", "an element is {}, expected a tensor", n.b.kind_of(v));
  return n.b.dtype(v);
}

/// A sequence that has elements.
const Values& filled(const Site& n) {
  const Values& list = n.b.elements_of(n[0]);
  if (list.empty())
    throw Failure{Error{"onnx.shape",
                        "the sequence is empty",
                        {},
                        "where it is an input of the model, give its elements: --input 'NAME[0]=FILE.npy' and so on"}};
  return list;
}

Values construct(Site& n) {
  for (size_t i = 0; i < n.inputs.size(); ++i)
    if (element_type(n, n[i]) != n.b.dtype(n[0]))
      fail("onnx.type", "elements of {} and {}", name_of(n.b.dtype(n[0])), name_of(n.b.dtype(n[i])));
  return {n.b.sequence(n.inputs)};
}

Values empty(Site& n) { return {n.b.sequence({})}; }

Values length(Site& n) { return {n.b.integer(std::ssize(n.b.elements_of(n[0])))}; }

/// Counted from the end where negative; `end` itself may be named where something is inserted.
int64_t position(const Site& n, size_t input, int64_t least, int64_t end, int64_t most) {
  if (!n.has(input)) return most;
  const int64_t given = n.integer(input, "position");
  if (given < least || given > most) fail("onnx.shape", "position {} in a sequence of {}", given, end);
  return given < 0 ? given + end : given;
}

Values at(Site& n) {
  const Values& list = filled(n);
  const int64_t count = std::ssize(list);
  return {list[static_cast<size_t>(position(n, 1, -count, count, count - 1))]};
}

Values erase(Site& n) {
  Values list = filled(n);
  const int64_t count = std::ssize(list);
  list.erase(list.begin() + position(n, 1, -count, count, count - 1));
  return {n.b.sequence(std::move(list))};
}

Values insert(Site& n) {
  Values list = n.b.elements_of(n[0]);
  const DType dtype = element_type(n, n[1]);
  if (!list.empty() && n.b.dtype(list[0]) != dtype)
    fail("onnx.type", "{} in a sequence of {}", name_of(dtype), name_of(n.b.dtype(list[0])));
  const int64_t count = std::ssize(list);
  list.insert(list.begin() + position(n, 2, -count, count, count), n[1]);
  return {n.b.sequence(std::move(list))};
}

/// Extents along the axis: stated one by one, or as the extent of all but the last.
Integers extents(const Site& n, int64_t whole) {
  if (n.has(1) && n.b.rank(n[1]) != 0) {
    const Integers stated = n.integers(1, "split");
    int64_t sum = 0;
    for (const int64_t extent : stated) {
      if (extent < 0 || extent > whole - sum) fail("onnx.shape", "parts of {} do not fit {}", extent, whole);
      sum += extent;
    }
    if (sum != whole) fail("onnx.shape", "parts of {} in all, expected {}", sum, whole);
    return stated;
  }
  const int64_t each = n.has(1) ? n.integer(1, "split") : 1;
  if (each < 1) fail("onnx.shape", "parts of {}", each);
  n.b.book((whole / each + 1) * 8);
  Integers out(static_cast<size_t>(whole / each), each);
  if (whole % each != 0) out.push_back(whole % each);
  return out;
}

Values split(Site& n) {
  const int64_t axis = Site::axis(n.integer("axis"), n.b.rank(n[0]));
  Shape shape = n.b.shape(n[0]);
  const int64_t whole = shape[static_cast<size_t>(axis)];
  const bool drops_axis = !n.has(1) && n.integer("keepdims", 1) == 0;
  shape.erase(shape.begin() + axis);
  Values parts;
  int64_t start = 0;
  for (const int64_t extent : extents(n, whole)) {
    parts.push_back(n.b.slice(n[0], axis, start, extent));
    if (drops_axis) parts.back() = n.b.reshape(parts.back(), shape);
    start += extent;
  }
  return {n.b.sequence(std::move(parts))};
}

Values concat(Site& n) {
  const Values& list = filled(n);
  const int64_t axis = n.attribute("axis").integer;
  if (n.integer("new_axis") != 0) return {stacked(n, list, axis)};
  std::vector<Term> parts;
  for (const ValueId v : list) parts.push_back({&n.b, v});
  return {joined(parts, Site::axis(axis, n.b.rank(list[0]))).id};
}

/// The body once for each element, with whatever is no sequence as it is.
Values map(Site& n) {
  const size_t count = n.b.elements_of(n[0]).size();
  std::vector<Values> outputs(n.node.outputs.size());
  for (size_t step = 0; step < count; ++step) {
    Values operands;
    for (const ValueId v : n.inputs) {
      if (is_tensor(v)) {
        operands.push_back(v);
        continue;
      }
      const Values& list = n.b.elements_of(v);
      if (list.size() != count) fail("onnx.shape", "sequences of {} and {}", count, list.size());
      operands.push_back(list[step]);
    }
    const Values results = n.body("body", operands);
    if (results.size() != outputs.size())
      fail("onnx.graph", "the body has {} outputs for {}", results.size(), outputs.size());
    for (size_t k = 0; k < results.size(); ++k) {
      element_type(n, results[k]);
      outputs[k].push_back(results[k]);
    }
  }
  Values out;
  for (Values& list : outputs) out.push_back(n.b.sequence(std::move(list)));
  return out;
}

Values optional(Site& n) { return {n.has(0) ? n[0] : nothing}; }

Values has_element(Site& n) { return {n.b.scalar(DType::boolean, n.has(0) && n[0] != nothing ? 1 : 0)}; }

Values get_element(Site& n) {
  if (n[0] == nothing)
    throw Failure{Error{"onnx.type",
                        "the optional has no value",
                        {},
                        "where it is an input of the model, give one: --input NAME=FILE.npy"}};
  return {n[0]};
}

constexpr Operator rows[] = {
    {"ConcatFromSequence", concat, "concat reshape", 1, 1, "axis:i new_axis:i", "", true},
    {"Optional", optional, "", 0, 1, "type:?", "", true},
    {"OptionalGetElement", get_element, "", 1, 1, "", "", true},
    {"OptionalHasElement", has_element, "", 0, 1, "", "", true},
    {"SequenceAt", at, "", 2, 2, "", "", true},
    {"SequenceConstruct", construct, "", 1, any_number, "", "", true},
    {"SequenceEmpty", empty, "", 0, 0, "dtype:i"},
    {"SequenceErase", erase, "", 1, 2, "", "", true},
    {"SequenceInsert", insert, "", 2, 3, "", "", true},
    {"SequenceLength", length, "", 1, 1, "", "", true},
    {"SequenceMap", map, "", 1, any_number, "body:g", "", true},
    {"SplitToSequence", split, "slice reshape", 1, 2, "axis:i keepdims:i"},
};

}  // namespace

std::span<const Operator> sequence_operators() { return rows; }

}  // namespace hadal::onnx

#include "runtime/operators.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <sstream>

#include "compile/compile.h"
#include "graph/ops/scalar.h"
#include "isa/verify.h"

namespace hadal::runtime {

namespace {

constexpr std::string_view introduction = R"(# Operators

Written by `operators_reference()` from the tables of importers (`src/onnx`), of ops (`src/graph`) and of lowerings
(`src/compile`); a test keeps the two equal. `hadal inspect --ops` prints this page, `hadal inspect MODEL.onnx` tells
where the nodes of one model run.

Versions {} to {} of ai.onnx are read. Where an operator runs:

- **chip**: by the instructions named here, which [isa.md](isa.md) explains. `map` is a chain of element-wise functions;
  neighbouring ones join, also into the epilogue of the matrix instruction before them. Loads and stores go without
  saying.
- **view**: by strides, without an instruction; a copy where no strides can say it.
- **import**: its result is known when the model is read, from shapes and constants. Nothing runs. Any other operator
  whose inputs are all constants goes the same way. Where the values of an input of the model decide a shape or an
  attribute (axes, pads, a condition, a number of steps), `--input` gives them when the model is compiled; the program
  states them, and runs with no others. Bodies of loops are imported once for each step.
- **host**: by a function of the machine that the chip is plugged into, listed below with the reason.
- **nowhere**: it is read, and folded where its inputs are constants; else it is an error of compilation.

Sequences and optionals are known when the model is read; the tensors in them are as any. An input `list` that is a sequence
has as many elements as are given, `--input list[0]=FILE.npy`, `--input list[1]=FILE.npy` and so on, and an output leaves as
tensors of such names. An input that is optional has a value where one is given. Random numbers are drawn when the model is
read, from the node's seed where it has one: every run of a program sees the same.

Everything else is an error. One error lists all such nodes of a model, by name and type, with the reason: an unknown
operator, or an attribute, a type or a form that is not supported. What depends on such a node is looked at as far as the
model states the types of values. A node of an operator that the model itself defines as a function is replaced by that
function's nodes.

## Operators of ONNX

`com.microsoft.` is the domain of operators that ONNX Runtime adds. An attribute that is not listed is an error.

| operator | inputs | attributes | runs | as |
|---|---|---|---|---|
)";

constexpr std::string_view functions_introduction = R"(
## Element-wise functions

What `map` computes, and the element types that the operators above may have for it. Floats are f64, f32, f16, bf16
and the types of 8 and 4 bits.

| function | operands | types |
|---|---|---|
)";

constexpr std::string_view host_introduction = R"(
## On the host

Rule: only what decides from data how much there is to do next, one candidate after another. It would leave the lanes
idle, and its result is small. A report names each call and its time.

Shapes are static, so that such a result has room for the most that there may be (of non-maximum suppression, the boxes
that a class may keep, or all where that is only known when the model runs); what is not needed is -1. An output of the
model holds what counts, and no more; nodes that read the result work on all of it, and a note says so.

The functions that `host_call` may name:

)";

std::string inputs_text(const onnx::OperatorInfo& op) {
  if (op.most >= onnx::any_number) return fmt::format("{} or more", op.least);
  return op.least == op.most ? fmt::format("{}", op.least) : fmt::format("{} to {}", op.least, op.most);
}

std::vector<std::string> words_of(std::string_view text) {
  std::istringstream in{std::string(text)};
  std::vector<std::string> out;
  for (std::string word; in >> word;) out.push_back(word);
  return out;
}

std::string_view instructions_of(const std::string& op) {
  const graph::Op* const row = graph::op_named(op);
  return row ? compile::instructions_of(*row) : "";
}

bool is_movement(std::string_view instructions) { return instructions == "view" || instructions == "in place"; }

/// "`conv`, `conv_depthwise`; `map` of add, relu; a view; not max"
std::string how_text(const onnx::OperatorInfo& op) {
  if (place_of(op) == Place::nowhere) return "";
  std::vector<std::string> named, mapped, missing, parts;
  bool view = false, in_place = false;
  for (const std::string& name : op.becomes) {
    const std::string_view instructions = instructions_of(name);
    view |= instructions == "view";
    in_place |= instructions == "in place";
    if (instructions.empty())
      missing.push_back(name);
    else if (instructions == "map")
      mapped.push_back(name);
    else if (!is_movement(instructions))
      for (const std::string& word : words_of(instructions)) named.push_back(fmt::format("`{}`", word));
  }
  if (!named.empty()) parts.push_back(fmt::format("{}", fmt::join(named, ", ")));
  if (!mapped.empty()) parts.push_back(fmt::format("`map` of {}", fmt::join(mapped, ", ")));
  if (view) parts.emplace_back("a view");
  if (in_place) parts.emplace_back("its operands made in place");
  if (!missing.empty() && missing.size() < op.becomes.size())
    parts.push_back(fmt::format("not {}", fmt::join(missing, ", ")));
  return fmt::format("{}", fmt::join(parts, "; "));
}

std::string types_text(const graph::ScalarFunction& function) {
  std::vector<std::string_view> out;
  if (function.on_float) out.emplace_back("floats");
  if (function.integer != nullptr) out.emplace_back("integers");
  if (function.on_bool) out.emplace_back("bool");
  return fmt::format("{}{}", fmt::join(out, ", "), function.to_bool ? " to bool" : "");
}

/// Why a function runs on the host.
std::string_view reason_of(std::string_view function) {
  if (function == "non_max_suppression") return "each box is kept or dropped by the boxes kept before it";
  return "";
}

}  // namespace

std::string_view name_of(Place place) {
  switch (place) {
    case Place::import:
      return "import";
    case Place::view:
      return "view";
    case Place::chip:
      return "chip";
    case Place::host:
      return "host";
    case Place::nowhere:
      return "nowhere";
  }
  return "";
}

Place place_of(const onnx::OperatorInfo& op) {
  Place place = Place::import;
  for (const std::string& name : op.becomes) {
    const std::string_view instructions = instructions_of(name);
    if (instructions.empty() && place == Place::import) return Place::nowhere;
    place = std::max(place, is_movement(instructions)     ? Place::view
                            : instructions == "host_call" ? Place::host
                            : instructions.empty()        ? place
                                                          : Place::chip);
  }
  return place;
}

std::string operators_reference() {
  std::string out = fmt::format(introduction, onnx::oldest_opset, onnx::newest_opset);
  for (const onnx::OperatorInfo& op : onnx::operators())
    out += fmt::format("| `{}` | {} | {} | {} | {} |\n", op.name, inputs_text(op), fmt::join(op.attributes, ", "),
                       name_of(place_of(op)), how_text(op));
  out += functions_introduction;
  for (const graph::Op* op : graph::scalar_ops())
    if (const graph::ScalarFunction* function = graph::scalar_function(*op); !compile::instructions_of(*op).empty())
      out += fmt::format("| `{}` | {} | {} |\n", function->name, function->arity, types_text(*function));
  out += host_introduction;
  for (const std::string_view function : isa::host_functions)
    out += fmt::format("- `{}`: {}.\n", function, reason_of(function));
  return out;
}

}  // namespace hadal::runtime

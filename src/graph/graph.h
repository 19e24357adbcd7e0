// A typed tensor graph in SSA form: what a model computes, without layout, tiles or chip.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "base/tensor.h"

namespace hadal::graph {

using ValueId = int32_t;
inline constexpr ValueId absent = -1;  ///< An optional operand that is not given.

struct Type {
  DType dtype = DType::f32;
  Shape shape;
  bool operator==(const Type&) const = default;
};

/// Named constants of a node. A name that the op's row does not list is an error when the node is made.
class Attributes {
 public:
  using Entry = std::variant<int64_t, double, std::string, std::vector<int64_t>, std::vector<double>>;
  Attributes() = default;
  Attributes(std::initializer_list<std::pair<const std::string, Entry>> entries) : entries_(entries) {}

  [[nodiscard]] int64_t integer(const std::string& name, int64_t otherwise = 0) const;
  [[nodiscard]] double number(const std::string& name, double otherwise = 0) const;
  [[nodiscard]] std::string text(const std::string& name, const std::string& otherwise = "") const;
  [[nodiscard]] std::vector<int64_t> integers(const std::string& name) const;
  [[nodiscard]] std::vector<double> numbers(const std::string& name) const;
  [[nodiscard]] bool has(const std::string& name) const { return entries_.contains(name); }
  void set(const std::string& name, Entry value) { entries_[name] = std::move(value); }
  [[nodiscard]] const std::map<std::string, Entry>& all() const { return entries_; }
  bool operator==(const Attributes&) const = default;

 private:
  std::map<std::string, Entry> entries_;
};

struct Op;

/// One result of a node, an input of the graph, or a constant.
struct Value {
  std::string name;  ///< The model's name of it, or a derived one; unique.
  Type type;
  int32_t producer = -1;           ///< Index of the node, -1 for inputs and constants.
  std::optional<Tensor> constant;  ///< Its bytes may be absent (an empty view) where data is not needed.
};

struct Node {
  const Op* op = nullptr;
  Attributes attributes;
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
  std::vector<std::string> origins;  ///< Names of the model's nodes that this one stands for; never empty.
};

/// Nodes stand in an order in which every operand is made before it is used.
struct Graph {
  std::string name;
  std::vector<Value> values;
  std::vector<Node> nodes;
  std::vector<ValueId> inputs, outputs;

  [[nodiscard]] const Type& type(ValueId v) const { return values[static_cast<size_t>(v)].type; }
  Value& value(ValueId v) { return values[static_cast<size_t>(v)]; }
  [[nodiscard]] const Value& value(ValueId v) const { return values[static_cast<size_t>(v)]; }
  [[nodiscard]] bool is_constant(ValueId v) const { return v != absent && value(v).constant.has_value(); }

  ValueId add_input(std::string name, Type type);
  ValueId add_constant(std::string name, Tensor tensor);
  /// Appends a node, infers its result types and makes its results. Errors: those of the op's `infer`, with the
  /// origin's name as place.
  Result<std::vector<ValueId>> add(const Op& op, std::vector<ValueId> inputs, Attributes attributes,
                                   std::vector<std::string> origins);
};

struct Term;     // graph/term.h
class Backward;  // graph/backward.h

/// What an op is: one row, made in src/graph/ops/NAME.cpp.
struct Op {
  std::string_view name;
  std::string_view summary;
  std::vector<std::string_view> attributes;  ///< Names it accepts.
  /// Result types from operand types; absent operands are null. Errors name the rule ("conv.C2").
  Result<std::vector<Type>> (*infer)(const std::vector<const Type*>& inputs, const Attributes&);
  /// The definition of right: plain loops over whole tensors (absent operands are null). Null: ops/kernel.h.
  std::vector<Tensor> (*reference)(const std::vector<const Tensor*>& inputs, const Attributes&,
                                   const std::vector<Type>& results);
  /// Gives each operand its share of the loss's gradient, from that of the results. Null: no float flows through it.
  void (*gradient)(Backward&) = nullptr;
  /// Where data decide how many results there are: the axis along which the (one) result's type has the most. What is
  /// not needed there is filler, at the end.
  std::optional<size_t> counted_axis = std::nullopt;

  /// The op as arithmetic, without attributes: `sqrt(x)`, `where(condition, a, b)`.
  Term operator()(const Term& a) const;
  Term operator()(const Term& a, const Term& b) const;
  Term operator()(const Term& a, const Term& b, const Term& c) const;
};

/// The op of that name, or null.
const Op* op_named(std::string_view name);
const std::vector<const Op*>& all_ops();

/// Text of a graph, one node a line, stable: for --dump-after and golden tests.
std::string text_of(const Graph& graph);
/// Structural check: SSA, order, types equal to inferred ones, unique names.
Status verify(const Graph& graph);
/// Evaluates the graph with each op's reference.
Result<std::vector<Tensor>> evaluate(const Graph& graph, const std::vector<Tensor>& inputs);

}  // namespace hadal::graph

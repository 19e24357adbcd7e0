// What an operator's importer works with. Inside this folder an error is thrown as `Failure`; `import_model` catches
// it.
#pragma once

#include <deque>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "graph/builder.h"
#include "graph/ops.h"
#include "onnx/import.h"
#include "onnx/model.h"

namespace hadal::onnx {

namespace ops = graph::ops;
using graph::absent;
using graph::Attributes;
using graph::fail;
using graph::Failure;
using graph::Integers;
using graph::Op;
using graph::Type;
using graph::ValueId;
using graph::Values;

// What is no tensor is known while importing, and has an id that no value of the graph has: `absent` of an operand that
// is not given, and these.
constexpr ValueId nothing = absent - 2;         ///< An optional without a value.
constexpr ValueId first_sequence = absent - 3;  ///< Sequences count down from here.
constexpr bool is_tensor(ValueId v) { return v >= 0; }

/// Constants are folded, origins and names kept.
class Builder final : public graph::Builder {
 public:
  explicit Builder(const ImportOptions& options) : options_(options) {}

  /// A tensor filled with one number. Error: onnx.memory.
  Tensor filled(DType dtype, const Shape& shape, double value);

  /// The tensor of a value that decides what is built. Where it depends on inputs whose values are given, these are
  /// wanted as constants. Error: onnx.dynamic, for `what`.
  [[nodiscard]] const Tensor& decisive(ValueId v, std::string_view what);
  /// Names of inputs that are wanted as constants.
  [[nodiscard]] const std::set<std::string>& wanted() const { return wanted_; }

  /// A sequence of these tensors.
  ValueId sequence(Values elements);
  [[nodiscard]] static bool is_sequence(ValueId v) { return v <= first_sequence; }
  /// Error: onnx.type, where `v` is no sequence.
  [[nodiscard]] const Values& elements_of(ValueId v) const;
  /// The word for what `v` is, in messages.
  [[nodiscard]] static std::string_view kind_of(ValueId v);

  /// A node of its own with the value of `v`, for an output that would else share v.
  ValueId copy(ValueId v);

  /// `v` stands for the present origin too: it joins the node that makes v, or the first that reads it.
  void absorb(ValueId v);
  /// Errors with onnx.memory if one value of this type passes the limit.
  void check_size(const Type& type) const;
  /// Books the bytes of a constant made while importing.
  void book(int64_t bytes);
  void unite(std::vector<std::string> origins, ValueId v);

  [[nodiscard]] bool training() const { return options_.training; }
  /// Where `old` is a parameter, `updated` takes its place after a step of training.
  void keep_running(ValueId old, ValueId updated);
  [[nodiscard]] const std::vector<Running>& running() const { return running_; }

 private:
  /// If all operands are constants and the result is small (or no larger than they are), constants.
  Values add(const Op& op, const Values& inputs, Attributes attributes) override;
  std::vector<std::string> take_origins(const Values& inputs);
  std::optional<Values> fold(const Op& op, const Values& inputs, const Attributes& attributes);

  [[nodiscard]] std::set<std::string> sources_of(ValueId v) const;
  /// The value of what comes from constants alone, but was not folded: they are dequantised, or grow.
  std::optional<Tensor> computed(ValueId v, int depth = 0);

  const ImportOptions& options_;
  int64_t booked_ = 0;
  std::deque<Values> sequences_;  ///< Its elements stay where they are.
  std::vector<Running> running_;
  std::set<std::string> wanted_;
  std::unordered_map<ValueId, std::vector<std::string>>
      pending_;  ///< Origins that wait for the first reader of a value.
};

/// Imports a graph that is an attribute, for these values of its inputs; returns those of its outputs.
using ImportBody = std::function<Values(const ModelGraph& body, const Values& inputs)>;
/// The value of that name where the node stands. Error: onnx.graph.
using LookUp = std::function<ValueId(const std::string& name)>;

/// One node of the model while it is imported.
class Site {
 public:
  Site(Builder& builder, const ModelNode& model_node, Values operands, int opset_version, ImportBody import_body,
       LookUp look_up)
      : b(builder),
        node(model_node),
        inputs(std::move(operands)),
        opset(opset_version),
        body_(std::move(import_body)),
        look_up_(std::move(look_up)) {}

  Builder& b;
  const ModelNode& node;
  Values inputs;  ///< As many as the node has; absent where its name is empty.
  int opset;

  [[nodiscard]] bool has(size_t i) const { return i < inputs.size() && inputs[i] != absent; }
  ValueId optional(size_t i) const { return i < inputs.size() ? inputs[i] : absent; }
  ValueId operator[](size_t i) const { return inputs[i]; }  ///< Checked by the row's least number of inputs.
  [[nodiscard]] bool wants(size_t output) const {
    return output < node.outputs.size() && !node.outputs[output].empty();
  }

  // Attributes; the row has checked their kinds.
  [[nodiscard]] bool has(const std::string& name) const { return node.attributes.contains(name); }
  [[nodiscard]] int64_t integer(const std::string& name, int64_t otherwise = 0) const;
  [[nodiscard]] double number(const std::string& name, double otherwise = 0) const;
  [[nodiscard]] std::string text(const std::string& name, const std::string& otherwise = "") const;
  [[nodiscard]] Integers integers(const std::string& name) const;
  [[nodiscard]] const ModelAttribute& attribute(const std::string& name) const;

  // Inputs that must be known while importing. Error: onnx.dynamic.
  [[nodiscard]] const Tensor& tensor(size_t i, std::string_view what) const;
  [[nodiscard]] Integers integers(size_t i, std::string_view what) const;
  [[nodiscard]] int64_t integer(size_t i, std::string_view what) const;
  [[nodiscard]] double number(size_t i, std::string_view what) const;
  [[nodiscard]] std::vector<double> numbers(size_t i, std::string_view what) const;
  /// The list from attribute `name`, or from input i where later opsets have it there; none if neither is given.
  [[nodiscard]] std::optional<Integers> list(const std::string& name, size_t i) const;

  /// Counted from 0: -rank <= axis < rank. Error: onnx.attribute.
  [[nodiscard]] static int64_t axis(int64_t axis, int64_t rank);
  [[nodiscard]] static Integers axes(Integers axes, int64_t rank);

  /// The graph that is attribute `name`, once for these inputs.
  [[nodiscard]] Values body(const std::string& name, const Values& operands) const {
    return body_(*attribute(name).graph, operands);
  }

  /// The value that the model calls so.
  [[nodiscard]] ValueId named(const std::string& name) const { return look_up_(name); }

  // Shorthands.
  ValueId make(const Op& op, const Values& operands, Attributes attributes = {}) const {
    return b.make(op, operands, std::move(attributes));
  }

 private:
  ImportBody body_;
  LookUp look_up_;
};

using ImportFunction = Values (*)(Site&);

/// An operator of ONNX: one row, in the file of its family.
struct Operator {
  std::string_view type;
  ImportFunction import;
  std::string_view becomes;     ///< Ops of the graph that it can become; none where it is known while importing.
  size_t least, most;           ///< Inputs.
  std::string_view attributes;  ///< "axis:i kernel_shape:is ..."; others are errors.
  std::string_view domain = "";
  bool any_kind = false;  ///< Inputs may be sequences and optionals without a value.
};

std::span<const Operator> elementwise_operators();
std::span<const Operator> shape_operators();
std::span<const Operator> constant_operators();
std::span<const Operator> index_operators();
std::span<const Operator> conv_operators();
std::span<const Operator> pool_operators();
std::span<const Operator> matmul_operators();
std::span<const Operator> norm_operators();
std::span<const Operator> reduce_operators();
std::span<const Operator> resize_operators();
std::span<const Operator> attention_operators();
std::span<const Operator> quantize_operators();
std::span<const Operator> control_operators();
std::span<const Operator> recurrent_operators();
std::span<const Operator> sample_operators();
std::span<const Operator> loss_operators();
std::span<const Operator> signal_operators();
std::span<const Operator> integer_operators();
std::span<const Operator> qlinear_operators();
std::span<const Operator> training_operators();
std::span<const Operator> learn_operators();
std::span<const Operator> arrange_operators();
std::span<const Operator> linear_attention_operators();
std::span<const Operator> cached_attention_operators();
std::span<const Operator> fused_operators();
std::span<const Operator> determinant_operators();
std::span<const Operator> sequence_operators();
std::span<const Operator> random_operators();

/// The row of a type in a domain, or null.
const Operator* operator_named(const std::string& domain, const std::string& type);
/// Errors where inputs are too few or too many, or of another kind than the row's: onnx.inputs, onnx.type.
void check_inputs(const Operator& row, const Values& inputs);
/// Errors where the node has an attribute that the row does not list, or of another kind.
void check_attributes(const Operator& row, const ModelNode& node);

/// How an element of a sequence that enters or leaves the model is called: "list[0]".
inline std::string element_name(const std::string& sequence, size_t i) { return fmt::format("{}[{}]", sequence, i); }

/// The results of a node that a kernel computes; none: it is imported as usual. Errors: kernel.inputs, kernel.shape,
/// those of the kernel.
std::optional<Values> import_kernel(Builder& b, const ModelNode& node, const Values& inputs, const KernelTable& table);

/// Imports the model's graph, again wherever given values of inputs turn out to be wanted. Throws Failure.
Imported import_graph(const Model& model, const ImportOptions& options);

}  // namespace hadal::onnx

// Makes values and nodes of a graph: what importers, gradients, losses and optimisers build with. Here an error is
// thrown as `Failure`, so that code reads as the expression it builds; whoever makes a builder catches it. No other
// exception is used.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "graph/graph.h"

namespace hadal::graph {

using Values = std::vector<ValueId>;
using Integers = std::vector<int64_t>;

struct Failure {
  Error error;
};
template <class... Args>
[[noreturn]] void fail(std::string code, fmt::format_string<Args...> format, Args&&... args) {
  throw Failure{Error{std::move(code), fmt::format(format, std::forward<Args>(args)...)}};
}

/// A tensor of one number.
Tensor filled(DType dtype, Shape shape, double value);
/// Whether the elements of a tensor are there, or there are none.
inline bool has_data(const Tensor& tensor) { return !tensor.bytes.view.empty() || tensor.size() == 0; }

class Builder {
 public:
  Builder() = default;
  explicit Builder(Graph to_extend) : graph(std::move(to_extend)) {}
  virtual ~Builder() = default;

  /// Nodes made from here on stand for the model's node of this name.
  void begin_origin(std::string origin) { origin_ = std::move(origin); }

  /// The results of op. Throws Failure: those of the op's `infer`.
  Values make_all(const Op& op, const Values& inputs, Attributes attributes = {}) {
    return add(op, inputs, std::move(attributes));
  }
  ValueId make(const Op& op, const Values& inputs, Attributes attributes = {}) {
    return add(op, inputs, std::move(attributes))[0];
  }
  ValueId constant(Tensor tensor);
  ValueId constant(const Integers& values);  ///< i64, one axis.
  ValueId scalar(DType dtype, double value);
  ValueId integer(int64_t value) { return reshape(constant(Integers{value}), {}); }  ///< i64, exact.

  [[nodiscard]] const Type& type(ValueId v) const { return graph.type(v); }
  [[nodiscard]] const Shape& shape(ValueId v) const { return graph.type(v).shape; }
  [[nodiscard]] DType dtype(ValueId v) const { return graph.type(v).dtype; }
  [[nodiscard]] int64_t rank(ValueId v) const { return static_cast<int64_t>(shape(v).size()); }

  /// The constant's tensor if `v` is one whose bytes are there, else null.
  [[nodiscard]] const Tensor* known(ValueId v) const;

  // The commonest nodes; those that would change nothing give their operand.
  ValueId reshape(ValueId x, Shape to);
  ValueId transpose(ValueId x, Integers order);
  ValueId broadcast(ValueId x, Shape to);
  ValueId cast(ValueId x, DType to);
  ValueId slice(ValueId x, int64_t axis, int64_t start, int64_t size);
  ValueId reduce(ValueId x, std::string kind, Integers axes, bool keep = true);

  Graph graph;

 protected:
  virtual Values add(const Op& op, const Values& inputs, Attributes attributes);

  std::string origin_;
};

}  // namespace hadal::graph

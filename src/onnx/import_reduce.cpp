#include <map>
#include <numeric>

#include "onnx/importer.h"

namespace hadal::onnx {

namespace {

/// What a reduction over no axes does with each element.
Values over_no_axes(Site& n, const std::string& kind) {
  if (kind == "l1" || kind == "l2") return {n.make(ops::abs, {n[0]})};
  if (kind == "sum_square") return {n.make(ops::mul, {n[0], n[0]})};
  if (kind == "log_sum") return {n.make(ops::log, {n[0]})};
  return {n[0]};
}

/// Axes are an attribute, or an input in later opsets; none means all (or, with noop_with_empty_axes, none).
Values reduce(Site& n) {
  static const std::map<std::string, std::string> kinds{{"ReduceL1", "l1"},          {"ReduceL2", "l2"},
                                                        {"ReduceLogSum", "log_sum"}, {"ReduceLogSumExp", "log_sum_exp"},
                                                        {"ReduceMax", "max"},        {"ReduceMean", "mean"},
                                                        {"ReduceMin", "min"},        {"ReduceProd", "prod"},
                                                        {"ReduceSum", "sum"},        {"ReduceSumSquare", "sum_square"}};
  Integers axes = Site::axes(n.list("axes", 1).value_or(Integers{}), n.b.rank(n[0]));
  const std::string& kind = kinds.at(n.node.type);
  if (axes.empty() && n.integer("noop_with_empty_axes")) return over_no_axes(n, kind);
  if (axes.empty()) {
    axes.resize(n.b.shape(n[0]).size());
    std::iota(axes.begin(), axes.end(), 0);
  }
  return {n.b.reduce(n[0], kind, axes, n.integer("keepdims", 1) != 0)};
}

Values arg_reduce(Site& n) {
  const int64_t axis = Site::axis(n.integer("axis"), n.b.rank(n[0]));
  return {n.make(ops::arg_reduce, {n[0]},
                 {{"kind", n.node.type == "ArgMax" ? "max" : "min"},
                  {"axis", axis},
                  {"keep", n.integer("keepdims", 1)},
                  {"last", n.integer("select_last_index")}})};
}

constexpr std::string_view reduce_attributes = "axes:is keepdims:i noop_with_empty_axes:i";
constexpr Operator rows[] = {
    {"ArgMax", arg_reduce, "arg_reduce", 1, 1, "axis:i keepdims:i select_last_index:i"},
    {"ArgMin", arg_reduce, "arg_reduce", 1, 1, "axis:i keepdims:i select_last_index:i"},
    {"ReduceL1", reduce, "reduce abs", 1, 2, reduce_attributes},
    {"ReduceL2", reduce, "reduce abs", 1, 2, reduce_attributes},
    {"ReduceLogSum", reduce, "reduce log", 1, 2, reduce_attributes},
    {"ReduceLogSumExp", reduce, "reduce", 1, 2, reduce_attributes},
    {"ReduceMax", reduce, "reduce", 1, 2, reduce_attributes},
    {"ReduceMean", reduce, "reduce", 1, 2, reduce_attributes},
    {"ReduceMin", reduce, "reduce", 1, 2, reduce_attributes},
    {"ReduceProd", reduce, "reduce", 1, 2, reduce_attributes},
    {"ReduceSum", reduce, "reduce", 1, 2, reduce_attributes},
    {"ReduceSumSquare", reduce, "reduce mul", 1, 2, reduce_attributes},
};

}  // namespace

std::span<const Operator> reduce_operators() { return rows; }

}  // namespace hadal::onnx

#include "graph/ops.h"

#include <map>

#include "graph/ops/scalar.h"

namespace hadal::graph {

const std::vector<const Op*>& all_ops() {
  using namespace ops;
  static const std::vector<const Op*> all = [] {
    std::vector<const Op*> list = scalar_ops();
    list.insert(list.end(), {&cast,
                             &bitcast,
                             &dequantize,
                             &quantize,
                             &reshape,
                             &transpose,
                             &broadcast,
                             &slice,
                             &pad,
                             &concat,
                             &gather,
                             &gather_elements,
                             &scatter,
                             &topk,
                             &cumsum,
                             &matmul,
                             &scaled_matmul,
                             &conv,
                             &conv_transpose,
                             &reduce,
                             &arg_reduce,
                             &pool,
                             &softmax,
                             &normalize,
                             &resize,
                             &non_max_suppression});
    return list;
  }();
  return all;
}

const Op* op_named(std::string_view name) {
  static const auto by_name = [] {
    std::map<std::string_view, const Op*> names;
    for (const Op* op : all_ops()) names[op->name] = op;
    return names;
  }();
  const auto found = by_name.find(name);
  return found == by_name.end() ? nullptr : found->second;
}

}  // namespace hadal::graph

// Arithmetic on the values of a node that is imported.
#pragma once

#include "graph/term.h"
#include "onnx/importer.h"

namespace hadal::onnx {

using graph::joined;
using graph::Term;

/// 0, 1, ... count - 1 as i64, within the memory limit.
inline Term positions(Site& n, int64_t count) {
  n.b.check_size({DType::i64, {count}});
  n.b.book(count * 8);
  return graph::positions(n.b, count);
}
/// Tensors of one shape in turn along a new axis.
inline ValueId stacked(Site& n, const Values& list, int64_t axis) {
  std::vector<Term> parts;
  for (const ValueId v : list) {
    if (!is_tensor(v)) fail("onnx.type", "{} is stacked, expected tensors", Builder::kind_of(v));
    Shape apart = n.b.shape(v);
    axis = Site::axis(axis, std::ssize(apart) + 1);
    apart.insert(apart.begin() + axis, 1);
    parts.push_back(Term{&n.b, v}.reshaped(apart));
  }
  return joined(parts, axis).id;
}
inline Term input(Site& n, size_t i) { return {&n.b, n[i]}; }

}  // namespace hadal::onnx

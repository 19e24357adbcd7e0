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
inline Term input(Site& n, size_t i) { return {&n.b, n[i]}; }

}  // namespace hadal::onnx

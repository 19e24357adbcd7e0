// Models whose nodes stand in any order: converters append casts at the end, and other runtimes sort.
#pragma once

#include <vector>

#include "onnx/model.h"

namespace hadal::onnx {

/// Puts each node behind those that make what it reads, and else leaves the order as it is. What waits in a cycle comes
/// last.
void put_in_order(std::vector<ModelNode>& nodes);

}  // namespace hadal::onnx

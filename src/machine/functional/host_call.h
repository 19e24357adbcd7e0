// Functions of the host, by name.
#pragma once

#include <string_view>

#include "machine/functional/kernel.h"

namespace hadal::machine {

using HostFunction = Status (*)(Call&);
/// Null where the host has no function of that name.
HostFunction host_function_named(std::string_view name);

/// Greedy suppression of overlapping boxes, as ONNX NonMaxSuppression states it. in0: boxes [batch, n, 4] by two
/// corners; in1: scores [batch, classes, n]; in2, in3, in4: together up to three numbers: boxes kept a class, largest
/// overlap (IoU), smallest score. out: rows of (batch, class, box), and their number in count; rows that are not needed
/// are -1.
Status non_max_suppression(Call& call);

}  // namespace hadal::machine

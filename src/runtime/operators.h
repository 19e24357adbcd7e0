// Which operators of ONNX are known, and where each runs.
#pragma once

#include <string>

#include "onnx/import.h"

namespace hadal::runtime {

/// Where an operator's work is done.
enum class Place { import, view, chip, host, nowhere };
std::string_view name_of(Place place);

/// The furthest of the places that the ops it becomes run at. `nowhere` only where the first of them, its own, has
/// none.
Place place_of(const onnx::OperatorInfo& op);

/// docs/ops.md, printed from the tables of importers, ops and lowerings.
std::string operators_reference();

}  // namespace hadal::runtime

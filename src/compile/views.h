// Ops that strides can often say, so that nothing moves.
#pragma once

#include <optional>
#include <vector>

#include "compile/emitter.h"

namespace hadal::compile {

bool is_view(const graph::Op* op);

/// Strides of the same memory under other extents (row-major reading order), or none where no strides can say it.
std::optional<std::vector<int64_t>> reshaped_strides(const Shape& extents, const std::vector<int64_t>& strides,
                                                     const Shape& to);

/// What a view op makes of its source, if strides can say it.
std::optional<Placed> view_of(const graph::Node& node, const Placed& source, const Shape& shape);

/// Where the source of a view lies that lies at `view`, if strides can say it.
std::optional<Placed> source_of(const graph::Node& node, const Placed& view, const Shape& shape);

}  // namespace hadal::compile

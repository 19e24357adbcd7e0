// What the gradients of convolution and of its transpose share.
#pragma once

#include "graph/ops/window.h"
#include "graph/term.h"

namespace hadal::graph {

/// Of a convolution's filters [O, C/groups, k...]: image [N, C, s...] is what its window slides over, result [N, O,
/// o...] the gradient at its positions. Itself a convolution, of the image by the gradient: strides and dilations swap,
/// and what was the batch is contracted.
Term filter_gradient(const Term& image, const Term& result, const Window& window, int64_t groups);

/// Attributes of the conv_transpose that takes positions of a window over `extents` back to exactly these.
Attributes spread_attributes(const Window& window, const Shape& extents, const Shape& positions, int64_t groups);

/// A bias's gradient: [C] of [N, C, s...].
Term sum_of_channels(const Term& g);

}  // namespace hadal::graph

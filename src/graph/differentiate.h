// Reverse-mode differentiation: a loss's gradients as nodes of the same graph.
#pragma once

#include "graph/builder.h"

namespace hadal::graph {

/// The gradient of `loss`, a float of one element, by each of `by`, of its type; `absent` where the loss does not
/// depend on it through floats. Their nodes stand behind the graph's, with origins "NODE.gradient". Throws Failure:
/// gradient.missing (an op without a rule, with its node), gradient.loss (more than one element).
Values differentiate(Builder& b, ValueId loss, const Values& by);

}  // namespace hadal::graph

// The scalar functions as one table: what each computes on numbers.
#pragma once

#include "graph/graph.h"

namespace hadal::graph {

/// Holds every 64-bit integer, signed or not, and their sums.
using Wide = __int128;

/// One row. Unused operands are passed as 0.
struct ScalarFunction {
  std::string_view name;
  int arity;                                                                     ///< 1 to 3.
  double (*evaluate)(double a, double b, double c, double alpha, double beta);   ///< On floats (and bool as 0, 1).
  Wide (*integer)(Wide a, Wide b, Wide c, double alpha, double beta) = nullptr;  ///< On integers; null: not defined.
  bool to_bool = false;                                                          ///< The result is bool.
  bool on_float = true;                                                          ///< Defined for floats.
  bool on_bool = false;                                                          ///< Defined for bool.
  double alpha = 0, beta = 0;                                                    ///< Where the attribute is not given.
};

/// The row of `op`, or null if it is not a scalar function.
const ScalarFunction* scalar_function(const Op& op);
/// All ops that are scalar functions.
const std::vector<const Op*>& scalar_ops();

}  // namespace hadal::graph

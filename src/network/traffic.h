// Synthetic traffic: which node a node sends to.
#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "network/grid.h"
#include "network/random.h"

namespace hadal::network {

/// A pattern on a grid, as usual in the literature (Dally and Towles, Principles and Practices of Interconnection
/// Networks, section 3.2). With s a node of N = 2^b, and c one of its coordinates in a dimension of k:
///   uniform    any of the N nodes, itself included
///   transpose  x and y exchanged                      neighbor   c + 1 mod k in both dimensions
///   bitcomp    s with its bits inverted               tornado    c + ceil(k / 2) - 1 mod k in both dimensions
///   shuffle    s with its b bits rotated left by one
class Traffic {
 public:
  /// Errors: traffic.name, traffic.grid (the pattern needs a square grid, or a power of two of nodes).
  static Result<Traffic> named(std::string_view pattern, const Grid& grid);

  Node destination(Node source, Random& random) const { return fixed_.empty() ? random.below(nodes_) : fixed_[source]; }

 private:
  uint32_t nodes_ = 1;
  std::vector<Node> fixed_;  ///< By source; empty: any.
};

}  // namespace hadal::network

// Heads of attention: apart, shared, and turned by position.
#pragma once

#include "onnx/terms.h"

namespace hadal::onnx {

/// [B,S,heads*size] as [B,heads,S,size]; what has four axes already stays. Errors: onnx.shape.
Term split_heads(const Term& x, int64_t heads);
/// The other way.
Term merged_heads(const Term& x);
/// Repeats each head of a key or value for the query heads that share it. Errors: onnx.shape.
Term repeat_heads(const Term& x, int64_t heads);
/// Query heads in groups that share a key and value head, which is then read by the whole group and not repeated. One
/// query of each head: the group is the rows of one product; else an axis over which keys and values are broadcast.
class SharedHeads {
 public:
  /// Queries are [B,heads,S,size], keys [B,shared,T,size]. Errors: onnx.shape.
  SharedHeads(const Term& query, const Term& key);
  /// Of queries, scores or masks [...,heads or 1,S or 1,T]; what has less than three axes stays.
  [[nodiscard]] Term apart(const Term& x) const;
  /// Of keys or values.
  [[nodiscard]] Term shared(const Term& x) const;
  /// Of what a product of both gave: [B,heads,S,T].
  [[nodiscard]] Term together(const Term& x) const;

 private:
  int64_t heads_ = 1, shared_ = 1, rows_ = 1;
};
/// The weights of keys, over the last axis.
Term softmax_of(const Term& scores);
/// Of scores of heads of a size, where the node's attribute does not say or is 0.
double scale_of(const Site& n, int64_t size);
/// Rotary positions: pairs of the first elements of x [B,S,heads,size] turn by angles given as cosines and sines, [B or
/// 1,S,1,half]; pairs are neighbours, or halves apart. Errors: onnx.shape.
Term turned(const Term& x, const Term& cosine, const Term& sine, bool neighbours);

}  // namespace hadal::onnx

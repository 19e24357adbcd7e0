// What all emitters of attention share: out[b..., m, n] = softmax(q[b..., m, d] k[b..., d, s]) v[b..., s, n], an
// epilogue behind each product.
#pragma once

#include <string>
#include <vector>

#include "compile/matrix_tiling.h"
#include "compile/product.h"

namespace hadal::compile {

/// The operands over [batch..., m], and tiles of them.
class Attention {
 public:
  Attention(Emitter& e, const Group& scores, const Group& mix);

  /// One of the products, and the operands of its epilogue.
  struct Side {
    const Group& group;
    std::vector<Placed> streams;
    std::vector<std::vector<int64_t>> strides;  ///< Over [rows..., last].
    std::vector<int> tensors;
    Expr chain, shorter;                  ///< Without the mask.
    std::vector<isa::Sharing> sharing{};  ///< Of streams, by cores; none: nobody.
  };

  /// Opens the phase: its tensors and its work, of which the scores are `visible`.
  void begin(int64_t visible);
  /// Units of so many rows, and of so many of the first batch dim.
  [[nodiscard]] std::vector<int64_t> unit_counts(int64_t block, int64_t heads);
  [[nodiscard]] TileBox unit_box(const std::vector<Expr>& at) const { return tile_box(extents_, parts_, at); }
  /// Parts of a unit's rows, so many each; the last may be short or empty.
  [[nodiscard]] std::vector<TileBox> rows_of(const TileBox& unit, int64_t parts, int64_t rows) const;

  [[nodiscard]] tile::TileView load_q(const TileBox& box) const;
  /// Keys [d, st] or values [st, n] from `s0` on.
  [[nodiscard]] tile::TileView load_k(const TileBox& unit, const Expr& s0, const Expr& st,
                                      const isa::Sharing& sharing = {}) const;
  [[nodiscard]] tile::TileView load_v(const TileBox& unit, const Expr& s0, const Expr& st,
                                      const isa::Sharing& sharing = {}) const;
  /// Scores of a box [batch..., rows, keys], epilogue included, but for the mask where it is not `masked`; `number`
  /// chooses the accumulator.
  tile::TileView score(const TileBox& box, const tile::TileView& q, const tile::TileView& k, const Expr& number,
                       bool masked = true);
  /// Weighted values into a tile of `ring`; `epilogue`: the group's own.
  tile::TileView mix(const TileBox& box, Ring ring, DType dtype, bool epilogue, const tile::TileView& weights,
                     const tile::TileView& v, const Expr& number);

  [[nodiscard]] int64_t batch() const;
  /// As of a group.
  [[nodiscard]] int64_t reach() const { return rows_apart() ? scores.group.reach : INT64_MAX; }
  [[nodiscard]] int64_t clear() const { return rows_apart() ? scores.group.clear : INT64_MIN; }
  /// Byte strides of keys and values over `rows`.
  [[nodiscard]] const std::vector<int64_t>& strides_k() const { return row_strides_[1]; }
  [[nodiscard]] const std::vector<int64_t>& strides_v() const { return row_strides_[2]; }

  Emitter& e;
  Placed q, k, v, out;
  Side scores, mixed;
  DType scores_type, weights_type;
  std::vector<int64_t> rows;  ///< Extents of the batch dims and m.
  int64_t m = 1, d = 1, s = 1, n = 1;
  int to = 0;  ///< The result's tensor.

 private:
  [[nodiscard]] bool rows_apart() const { return m == from_end(out.extents, 2); }
  void declare_streams(Side& side, int64_t last);
  [[nodiscard]] tile::TileView load(Ring ring, const MatrixOperand& from, const TileBox& box, const Expr& first,
                                    const Expr& first_extent, const Expr& second, const Expr& second_extent,
                                    const char* name, const isa::Sharing& sharing) const;
  /// The first `operands` of the epilogue's, for `chain`.
  tile::TileView product(Side& side, const TileBox& box, Ring ring, DType dtype, size_t operands, const Expr& chain,
                         const tile::TileView& a, bool a_swapped, const tile::TileView& b, bool b_swapped,
                         const Expr& number);

  const graph::Node &scores_node_, &mix_node_;
  std::vector<std::vector<int64_t>> row_strides_;  ///< Of q, k, v and out over `rows`.
  MatrixOperand from_q_, from_k_, from_v_;
  std::vector<int64_t> extents_, parts_;  ///< Of the grid.
};

}  // namespace hadal::compile

// A matrix product as its emitters see it: rows, columns, contraction, and the strides of each operand over them.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "compile/tiling.h"

namespace hadal::compile {

/// A batch of products out[b..., m, n] = a[b..., m, k] b[b..., k, n] with strides; batch dims that no operand tells
/// from rows are rows.
struct Product {
  std::vector<int64_t> rows;       ///< Extents of the batch dims and m.
  std::vector<int64_t> a, b, out;  ///< Byte strides over these.
  std::vector<std::vector<int64_t>> streams;
  std::vector<int64_t> a_scale, b_scale;  ///< Of scaled products.
  int64_t n = 1, k = 1, a_k = 0, b_k = 0, b_n = 0, out_n = 0;
  std::vector<int64_t> streams_n;
};

/// An operand's strides over the batch dims and rows of a result of rank `rank`; `m_stride` is that along the rows.
std::vector<int64_t> row_strides(const Placed& operand, size_t rank, int64_t m_stride);

inline int64_t from_end(const std::vector<int64_t>& of, size_t back) { return of[of.size() - back]; }

/// A space over [batch..., m], with as few dims as its operands allow. Those numbered in `without_rows` repeat along m,
/// which has extent 1 where the last dim is a batch of theirs.
IndexSpace row_space(IndexSpace space, std::initializer_list<size_t> without_rows);

/// `scales` are none, or those of a and of b.
Product product_of(const graph::Node& node, const Placed& a, const Placed& b, const Placed& out,
                   const std::vector<Placed>& streams, const std::vector<Placed>& scales = {});

/// Dims of a matrix operand in memory: [batch..., first, second], and whether they are swapped from (first, second).
struct MatrixOperand {
  int tensor = 0;
  bool swapped = false;
  std::vector<int64_t> batch_strides;  ///< Of the index, where matrices are looked up.
  int index = -1;                      ///< Tensor of the index, [batch...]; -1: they are not looked up.
  int64_t tables = 0;                  ///< Matrices that there are.
};

/// Matrices that an index names: a table [tables, k, n], and the index [batch].
struct Lookup {
  Placed table, index;
};
/// What a product sees of them: strides along the batch are those of the index.
Placed looked_up(const Lookup& lookup);

/// Without `may_swap`, tiles are [1, first, second] whatever the order in memory.
MatrixOperand matrix_operand(Emitter& e, const Placed& placed, const std::vector<int64_t>& rows,
                             const std::vector<int64_t>& strides, std::pair<int64_t, int64_t> first,
                             std::pair<int64_t, int64_t> second, const std::string& name, bool may_swap = true);

/// The same of matrices that are looked up.
MatrixOperand matrix_operand(Emitter& e, const Lookup& lookup, const std::vector<int64_t>& rows,
                             const std::vector<int64_t>& strides, const std::string& name);

/// What a tile's matrix is looked up by; nothing where it is not.
std::optional<tile::TileView> load_index(Emitter& e, const MatrixOperand& operand, const std::vector<Expr>& batch);

/// A part of an operand: [1, first, second], or the last two swapped as they are in memory.
struct MatrixPart {
  Expr first, first_extent, second, second_extent;
};
tile::TileView load_matrix(Emitter& e, Ring ring, const MatrixOperand& operand, const std::vector<Expr>& batch,
                           const MatrixPart& part, const std::optional<tile::TileView>& index, const std::string& name,
                           const isa::Sharing& sharing = {});

/// The part of an operand that a tile reads.
tile::Window matrix_window(const MatrixOperand& operand, const std::vector<Expr>& batch, const Expr& first,
                           const Expr& first_extent, const Expr& second, const Expr& second_extent);

}  // namespace hadal::compile

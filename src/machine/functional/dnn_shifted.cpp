#include "machine/functional/dnn_shifted.h"

#include <cstring>

#include "machine/functional/dnn_shapes.h"

namespace hadal::machine {

std::byte* shifted_bytes(const MatrixCall& m, Buffer& buffer) {
  Dims padded = m.a.extents();
  for (size_t i = 0; i < 3 && !m.is_matmul(); ++i) padded[1 + i] += m.before[i] + m.after[i];
  const Dims strides = dense_strides(m.a.rank(), padded, 1);
  int64_t elements = 1, first = 0;  // first: where the unpadded part begins
  for (size_t i = 0; i < static_cast<size_t>(m.a.rank()); ++i) elements *= padded[i];
  for (size_t i = 0; i < 3 && !m.is_matmul(); ++i) first += m.before[i] * strides[1 + i];
  auto* to = buffer.of<std::byte>(elements);
  if (elements != m.a.elements()) std::memset(to, 0, static_cast<size_t>(elements));
  copy_box(m.a.rank(), m.a.extents(), {to + first, DType::i8, strides}, {m.a.data, DType::i8, m.a.box->strides});
  for (int64_t i = 0; i < elements; ++i) to[i] ^= std::byte{0x80};
  return to;
}

std::vector<int32_t> shifted_column_sums(const MatrixCall& m) {
  const DnnDims strides = element_strides(m.b);
  const size_t rank = strides.size(), channel = m.transpose_b ? 1 : rank - 1;
  const bool batched = m.is_matmul() && m.b.extent(0) > 1;
  std::vector<int32_t> sums(static_cast<size_t>(m.b.extent(channel) * (batched ? m.b.extent(0) : 1)), 0);
  Dims index{};
  while (true) {
    int64_t at = 0;
    for (size_t i = 0; i < rank; ++i) at += index[i] * strides[i];
    const int64_t column = index[channel] + (batched ? index[0] * m.b.extent(channel) : 0);
    sums[static_cast<size_t>(column)] += 128 * m.b.as<int8_t>()[at];
    size_t i = rank;
    while (i-- > 0 && ++index[i] == m.b.extent(i)) index[i] = 0;
    if (i == SIZE_MAX) return sums;
  }
}

void unshift(const MatrixCall& m, const std::vector<int32_t>& column_sums, std::byte* sums) {
  const auto columns = static_cast<size_t>(m.out.extent(static_cast<size_t>(m.out.rank() - 1)));
  const auto rows = static_cast<size_t>(m.out.elements()) / columns;
  const size_t rows_each = rows / (column_sums.size() / columns);
  auto* row = reinterpret_cast<uint32_t*>(sums);
  for (size_t i = 0; i < rows; ++i, row += columns) {
    const int32_t* shift = column_sums.data() + i / rows_each * columns;
    for (size_t j = 0; j < columns; ++j) row[j] -= static_cast<uint32_t>(shift[j]);
  }
}

}  // namespace hadal::machine

// The definition of the matrix instructions: one output after the other, products in ascending order of the
// contraction.
#include <algorithm>
#include <cstring>

#include "machine/functional/matrix.h"
#include "machine/functional/numbers.h"

namespace hadal::machine {

namespace {

/// Element `index` of an operand, as it is multiplied.
template <class T>
T element(const MatrixCall& m, const Operand& operand, std::initializer_list<int64_t> index) {
  int64_t at = 0;
  size_t axis = 0;
  for (const int64_t i : index) at += i * operand.box->strides[axis++];
  const T value = get<T>(operand.dtype(), operand.data + at);
  if constexpr (std::is_same_v<T, float>)
    if (m.call.options.round_products_to_bf16) return from_bf16(to_bf16(value));
  return value;
}

/// Sums are kept as f32, or as i32 that wraps.
template <class T>
T add_product(T sum, T a, T b) {
  if constexpr (std::is_same_v<T, float>)
    return sum + a * b;
  else
    return static_cast<int32_t>(static_cast<uint32_t>(sum + a * b));
}

template <class T>
T matmul_at(const MatrixCall& m, T sum, int64_t batch, int64_t row, int64_t column) {
  const int64_t i = m.a.extent(0) == 1 ? 0 : batch, j = m.b.extent(0) == 1 ? 0 : batch;
  const auto add = [&](T before, int64_t k) {
    return add_product(before, m.transpose_a ? element<T>(m, m.a, {i, k, row}) : element<T>(m, m.a, {i, row, k}),
                       m.transpose_b ? element<T>(m, m.b, {j, column, k}) : element<T>(m, m.b, {j, k, column}));
  };
  if (m.is_scaled()) {
    for (int64_t first = 0; first < m.depth(); first += isa::scale_block) {
      T products = 0;
      for (int64_t k = first; k < std::min<int64_t>(m.depth(), first + isa::scale_block); ++k)
        products = add(products, k);
      sum = add_product(sum, products, static_cast<T>(m.scale(batch, row, first / isa::scale_block, column)));
    }
    return sum;
  }
  for (int64_t k = 0; k < m.depth(); ++k) sum = add(sum, k);
  return sum;
}

/// Place in `x` that tap `t` of output `p` reads along an axis, or -1 where there is none.
int64_t source(const MatrixCall& m, size_t axis, int64_t p, int64_t t) {
  const int64_t extent = m.a.extent(1 + axis);
  if (m.op != isa::Opcode::conv_transpose) {
    const int64_t at = p * m.stride[axis] + t * m.dilation[axis] - m.before[axis];
    return at >= 0 && at < extent ? at : -1;
  }
  const int64_t spread = p + m.before[axis] - t * m.dilation[axis];
  return spread >= 0 && spread % m.stride[axis] == 0 && spread / m.stride[axis] < extent ? spread / m.stride[axis] : -1;
}

template <class T>
T conv_at(const MatrixCall& m, T sum, int64_t n, std::array<int64_t, 3> p, int64_t o) {
  const bool depthwise = m.op == isa::Opcode::conv_depthwise;
  const int64_t inputs = depthwise ? 1 : m.b.extent(3), group = depthwise ? 0 : o / (m.out.extent(4) / m.groups);
  for (int64_t kd = 0; kd < m.b.extent(0); ++kd)
    for (int64_t kh = 0; kh < m.b.extent(1); ++kh)
      for (int64_t kw = 0; kw < m.b.extent(2); ++kw) {
        const int64_t d = source(m, 0, p[0], kd), h = source(m, 1, p[1], kh), w = source(m, 2, p[2], kw);
        if (d < 0 || h < 0 || w < 0) continue;
        if (depthwise) {
          const int64_t each = m.b.extent(3);
          sum = add_product(sum, element<T>(m, m.a, {n, d, h, w, o / each}),
                            element<T>(m, m.b, {kd, kh, kw, o % each, o / each}));
          continue;
        }
        for (int64_t c = 0; c < inputs; ++c)
          sum = add_product(sum, element<T>(m, m.a, {n, d, h, w, group * inputs + c}),
                            element<T>(m, m.b, {kd, kh, kw, c, o}));
      }
  return sum;
}

/// `sums` are stored as Stored and added up as T.
template <class Stored, class T>
void sum(const MatrixCall& m, bool accumulate, std::byte* sums) {
  const Operand& out = m.out;
  std::array<int64_t, isa::rank_limit> index{};
  const auto rank = static_cast<size_t>(out.rank());
  for (auto* at = reinterpret_cast<Stored*>(sums);; ++at) {
    const T before = accumulate ? static_cast<T>(*at) : T(0);
    *at = static_cast<Stored>(m.is_matmul() ? matmul_at(m, before, index[0], index[1], index[2])
                                            : conv_at(m, before, index[0], {index[1], index[2], index[3]}, index[4]));
    size_t axis = rank;
    while (axis-- > 0 && ++index[axis] == out.extent(axis)) index[axis] = 0;
    if (axis == SIZE_MAX) return;
  }
}

}  // namespace

void sum_exactly(const MatrixCall& matrix, bool accumulate, std::byte* sums) {
  matrix.integers() ? sum<int32_t, int64_t>(matrix, accumulate, sums) : sum<float, float>(matrix, accumulate, sums);
}

}  // namespace hadal::machine

// Matrix instructions by plain loops along output channels: what is left where oneDNN has no good implementation.
#include <algorithm>
#include <cstring>

#include "machine/functional/convert.h"
#include "machine/functional/matrix.h"
#include "machine/functional/worker.h"

namespace hadal::machine {

namespace {

/// Sums of integers wrap, so they are unsigned here.
template <class T>
constexpr DType type_of = std::is_same_v<T, float> ? DType::f32 : DType::i32;

/// A dense copy of an operand as T, with its last two axes exchanged where `transpose`.
template <class T>
const T* converted(const MatrixCall& m, const Operand& operand, bool transpose, Buffer& buffer) {
  Dims extents = operand.extents(), strides = operand.box->strides;
  if (transpose) {
    std::swap(extents[1], extents[2]);
    std::swap(strides[1], strides[2]);
  }
  const int64_t n = operand.elements();
  T* to = buffer.of<T>(n);
  copy_box(operand.rank(), extents,
           {reinterpret_cast<std::byte*>(to), type_of<T>, dense_strides(operand.rank(), extents, 4)},
           {operand.data, operand.dtype(), strides});
  if constexpr (std::is_same_v<T, float>)
    if (m.call.options.round_products_to_bf16) round_to_bf16(to, to, static_cast<size_t>(n));
  return to;
}

template <class T>
void add_scaled(T* to, const T* from, T scale, int64_t n) {
  for (int64_t i = 0; i < n; ++i) to[i] += scale * from[i];
}

template <class T>
void matmul(const MatrixCall& m, const T* a, const T* b, T* sums) {
  const int64_t batch = m.out.extent(0), rows = m.out.extent(1), columns = m.out.extent(2), depth = m.depth();
  const int64_t a_step = m.a.extent(0) == 1 ? 0 : rows * depth, b_step = m.b.extent(0) == 1 ? 0 : depth * columns;
  for (int64_t i = 0; i < batch; ++i)
    for (int64_t row = 0; row < rows; ++row, sums += columns)
      for (int64_t k = 0; k < depth; ++k)
        add_scaled(sums, b + i * b_step + k * columns, a[i * a_step + row * depth + k], columns);
}

/// Block after block: its products, then all of a row times its scales.
void matmul_scaled(const MatrixCall& m, const float* a, const float* b, float* sums) {
  const int64_t batch = m.out.extent(0), rows = m.out.extent(1), columns = m.out.extent(2), depth = m.depth();
  const int64_t a_step = m.a.extent(0) == 1 ? 0 : rows * depth, b_step = m.b.extent(0) == 1 ? 0 : depth * columns;
  float* const products = m.call.worker->buffers[2].of<float>(columns);
  for (int64_t i = 0; i < batch; ++i)
    for (int64_t row = 0; row < rows; ++row, sums += columns)
      for (int64_t first = 0; first < depth; first += isa::scale_block) {
        std::fill(products, products + columns, 0.0F);
        for (int64_t k = first; k < std::min<int64_t>(depth, first + isa::scale_block); ++k)
          add_scaled(products, b + i * b_step + k * columns, a[i * a_step + row * depth + k], columns);
        for (int64_t n = 0, end = 0; n < columns; n = end) {
          end = std::min(columns, (m.shift + n) / isa::scale_block * isa::scale_block + isa::scale_block - m.shift);
          add_scaled(sums + n, products + n, m.scale(i, row, first / isa::scale_block, n), end - n);
        }
      }
}

/// Calls f(pixel of out, pixel of x, tap) for every tap that falls inside, pixels counted over N, D, H, W.
/// In conv `out` slides over `x`; in conv_transpose the roles are exchanged.
template <class F>
void for_each_tap(const MatrixCall& m, const F& f) {
  const bool spreads = m.op == isa::Opcode::conv_transpose;
  const Operand &slides = spreads ? m.a : m.out, &lies = spreads ? m.out : m.a;
  const auto at = [&](size_t axis, int64_t p, int64_t tap) {
    return p * m.stride[axis] + tap * m.dilation[axis] - m.before[axis];
  };
  const int64_t d_end = lies.extent(1), h_end = lies.extent(2), w_end = lies.extent(3);
  int64_t pixel = 0;
  for (int64_t n = 0; n < slides.extent(0); ++n)
    for (int64_t d = 0; d < slides.extent(1); ++d)
      for (int64_t h = 0; h < slides.extent(2); ++h)
        for (int64_t w = 0; w < slides.extent(3); ++w, ++pixel)
          for (int64_t kd = 0; kd < m.b.extent(0); ++kd)
            for (int64_t kh = 0; kh < m.b.extent(1); ++kh)
              for (int64_t kw = 0; kw < m.b.extent(2); ++kw) {
                const int64_t x = at(0, d, kd), y = at(1, h, kh), z = at(2, w, kw);
                if (x < 0 || x >= d_end || y < 0 || y >= h_end || z < 0 || z >= w_end) continue;
                const int64_t other = ((n * d_end + x) * h_end + y) * w_end + z;
                const int64_t tap = (kd * m.b.extent(1) + kh) * m.b.extent(2) + kw;
                spreads ? f(other, pixel, tap) : f(pixel, other, tap);
              }
}

template <class T>
void convolve(const MatrixCall& m, const T* x, const T* w, T* sums) {
  const int64_t channels = m.a.extent(4), features = m.out.extent(4);
  if (m.op == isa::Opcode::conv_depthwise) {
    const int64_t each = m.b.extent(3);
    for_each_tap(m, [&](int64_t to, int64_t from, int64_t tap) {
      for (int64_t j = 0; j < each; ++j)
        for (int64_t c = 0; c < channels; ++c)
          sums[to * features + c * each + j] += x[from * channels + c] * w[(tap * each + j) * channels + c];
    });
    return;
  }
  const int64_t inputs = channels / m.groups, outputs = features / m.groups;
  for_each_tap(m, [&](int64_t to, int64_t from, int64_t tap) {
    for (int64_t g = 0; g < m.groups; ++g)
      for (int64_t c = 0; c < inputs; ++c)
        add_scaled(sums + to * features + g * outputs, w + (tap * inputs + c) * features + g * outputs,
                   x[from * channels + g * inputs + c], outputs);
  });
}

template <class T>
void sum(const MatrixCall& m, bool accumulate, std::byte* sums) {
  if (!accumulate) std::memset(sums, 0, static_cast<size_t>(m.out.elements()) * sizeof(T));
  auto& buffers = m.call.worker->buffers;
  const T* a = converted<T>(m, m.a, m.transpose_a, buffers[0]);
  const T* b = converted<T>(m, m.b, m.transpose_b, buffers[1]);
  if constexpr (std::is_same_v<T, float>)
    if (m.is_scaled()) return matmul_scaled(m, a, b, reinterpret_cast<T*>(sums));
  m.is_matmul() ? matmul(m, a, b, reinterpret_cast<T*>(sums)) : convolve(m, a, b, reinterpret_cast<T*>(sums));
}

}  // namespace

void sum_plainly(const MatrixCall& matrix, bool accumulate, std::byte* sums) {
  matrix.integers() ? sum<uint32_t>(matrix, accumulate, sums) : sum<float>(matrix, accumulate, sums);
}

}  // namespace hadal::machine

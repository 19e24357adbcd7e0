#include "graph/ops.h"
#include "graph/ops/support.h"

namespace hadal::graph::ops {

namespace {

bool is_byte(DType t) { return t == DType::i8 || t == DType::u8; }

Result<std::vector<Type>> infer(const OperandTypes& in, const Attributes& attributes) {
  HADAL_CHECK(check_operands("matmul", in, 2, 2));
  const Type &a = *in[0], &b = *in[1];
  if (a.dtype != b.dtype && !(is_byte(a.dtype) && is_byte(b.dtype)))
    return rule("matmul.dtype", "operands are of one type, found {} and {}", name_of(a.dtype), name_of(b.dtype));
  if (a.shape.size() < 2 || b.shape.size() < 2)
    return rule("matmul.C1", "operands have two axes or more, found {} and {}", a.shape.size(), b.shape.size());
  Integers p(a.shape.end() - 2, a.shape.end()), q(b.shape.end() - 2, b.shape.end());
  if (attributes.integer("transpose_a")) std::swap(p[0], p[1]);
  if (attributes.integer("transpose_b")) std::swap(q[0], q[1]);
  if (p[1] != q[0]) return rule("matmul.C2", "{} columns of a do not meet {} rows of b", p[1], q[0]);
  HADAL_TRY(Shape shape, broadcast_shapes("matmul.C3", Shape(a.shape.begin(), a.shape.end() - 2),
                                          Shape(b.shape.begin(), b.shape.end() - 2)));
  shape.push_back(p[0]);
  shape.push_back(q[1]);
  const DType dtype = is_byte(a.dtype) ? DType::i32 : a.dtype;
  if (dtype == DType::boolean) return rule("matmul.dtype", "matmul is not defined for bool");
  if (checked_bytes(shape, bytes_of(dtype)) < 0) return rule("matmul.C4", "the result is too large");
  return std::vector<Type>{{dtype, shape}};
}

/// One product [m,k] x [k,n]; `sums` has room for n.
template <class T, class Sum>
void multiply(const T* a, const T* b, int64_t m, int64_t k, int64_t n, std::vector<Sum>& sums, DType dtype,
              std::byte* out, int64_t start) {
  for (int64_t i = 0; i < m; ++i) {
    std::fill(sums.begin(), sums.end(), Sum{0});
    for (int64_t l = 0; l < k; ++l) {
      const auto factor = static_cast<Sum>(a[i * k + l]);
      const T* const row = b + l * n;
      for (int64_t j = 0; j < n; ++j) sums[index(j)] += factor * static_cast<Sum>(row[j]);
    }
    if constexpr (std::is_same_v<Sum, double>) {
      write_row(dtype, out, start + i * n, n, sums.data());
    } else {
      for (int64_t j = 0; j < n; ++j)
        store_integer(dtype, out + (start + i * n + j) * bytes_of(dtype), static_cast<Wide>(sums[index(j)]));
    }
  }
}

template <class T, class Sum>
Tensor products(const Tensor& a, const Tensor& b, const Type& result) {
  Output out(result);
  if (out.tensor.size() == 0) return out.tensor;
  const size_t rank = result.shape.size();
  const int64_t m = a.shape[a.shape.size() - 2], k = a.shape.back(), n = b.shape.back();
  const Shape batch(result.shape.begin(), result.shape.end() - 2);
  const auto batch_strides = [&](const Tensor& x) {
    Integers strides = broadcast_strides(Shape(x.shape.begin(), x.shape.end() - 2), batch);
    for (int64_t& stride : strides) stride *= x.shape[x.shape.size() - 2] * x.shape.back();
    return strides;
  };
  Walk walk(batch, {batch_strides(a), batch_strides(b)});
  std::vector<Sum> sums(index(n));
  for (int64_t i = 0; i < extent_of(result.shape, 0, rank - 2); ++i, walk.next())
    multiply<T, Sum>(a.as<T>().data() + walk.offset(0), b.as<T>().data() + walk.offset(1), m, k, n, sums, result.dtype,
                     out.data, i * m * n);
  return out.tensor;
}

/// The last two axes swapped, if asked.
Tensor oriented(const Tensor& x, bool swapped) {
  if (!swapped) return x;
  Integers order = axes_last({}, x.shape.size());
  std::swap(order[order.size() - 1], order[order.size() - 2]);
  return transposed(x, order);
}

std::vector<Tensor> reference(const OperandTensors& in, const Attributes& attributes,
                              const std::vector<Type>& results) {
  const Tensor a = oriented(*in[0], attributes.integer("transpose_a") != 0);
  const Tensor b = oriented(*in[1], attributes.integer("transpose_b") != 0);
  if (!is_float(a.dtype))
    return {products<int64_t, int64_t>(hadal::cast(a, DType::i64), hadal::cast(b, DType::i64), results[0])};
  if (a.dtype == DType::f64) return {products<double, double>(a, b, results[0])};
  return {products<float, double>(as_wide_float(a), as_wide_float(b), results[0])};
}

}  // namespace

const Op matmul{"matmul",
                "Matrix products of the last two axes; leading axes broadcast.",
                {"transpose_a", "transpose_b"},
                infer,
                reference};

}  // namespace hadal::graph::ops

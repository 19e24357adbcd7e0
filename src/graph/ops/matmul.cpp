#include "graph/backward.h"
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

constexpr int64_t scale_block = 128;

Result<std::vector<Type>> infer_scaled(const OperandTypes& in, const Attributes& attributes) {
  HADAL_CHECK(check_operands("scaled_matmul", in, 4, 4));
  const auto to = dtype_named(attributes.text("to"));
  if (!to || !is_float(*to) || !is_float(in[0]->dtype) || in[2]->dtype != DType::f32 || in[3]->dtype != DType::f32)
    return rule("scaled_matmul.dtype", "operands and result are floats and scales f32, found {}, {} and {}",
                name_of(in[0]->dtype), name_of(in[2]->dtype), name_of(in[3]->dtype));
  HADAL_TRY(std::vector<Type> result, infer({in[0], in[1]}, {}));
  const auto blocks = [](int64_t extent) { return (extent + scale_block - 1) / scale_block; };
  Shape of_a = in[0]->shape, of_b = in[1]->shape;
  of_a.back() = blocks(of_a.back());
  of_b.back() = blocks(of_b.back());
  of_b[of_b.size() - 2] = blocks(of_b[of_b.size() - 2]);
  if (in[2]->shape != of_a || in[3]->shape != of_b)
    return rule("scaled_matmul.C1", "scales are {} and {}, expected {} and {}", hadal::text_of(in[2]->shape),
                hadal::text_of(in[3]->shape), hadal::text_of(of_a), hadal::text_of(of_b));
  result[0].dtype = *to;
  return result;
}

/// The columns [first, last) of x's last axis, or its rows where `of_rows`.
Tensor part(const Tensor& x, bool of_rows, int64_t first, int64_t last) {
  Shape shape = x.shape;
  shape[shape.size() - (of_rows ? 2 : 1)] = last - first;
  const Integers strides = strides_of(x.shape);
  return strided_copy(x, shape, strides, first * strides[strides.size() - (of_rows ? 2 : 1)]);
}

std::vector<Tensor> reference_scaled(const OperandTensors& in, const Attributes&, const std::vector<Type>& results) {
  const Tensor a = as_wide_float(*in[0]), b = as_wide_float(*in[1]);
  const int64_t depth = a.shape.back(), columns = results[0].shape.back(), rows = a.shape[a.shape.size() - 2];
  std::vector<double> sums(index(elements(results[0].shape)));
  const Type block{DType::f32, results[0].shape};
  const size_t lead = results[0].shape.size() - 2;
  const Shape batch(results[0].shape.begin(), results[0].shape.end() - 2);
  const auto batch_strides = [&](const Tensor& x) {
    Integers strides = broadcast_strides(Shape(x.shape.begin(), x.shape.end() - 2), batch);
    for (int64_t& stride : strides) stride *= x.shape[x.shape.size() - 2] * x.shape.back();
    return strides;
  };
  for (int64_t i = 0; i * scale_block < depth; ++i) {
    const int64_t first = i * scale_block, last = std::min(depth, first + scale_block);
    const Tensor products =
        hadal::graph::ops::products<float, double>(part(a, false, first, last), part(b, true, first, last), block);
    Walk walk(batch, {batch_strides(*in[2]), batch_strides(*in[3])});
    for (int64_t g = 0; g < extent_of(results[0].shape, 0, lead); ++g, walk.next())
      for (int64_t m = 0; m < rows; ++m)
        for (int64_t n = 0; n < columns; ++n) {
          const int64_t at = (g * rows + m) * columns + n;
          const float of_a = in[2]->as<float>()[index(walk.offset(0) + m * in[2]->shape.back() + i)];
          const float of_b = in[3]->as<float>()[index(walk.offset(1) + i * in[3]->shape.back() + n / scale_block)];
          sums[index(at)] += static_cast<double>(products.as<float>()[index(at)]) * of_a * of_b;
        }
  }
  Output out(results[0]);
  if (!sums.empty()) write_row(results[0].dtype, out.data, 0, static_cast<int64_t>(sums.size()), sums.data());
  return {out.tensor};
}

Term multiply(const Term& a, const Term& b, bool transpose_a, bool transpose_b) {
  return a.apply(matmul, b, {{"transpose_a", int64_t{transpose_a}}, {"transpose_b", int64_t{transpose_b}}});
}

/// Rows of all products beneath each other: one matrix.
Term stacked(const Term& x) { return x.reshaped({elements(x.shape()) / x.shape().back(), x.shape().back()}); }

/// Of c = a b: g bᵀ and aᵀ g; of a transposed operand, that transposed.
void gradient(Backward& n) {
  const bool ta = n.node.attributes.integer("transpose_a") != 0, tb = n.node.attributes.integer("transpose_b") != 0;
  const Term a = n.in(0), b = n.in(1), g = n.upstream();
  if (n.wants(0)) n.give(0, ta ? multiply(b, g, tb, true) : multiply(g, b, false, !tb));
  if (!n.wants(1)) return;
  // One b for all products of the batch: their sum is one product.
  if (b.shape().size() == 2 && !ta)
    n.give(1, tb ? multiply(stacked(g), stacked(a), true, false) : multiply(stacked(a), stacked(g), true, false));
  else
    n.give(1, tb ? multiply(g, a, true, ta) : multiply(a, g, !ta, false));
}

}  // namespace

const Op scaled_matmul{"scaled_matmul",
                       "Matrix products of floats that are scaled by blocks of 128.",
                       {"to"},
                       infer_scaled,
                       reference_scaled};

const Op matmul{"matmul",
                "Matrix products of the last two axes; leading axes broadcast.",
                {"transpose_a", "transpose_b"},
                infer,
                reference,
                gradient};

}  // namespace hadal::graph::ops

// Attention of opset 23, as matrix products around a softmax.
#include <cmath>

#include "onnx/importer.h"

namespace hadal::onnx {

namespace {

/// [B,S,heads*size] as [B,heads,S,size].
ValueId split_heads(Site& n, ValueId x, int64_t heads) {
  if (n.b.rank(x) == 4) return x;
  const Shape s = n.b.shape(x);
  if (s.size() != 3 || heads < 1 || s[2] % heads != 0) fail("onnx.shape", "{} heads in {}", heads, text_of(s));
  return n.b.transpose(n.b.reshape(x, {s[0], s[1], heads, s[2] / heads}), {0, 2, 1, 3});
}

/// Repeats each head of a key or value for the query heads that share it.
ValueId repeat_heads(Site& n, ValueId x, int64_t heads) {
  const Shape s = n.b.shape(x);
  if (s[1] == heads) return x;
  if (s[1] < 1 || heads % s[1] != 0) fail("onnx.shape", "{} heads of keys for {} of queries", s[1], heads);
  const int64_t times = heads / s[1];
  const ValueId wide = n.b.broadcast(n.b.reshape(x, {s[0], s[1], 1, s[2], s[3]}), {s[0], s[1], times, s[2], s[3]});
  return n.b.reshape(wide, {s[0], heads, s[2], s[3]});
}

/// 0 where query i may see key j, i.e. j <= i + past, else -infinity.
ValueId causal_mask(Site& n, DType dtype, int64_t queries, int64_t keys, int64_t past) {
  n.b.book(queries * keys * bytes_of(dtype));
  std::byte* data = nullptr;
  Tensor mask = Tensor::zeros(dtype, {queries, keys}, data);
  for (int64_t i = 0; i < queries; ++i)
    for (int64_t j = i + past + 1; j < keys; ++j)
      store_number(dtype, data + (i * keys + j) * bytes_of(dtype), -INFINITY);
  return n.b.constant(std::move(mask));
}

/// A mask of bool is 0 or -infinity; one that covers fewer keys masks the rest.
ValueId additive_mask(Site& n, ValueId mask, DType dtype, int64_t keys) {
  if (n.b.dtype(mask) == DType::boolean)
    mask = n.make(ops::where, {mask, n.b.scalar(dtype, 0), n.b.scalar(dtype, -INFINITY)});
  const Shape s = n.b.shape(mask);
  if (s.empty() || s.back() >= keys || s.back() == 1) return mask;
  Integers low(s.size(), 0), high(s.size(), 0);
  high.back() = keys - s.back();
  return n.make(ops::pad, {mask}, {{"low", low}, {"high", high}, {"mode", "constant"}, {"value", -double{INFINITY}}});
}

Values attention(Site& n) {
  if (n.wants(3)) fail("onnx.unsupported", "the product of queries and keys as an output is not supported");
  if (n.has(6)) fail("onnx.unsupported", "nonpad_kv_seqlen is not supported");
  const bool flat = n.b.rank(n[0]) == 3;
  const ValueId q = split_heads(n, n[0], n.integer("q_num_heads"));
  ValueId k = split_heads(n, n[1], n.integer("kv_num_heads")), v = split_heads(n, n[2], n.integer("kv_num_heads"));
  if (n.b.rank(q) != 4 || n.b.rank(k) != 4 || n.b.rank(v) != 4)
    fail("onnx.shape", "queries, keys and values have 3 or 4 axes");
  const int64_t past = n.has(4) && n.b.rank(n[4]) == 4 ? n.b.shape(n[4])[2] : 0;
  if (n.has(4)) k = n.make(ops::concat, {n[4], k}, {{"axis", int64_t{2}}});
  if (n.has(5)) v = n.make(ops::concat, {n[5], v}, {{"axis", int64_t{2}}});
  const Shape query = n.b.shape(q);
  const int64_t keys = n.b.shape(k)[2];
  const DType dtype = n.b.dtype(q);
  const double scale = n.number("scale", 1 / std::sqrt(static_cast<double>(query[3])));

  ValueId scores = n.make(ops::matmul, {q, repeat_heads(n, k, query[1])}, {{"transpose_b", int64_t{1}}});
  scores = n.make(ops::mul, {scores, n.b.scalar(dtype, scale)});
  if (const double cap = n.number("softcap"); cap != 0) {
    const ValueId bounded = n.make(ops::tanh, {n.make(ops::mul, {scores, n.b.scalar(dtype, 1 / cap)})});
    scores = n.make(ops::mul, {bounded, n.b.scalar(dtype, cap)});
  }
  if (n.has(3)) scores = n.make(ops::add, {scores, additive_mask(n, n[3], dtype, keys)});
  if (n.integer("is_causal")) scores = n.make(ops::add, {scores, causal_mask(n, dtype, query[2], keys, past)});
  ValueId weights = n.make(ops::softmax, {scores}, {{"axis", int64_t{3}}});
  if (n.has(3) && n.b.dtype(n[3]) == DType::boolean)  // A query that sees no key gives zeros.
    weights = n.make(ops::where, {n.make(ops::is_nan, {weights}), n.b.scalar(dtype, 0), weights});
  ValueId y = n.make(ops::matmul, {weights, repeat_heads(n, v, query[1])});
  if (flat) {
    const Shape s = n.b.shape(y);
    y = n.b.reshape(n.b.transpose(y, {0, 2, 1, 3}), {s[0], s[2], s[1] * s[3]});
  }
  return {y, k, v};
}

constexpr Operator rows[] = {
    {"Attention", attention, "matmul mul add softmax tanh where is_nan pad concat reshape transpose broadcast", 3, 7,
     "is_causal:i kv_num_heads:i q_num_heads:i qk_matmul_output_mode:i scale:f softcap:f softmax_precision:i"},
};

}  // namespace

std::span<const Operator> attention_operators() { return rows; }

}  // namespace hadal::onnx

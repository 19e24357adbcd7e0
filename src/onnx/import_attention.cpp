// Attention, as matrix products around a softmax.
#include <cmath>

#include "onnx/terms.h"

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

/// Which keys a query may see by its place: query i is key i + past.
struct Reach {
  bool causal = false;
  int64_t left = -1, right = -1;  ///< So many keys before and behind; -1: all.

  [[nodiscard]] bool limits() const { return causal || left >= 0 || right >= 0; }
  [[nodiscard]] bool allows(int64_t query, int64_t key) const {
    const int64_t behind = key - query;
    return !(causal && behind > 0) && !(left >= 0 && -behind > left) && !(right >= 0 && behind > right);
  }
};

Reach reach_of(const Site& n) {
  const Reach reach{n.integer("is_causal") != 0, n.integer("left_window_size", -1), n.integer("right_window_size", -1)};
  if (reach.left < -1 || reach.right < -1) fail("onnx.attribute", "windows of {} and {} keys", reach.left, reach.right);
  return reach;
}

/// 0 or -infinity of each query and key.
ValueId place_mask(Site& n, const Reach& reach, DType dtype, int64_t queries, int64_t keys, int64_t past) {
  n.b.check_size({dtype, {queries, keys}});
  n.b.book(queries * keys * bytes_of(dtype));
  std::byte* data = nullptr;
  Tensor mask = Tensor::zeros(dtype, {queries, keys}, data);
  for (int64_t i = 0; i < queries; ++i)
    for (int64_t j = 0; j < keys; ++j)
      if (!reach.allows(i + past, j)) store_number(dtype, data + (i * keys + j) * bytes_of(dtype), -INFINITY);
  return n.b.constant(std::move(mask));
}

/// The same where each batch has its own number of keys, and its queries are the last of them: [batch,1,queries,keys].
Term counted_mask(Site& n, const Reach& reach, DType dtype, int64_t queries, int64_t keys) {
  const Term count = input(n, 6).as(DType::i64).reshaped({elements(n.b.shape(n[6])), 1, 1, 1});
  const Term key = positions(n, keys), query = positions(n, queries).reshaped({queries, 1});
  Term seen = key < count;
  const Term behind = key - (query + (count - count.with(n.b.integer(queries))));
  const auto bound = [&](const Term& distance, int64_t most) {
    seen = seen & (distance <= distance.with(n.b.integer(most)));
  };
  if (reach.causal) bound(behind, 0);
  if (reach.left >= 0) bound(-behind, reach.left);
  if (reach.right >= 0) bound(behind, reach.right);
  return where(seen, Term{&n.b, n.b.scalar(dtype, 0)}, Term{&n.b, n.b.scalar(dtype, -INFINITY)});
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

struct Heads {
  Term q, k, v;
  int64_t past = 0;
};

/// Queries, keys and values by head, the past ones first.
Heads heads_of(Site& n) {
  Heads h{{&n.b, split_heads(n, n[0], n.integer("q_num_heads"))},
          {&n.b, split_heads(n, n[1], n.integer("kv_num_heads"))},
          {&n.b, split_heads(n, n[2], n.integer("kv_num_heads"))}};
  if (h.q.shape().size() != 4 || h.k.shape().size() != 4 || h.v.shape().size() != 4)
    fail("onnx.shape", "queries, keys and values have 3 or 4 axes");
  if (n.has(4) != n.has(5)) fail("onnx.inputs", "past keys and past values come together");
  if (n.has(4) && n.b.rank(n[4]) == 4) h.past = n.b.shape(n[4])[2];
  if (n.has(4)) h.k = joined({input(n, 4), h.k}, 2), h.v = joined({input(n, 5), h.v}, 2);
  if (n.has(6) && (n.has(4) || n.b.shape(n[6]) != Shape{h.k.shape()[0]}))
    fail("onnx.inputs", "nonpad_kv_seqlen is {}, and stands instead of past keys", text_of(n.b.shape(n[6])));
  return h;
}

/// Adds all masks to the scores.
Term masked(Site& n, Term scores, const Heads& h) {
  const int64_t queries = scores.shape()[2], keys = scores.shape()[3];
  const DType dtype = scores.dtype();
  if (n.has(3)) scores = scores + Term{&n.b, additive_mask(n, n[3], dtype, keys)};
  const Reach reach = reach_of(n);
  if (n.has(6)) return scores + counted_mask(n, reach, dtype, queries, keys);
  return reach.limits() ? scores + Term{&n.b, place_mask(n, reach, dtype, queries, keys, h.past)} : scores;
}

/// The type that the model wants the softmax in.
DType softmax_type(const Site& n, DType otherwise) {
  const int64_t stated = n.integer("softmax_precision");
  const auto dtype = stated != 0 ? dtype_of(static_cast<int>(stated)) : otherwise;
  if (!dtype || !is_float(*dtype)) fail("onnx.dtype", "softmax_precision {} is no float", stated);
  return *dtype;
}

Term softmax_of(const Term& scores) { return scores.apply(ops::softmax, {{"axis", int64_t{3}}}); }

Values attention(Site& n) {
  const bool flat = n.b.rank(n[0]) == 3;
  const Heads h = heads_of(n);
  const Shape query = h.q.shape();
  const double scale = n.number("scale", 1 / std::sqrt(static_cast<double>(query[3])));
  std::vector<Term> stages;  // What the fourth output may be.
  stages.push_back(product(h.q, h.k.with(repeat_heads(n, h.k.id, query[1])), true) * scale);
  stages.push_back(stages[0]);
  if (const double cap = n.number("softcap"); cap != 0) stages[1] = (stages[0] * (1 / cap)).apply(ops::tanh) * cap;
  stages.push_back(masked(n, stages[1], h));
  Term weights = softmax_of(stages[2].as(softmax_type(n, h.q.dtype()))).as(h.q.dtype());
  if (n.has(3) || n.has(6) || n.has("left_window_size") || n.has("right_window_size"))
    weights = where(weights.apply(ops::is_nan), weights.number(0), weights);  // A query that sees no key gives zeros.
  stages.push_back(weights);
  Term y = product(weights, h.v.with(repeat_heads(n, h.v.id, query[1])));
  if (flat) {
    const Shape s = y.shape();
    y = y.transposed({0, 2, 1, 3}).reshaped({s[0], s[2], s[1] * s[3]});
  }
  const int64_t stage = n.integer("qk_matmul_output_mode");
  if (stage < 0 || stage > 3) fail("onnx.attribute", "qk_matmul_output_mode is {}", stage);
  return {y.id, h.k.id, h.v.id, stages[static_cast<size_t>(stage)].id};
}

/// Attention whose scores and weights go through graphs of the model.
Values flex_attention(Site& n) {
  const Term q = input(n, 0), k = input(n, 1), v = input(n, 2);
  const Shape query = q.shape();
  if (query.size() != 4 || k.shape().size() != 4 || v.shape().size() != 4)
    fail("onnx.shape", "queries, keys and values have 4 axes");
  const auto modified = [&](const std::string& name, const Term& x) {
    if (!n.has(name)) return x;
    const Values out = n.body(name, {x.id});
    if (out.size() != 1 || n.b.type(out[0]) != n.b.type(x.id)) fail("onnx.graph", "{} changes the type", name);
    return x.with(out[0]);
  };
  const double scale = n.number("scale", 1 / std::sqrt(static_cast<double>(query[3])));
  const Term scores = product(q, k.with(repeat_heads(n, k.id, query[1])), true) * scale;
  const DType wide = softmax_type(n, scores.dtype() == DType::f64 ? DType::f64 : DType::f32);
  const Term weights = softmax_of(modified("score_mod", scores.as(wide)));
  const Term used = modified("prob_mod", weights).as(v.dtype());
  return {product(used, v.with(repeat_heads(n, v.id, query[1]))).id};
}

constexpr Operator rows[] = {
    {"Attention", attention,
     "matmul mul add softmax tanh where is_nan pad concat reshape transpose broadcast less less_equal and sub neg cast",
     3, 7,
     "is_causal:i kv_num_heads:i left_window_size:i q_num_heads:i qk_matmul_output_mode:i right_window_size:i scale:f "
     "softcap:f softmax_precision:i"},
    {"FlexAttention", flex_attention, "matmul mul softmax reshape broadcast cast", 3, 3,
     "prob_mod:g scale:f score_mod:g softmax_precision:i", "ai.onnx.preview"},
};

}  // namespace

std::span<const Operator> attention_operators() { return rows; }

}  // namespace hadal::onnx

// Attention, as matrix products around a softmax.
#include <cmath>
#include <optional>

#include "onnx/heads.h"

namespace hadal::onnx {

namespace {

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
  Heads h{split_heads(input(n, 0), n.integer("q_num_heads")), split_heads(input(n, 1), n.integer("kv_num_heads")),
          split_heads(input(n, 2), n.integer("kv_num_heads"))};
  if (h.q.shape().size() != 4 || h.k.shape().size() != 4 || h.v.shape().size() != 4)
    fail("onnx.shape", "queries, keys and values have 3 or 4 axes");
  if (n.has(4) != n.has(5)) fail("onnx.inputs", "past keys and past values come together");
  if (n.has(4) && n.b.rank(n[4]) == 4) h.past = n.b.shape(n[4])[2];
  if (n.has(4)) h.k = joined({input(n, 4), h.k}, 2), h.v = joined({input(n, 5), h.v}, 2);
  if (n.has(6) && (n.has(4) || n.b.shape(n[6]) != Shape{h.k.shape()[0]}))
    fail("onnx.inputs", "nonpad_kv_seqlen is {}, and stands instead of past keys", text_of(n.b.shape(n[6])));
  return h;
}

/// The sum of all masks, which the scores are added to; none where every query sees every key.
std::optional<Term> bias_of(Site& n, const Heads& h, const SharedHeads& groups, DType dtype) {
  const int64_t queries = h.q.shape()[2], keys = h.k.shape()[2];
  std::optional<Term> bias;
  const auto add = [&](const Term& mask) { bias = bias ? *bias + mask : mask; };
  if (n.has(3)) add(groups.apart({&n.b, additive_mask(n, n[3], dtype, keys)}));
  const Reach reach = reach_of(n);
  if (n.has(6))
    add(groups.apart(counted_mask(n, reach, dtype, queries, keys)));
  else if (reach.limits())
    add({&n.b, place_mask(n, reach, dtype, queries, keys, h.past)});
  return bias;
}

/// The type that the model wants the softmax in.
DType softmax_type(const Site& n, DType otherwise) {
  const int64_t stated = n.integer("softmax_precision");
  const auto dtype = stated != 0 ? dtype_of(static_cast<int>(stated)) : otherwise;
  if (!dtype || !is_float(*dtype)) fail("onnx.dtype", "softmax_precision {} is no float", stated);
  return *dtype;
}

Values attention(Site& n) {
  const bool flat = n.b.rank(n[0]) == 3;
  const Heads h = heads_of(n);
  const Shape query = h.q.shape();
  const double scale = n.number("scale", 1 / std::sqrt(static_cast<double>(query[3])));
  std::vector<Term> stages;  // What the fourth output may be.
  const SharedHeads groups(h.q, h.k);
  stages.push_back(product(groups.apart(h.q), groups.shared(h.k), true) * scale);
  stages.push_back(stages[0]);
  if (const double cap = n.number("softcap"); cap != 0) stages[1] = (stages[0] * (1 / cap)).apply(ops::tanh) * cap;
  const std::optional<Term> bias = bias_of(n, h, groups, h.q.dtype());
  stages.push_back(bias ? stages[1] + *bias : stages[1]);
  const Term weights = softmax_of(stages[2].as(softmax_type(n, h.q.dtype()))).as(h.q.dtype());
  // A query that sees no key gives zeros. That is seen by the masks, so that scores and weights need not leave the
  // core.
  std::optional<Term> blind;
  if (bias && (n.has(3) || n.has(6) || n.has("left_window_size") || n.has("right_window_size")))
    blind = bias->reduced("max", {std::ssize(bias->shape()) - 1}) <= -INFINITY;
  const auto guarded = [&](const Term& x) { return blind ? where(*blind, x.number(0), x) : x; };
  stages.push_back(guarded(weights));
  Term y = groups.together(guarded(product(weights, groups.shared(h.v))));
  if (flat) y = merged_heads(y);
  const int64_t stage = n.integer("qk_matmul_output_mode");
  if (stage < 0 || stage > 3) fail("onnx.attribute", "qk_matmul_output_mode is {}", stage);
  return {y.id, h.k.id, h.v.id, groups.together(stages[static_cast<size_t>(stage)]).id};
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
  const Term scores = product(q, repeat_heads(k, query[1]), true) * scale;
  const DType wide = softmax_type(n, scores.dtype() == DType::f64 ? DType::f64 : DType::f32);
  const Term weights = softmax_of(modified("score_mod", scores.as(wide)));
  const Term used = modified("prob_mod", weights).as(v.dtype());
  return {product(used, repeat_heads(v, query[1])).id};
}

constexpr Operator rows[] = {
    {"Attention", attention,
     "matmul mul add softmax reduce tanh where pad concat reshape transpose broadcast less less_equal and sub neg cast",
     3, 7,
     "is_causal:i kv_num_heads:i left_window_size:i q_num_heads:i qk_matmul_output_mode:i right_window_size:i scale:f "
     "softcap:f softmax_precision:i"},
    {"FlexAttention", flex_attention, "matmul mul softmax reshape broadcast cast", 3, 3,
     "prob_mod:g scale:f score_mod:g softmax_precision:i", "ai.onnx.preview"},
};

}  // namespace

std::span<const Operator> attention_operators() { return rows; }

}  // namespace hadal::onnx

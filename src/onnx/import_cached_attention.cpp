// Attention with a cache of fixed size, of which a run fills some rows: com.microsoft.GroupQueryAttention.
#include <cmath>

#include "onnx/heads.h"

namespace hadal::onnx {

namespace {

/// Inputs as the operator numbers them.
enum Input : size_t { query, key, value, past_key, past_value, lengths, total, cosines, sines, places, bias };

/// Queries, keys and values, [B,S,heads,size] each.
struct Operands {
  Term q, k, v;
};

Operands operands_of(Site& n, int64_t heads, int64_t shared) {
  const auto apart = [](const Term& x, int64_t count) {
    const Shape s = x.shape();
    if (s.size() != 3 || count < 1 || s[2] % count != 0) fail("onnx.shape", "{} heads in {}", count, text_of(s));
    return x.reshaped({s[0], s[1], count, s[2] / count});
  };
  if (n.has(key) != n.has(value)) fail("onnx.inputs", "keys and values come together");
  if (n.has(key)) return {apart(input(n, query), heads), apart(input(n, key), shared), apart(input(n, value), shared)};
  const Term all = apart(input(n, query), heads + 2 * shared);  // One beside the other.
  return {all.slice(2, 0, heads), all.slice(2, heads, shared), all.slice(2, heads + shared, shared)};
}

/// Rows of a table of angles by position, as [B,S,1,half].
Term angles(Site& n, Input table, const Term& position) {
  if (!n.has(table) || n.b.rank(n[table]) != 2) fail("onnx.inputs", "do_rotary needs tables of cosines and sines");
  const Shape s = position.shape();
  return input(n, table).gathered(position, 0).reshaped({s[0], s[1], 1, n.b.shape(n[table])[1]});
}

/// The cache with the new rows, [B,heads,S,size], written at their places. Its extent is that of the past, or what is
/// known to be needed.
Term written(Site& n, Input past, const Term& rows, const Term& place) {
  const Shape s = rows.shape();
  Shape cache{s[0], s[1], 0, s[3]};
  if (n.has(past)) {
    cache[2] = n.b.rank(n[past]) == 4 ? n.b.shape(n[past])[2] : 0;
    if (n.b.shape(n[past]) != cache) fail("onnx.shape", "{} into {}", text_of(s), text_of(n.b.shape(n[past])));
  }
  const Tensor* const needed = n.has(total) ? n.b.known(n[total]) : nullptr;
  const int64_t held = cache[2], extent = std::max({held, s[2], needed ? integer_at(*needed, 0) : 0});
  if (extent == s[2] && held == 0) return rows;
  cache[2] = extent - held;
  Term whole = held > 0 ? input(n, past) : rows.with(n.b.constant(n.b.filled(rows.dtype(), cache, 0)));
  if (held > 0 && extent > held)
    whole = joined({whole, rows.with(n.b.constant(n.b.filled(rows.dtype(), cache, 0)))}, 2);
  return whole.with(
      n.make(ops::scatter, {whole.id, place.broadcast(s).id, rows.id}, {{"axis", int64_t{2}}, {"combine", "set"}}));
}

/// 0 where the query at its place may see a key, else -infinity: [B,1,S,keys].
Term mask_of(Site& n, const Term& place, int64_t keys, DType dtype) {
  const Term at = positions(n, keys);
  Term seen = at <= place;
  const int64_t window = n.integer("local_window_size", -1);
  if (window > 0) seen = seen & ((place - at) < static_cast<double>(window));
  return where(seen, Term{&n.b, n.b.scalar(dtype, 0)}, Term{&n.b, n.b.scalar(dtype, -INFINITY)});
}

/// A bias of the keys so far, with zeros for the rest of the cache, which nobody sees.
Term to_cache(const Term& x, int64_t keys) {
  const Shape s = x.shape();
  if (s.empty() || s.back() > keys) fail("onnx.shape", "attention_bias is {} for {} keys", text_of(s), keys);
  Integers low(s.size(), 0), high(s.size(), 0);
  high.back() = keys - s.back();
  return high.back() == 0 ? x : x.apply(ops::pad, {{"low", low}, {"high", high}, {"mode", "constant"}, {"value", 0.0}});
}

Values group_query_attention(Site& n) {
  const int64_t heads = n.integer("num_heads"), shared = n.integer("kv_num_heads");
  if (n.integer("smooth_softmax", -1) > 0 || n.integer("qk_output") != 0 || n.inputs.size() > bias + 1)
    fail("onnx.unsupported", "smooth softmax, sinks and the scores as output are not supported");
  if (!n.has(lengths)) fail("onnx.inputs", "seqlens_k is missing");
  Operands o = operands_of(n, heads, shared);
  const Shape s = o.q.shape();
  const int64_t batch = s[0], rows = s[1];
  if (elements(n.b.shape(n[lengths])) != batch) fail("onnx.shape", "seqlens_k is {}", text_of(n.b.shape(n[lengths])));
  const Term count = input(n, lengths).as(DType::i64).reshaped({batch, 1}) + 1;  // The input is one less.
  const Term place = max(count - static_cast<double>(rows), count.number(0)) + positions(n, rows);
  if (n.integer("do_rotary") != 0) {
    const Term position = n.has(places) ? input(n, places).as(DType::i64) : place;
    const Term cosine = angles(n, cosines, position), sine = angles(n, sines, position);
    const bool neighbours = n.integer("rotary_interleaved") != 0;
    o.q = turned(o.q, cosine, sine, neighbours);
    o.k = turned(o.k, cosine, sine, neighbours);
  }
  const Term column = place.reshaped({batch, 1, rows, 1});
  const Term k = written(n, past_key, o.k.transposed({0, 2, 1, 3}), column),
             v = written(n, past_value, o.v.transposed({0, 2, 1, 3}), column);
  const double scale = scale_of(n, s[3]);
  const Term q = o.q.transposed({0, 2, 1, 3});
  const SharedHeads groups(q, k);
  Term scores = product(groups.apart(q), groups.shared(k), true) * scale;
  if (const double cap = n.number("softcap"); cap != 0) scores = (scores * (1 / cap)).apply(ops::tanh) * cap;
  if (n.has(bias)) scores = scores + groups.apart(to_cache(input(n, bias), k.shape()[2]));
  scores = scores + groups.apart(mask_of(n, column, k.shape()[2], scores.dtype()));
  const Term weights = softmax_of(scores);
  return {merged_heads(groups.together(product(weights, groups.shared(v)))).id, k.id, v.id};
}

constexpr Operator rows[] = {
    {"GroupQueryAttention", group_query_attention,
     "matmul mul add sub max softmax tanh scatter gather pad where less less_equal and cast concat slice reshape "
     "transpose broadcast",
     1, 11,
     "do_rotary:i kv_num_heads:i local_window_size:i num_heads:i qk_output:i rotary_interleaved:i scale:f "
     "smooth_softmax:i softcap:f",
     "com.microsoft"},
};

}  // namespace

std::span<const Operator> cached_attention_operators() { return rows; }

}  // namespace hadal::onnx

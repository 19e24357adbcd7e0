// Layers of language models around attention: rotary positions, linear attention, causal convolution, gated units.
#include "onnx/heads.h"

namespace hadal::onnx {

namespace {

/// [B,T,heads*size] as [B,heads,T,size].
Term heads_of(const Term& x, int64_t heads) {
  const Shape s = x.shape();
  if (s.size() != 3 || heads < 1 || s[2] % heads != 0) fail("onnx.shape", "{} heads in {}", heads, text_of(s));
  return x.reshaped({s[0], s[1], heads, s[2] / heads}).transposed({0, 2, 1, 3});
}

/// Cosines or sines as [batch or 1, length, 1, half]: rows of a table by position, or as they are.
Term angles(Site& n, size_t i, const Shape& x, int64_t half) {
  Term table = input(n, i);
  if (n.has(3)) {
    if (table.shape().size() != 2 || n.b.shape(n[3]) != Shape{x[0], x[1]})
      fail("onnx.shape", "positions {} in a table of {}", text_of(n.b.shape(n[3])), text_of(table.shape()));
    table = table.gathered(input(n, 3).as(DType::i64), 0);
  }
  const Shape s = table.shape();
  if (s.size() != 3 || s[1] != x[1] || s[2] != half)
    fail("onnx.shape", "angles are {}, expected {} for each of {} positions", text_of(s), half, x[1]);
  return table.reshaped({s[0], s[1], 1, half});
}

/// Pairs of elements turn by an angle that grows with the position; pairs are neighbours, or halves apart.
Values rotary_embedding(Site& n) {
  const Shape given = n.b.shape(n[0]);
  Term x = input(n, 0);
  if (given.size() == 4) x = x.transposed({0, 2, 1, 3});
  if (given.size() == 3) {
    const int64_t heads = n.integer("num_heads");
    if (heads < 1 || given[2] % heads != 0) fail("onnx.shape", "{} heads in {}", heads, text_of(given));
    x = x.reshaped({given[0], given[1], heads, given[2] / heads});
  }
  const Shape s = x.shape();
  if (s.size() != 4) fail("onnx.shape", "the operand is {}", text_of(given));
  const int64_t turning = n.integer("rotary_embedding_dim") != 0 ? n.integer("rotary_embedding_dim") : s[3];
  if (turning < 2 || turning % 2 != 0 || turning > s[3]) fail("onnx.shape", "{} of {} elements turn", turning, s[3]);
  const int64_t half = turning / 2;
  const Term cosine = angles(n, 1, s, half), sine = angles(n, 2, s, half);
  const Term y = turned(x, cosine, sine, n.integer("interleaved") != 0);
  return {given.size() == 4 ? y.transposed({0, 2, 1, 3}).id : y.reshaped(given).id};
}

struct Rule {
  bool decays = false, corrects = false;
};
Rule rule_of(const Site& n) {
  const std::string name = n.text("update_rule", "gated_delta");
  if (name != "linear" && name != "gated" && name != "delta" && name != "gated_delta")
    fail("onnx.attribute", "update_rule: '{}' is not known", printable(name));
  const Rule rule{name.starts_with("gated"), name.ends_with("delta")};
  if (rule.decays != n.has(4) || rule.corrects != n.has(5))
    fail("onnx.inputs", "update_rule '{}' {} decay and {} beta", name, rule.decays ? "needs" : "has no",
         rule.corrects ? "needs" : "has no");
  return rule;
}

/// A matrix of each head is the state: it decays, is corrected by what it would give for the key, takes the product of
/// key and value, and is read by the query. Step by step, in f32.
Values linear_attention(Site& n) {
  constexpr int64_t most_steps = 16384;
  const Rule rule = rule_of(n);
  const int64_t heads = n.integer("kv_num_heads"), readers = n.integer("q_num_heads");
  if (heads < 1 || readers < 1 || readers % heads != 0)
    fail("onnx.attribute", "{} heads of queries for {} of keys", readers, heads);
  const Term query = heads_of(input(n, 0), readers).as(DType::f32), key = heads_of(input(n, 1), heads).as(DType::f32),
             value = heads_of(input(n, 2), heads).as(DType::f32);
  const Shape k = key.shape(), v = value.shape();
  const int64_t batch = k[0], steps = k[2], depth = k[3], width = v[3];
  if (query.shape() != Shape{batch, readers, steps, depth} || v != Shape{batch, heads, steps, width} ||
      elements(k) == 0 || elements(v) == 0)
    fail("onnx.shape", "queries {}, keys {}, values {}", text_of(query.shape()), text_of(k), text_of(v));
  if (steps > most_steps) fail("onnx.unsupported", "{} steps, at most {} are supported", steps, most_steps);
  const Shape state_shape{batch, heads, depth, width};
  const DType kept = n.has(3) ? n.b.dtype(n[3]) : n.b.dtype(n[0]);
  if (n.has(3) && n.b.shape(n[3]) != state_shape)
    fail("onnx.shape", "the state is {}, expected {}", text_of(n.b.shape(n[3])), text_of(state_shape));
  Term state = n.has(3) ? input(n, 3).as(DType::f32) : Term{&n.b, n.b.constant(n.b.filled(DType::f32, state_shape, 0))};
  std::optional<Term> decay, beta;
  if (rule.decays) decay = heads_of(input(n, 4), heads).as(DType::f32).apply(ops::exp);
  if (rule.corrects)
    beta = heads_of(input(n, 5), n.b.shape(n[5]).size() == 3 && n.b.shape(n[5])[2] == 1 ? 1 : heads).as(DType::f32);
  const double scale = scale_of(n, depth);
  const int64_t group = readers / heads;
  std::vector<Term> outputs;
  for (int64_t t = 0; t < steps; ++t) {
    const Term key_row = key.slice(2, t, 1), key_column = key_row.reshaped({batch, heads, depth, 1});
    Term fresh = value.slice(2, t, 1);
    if (decay) {
      const Term now = decay->slice(2, t, 1);
      state = state * now.reshaped({batch, heads, now.shape()[3], 1});
    }
    if (beta) fresh = beta->slice(2, t, 1) * (fresh - product(key_row, state));
    state = state + key_column * fresh;
    const Term read = product(query.slice(2, t, 1).reshaped({batch, heads, group, depth}), state);
    outputs.push_back((read * scale).reshaped({batch, 1, readers * width}));
  }
  return {joined(outputs, 1).as(n.b.dtype(n[0])).id, state.as(kept).id};
}

/// A convolution of each channel over what came before, kept from call to call.
Values causal_conv(Site& n) {
  const Shape x = n.b.shape(n[0]), w = n.b.shape(n[1]);
  if (x.size() != 3 || w.size() != 3 || w[0] != x[1] || w[1] != 1 || w[2] < 1)
    fail("onnx.shape", "the operand is {}, the weights {}", text_of(x), text_of(w));
  const std::string activation = n.text("activation", "none");
  if (activation != "none" && activation != "silu" && activation != "swish")
    fail("onnx.attribute", "activation: '{}' is not known", printable(activation));
  const int64_t before = w[2] - 1;
  const Shape past{x[0], x[1], before};
  if (n.has(3) && n.b.shape(n[3]) != past) fail("onnx.shape", "the past is {}", text_of(n.b.shape(n[3])));
  Term all = input(n, 0);
  if (before > 0)
    all = joined({n.has(3) ? input(n, 3) : Term{&n.b, n.b.constant(n.b.filled(all.dtype(), past, 0))}, all}, 2);
  Values operands{all.id, n[1]};
  if (n.has(2)) operands.push_back(n[2]);
  const Term y = all.with(
      n.make(ops::conv, operands,
             {{"strides", Integers{1}}, {"pads", Integers{0, 0}}, {"dilations", Integers{1}}, {"groups", x[1]}}));
  return {activation == "none" ? y.id : y.apply(ops::silu).id, all.slice(2, x[2], before).id};
}

/// a * sigmoid(alpha * a) * b.
Values swiglu(Site& n) {
  const Term a = input(n, 0), b = input(n, 1);
  if (a.shape() != b.shape()) fail("onnx.shape", "operands are {} and {}", text_of(a.shape()), text_of(b.shape()));
  const double alpha = n.number("alpha", 1);
  const Term gate = alpha == 1 ? a.apply(ops::silu) : a * (a * alpha).apply(ops::sigmoid);
  return {(gate * b).id};
}

constexpr Operator rows[] = {
    {"CausalConvWithState", causal_conv, "conv silu concat slice", 2, 4, "activation:s"},
    {"LinearAttention", linear_attention, "matmul mul add sub exp cast concat slice reshape transpose", 3, 6,
     "chunk_size:i kv_num_heads:i q_num_heads:i scale:f update_rule:s"},
    {"RotaryEmbedding", rotary_embedding, "mul add sub gather cast concat slice reshape transpose", 3, 4,
     "interleaved:i num_heads:i rotary_embedding_dim:i"},
    {"SwiGLU", swiglu, "silu mul sigmoid", 2, 2, "alpha:f"},
};

}  // namespace

std::span<const Operator> linear_attention_operators() { return rows; }

}  // namespace hadal::onnx

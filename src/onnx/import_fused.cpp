// com.microsoft: attention and products that ONNX Runtime's optimiser and its exporters of language models make.
#include <cmath>

#include "onnx/heads.h"

namespace hadal::onnx {

namespace {

/// alpha * A B, of which each may be transposed.
Values fused_matmul(Site& n) {
  if (n.integer("transBatchA") != 0 || n.integer("transBatchB") != 0)
    fail("onnx.unsupported", "transposed batches are not supported");
  const Term y = input(n, 0).apply(ops::matmul, input(n, 1),
                                   {{"transpose_a", n.integer("transA")}, {"transpose_b", n.integer("transB")}});
  const double alpha = n.number("alpha", 1);
  return {alpha == 1 ? y.id : (y * alpha).id};
}

/// ONNX's operator of that name, at a node that has more: its attributes are among the node's.
Term plain(Site& n, const char* type) { return {&n.b, operator_named("", type)->import(n)[0]}; }

/// An activation by its name, with its numbers in the order in which ONNX has them.
Term activated(const Term& y, const std::string& name, const std::vector<double>& numbers) {
  const auto number = [&](size_t i, double otherwise) { return i < numbers.size() ? numbers[i] : otherwise; };
  if (name.empty()) return y;
  if (name == "Relu") return y.apply(ops::relu);
  if (name == "Tanh") return y.apply(ops::tanh);
  if (name == "Sigmoid") return y.apply(ops::sigmoid);
  if (name == "LeakyRelu") return y.apply(ops::leaky_relu, {{"alpha", number(0, 0.01)}});
  if (name == "Clip") return clamp(y, number(0, -INFINITY), number(1, INFINITY));
  if (name == "HardSigmoid") return y.apply(ops::hard_sigmoid, {{"alpha", number(0, 0.2)}, {"beta", number(1, 0.5)}});
  fail("onnx.attribute", "activation: '{}' is not known", printable(name));
}

/// A convolution, a sum with one more tensor, and an activation.
Values fused_conv(Site& n) {
  constexpr size_t sum = 3;
  Term y = plain(n, "Conv");
  if (n.has(sum)) y = y + input(n, sum);
  const auto numbers = n.has("activation_params") ? n.attribute("activation_params").numbers : std::vector<double>{};
  return {activated(y, n.text("activation"), numbers).id};
}

/// A convolution of [N,spatial...,C] with filters [O,spatial...,C].
Values nhwc_conv(Site& n) {
  if (n.b.rank(n[0]) != 4 || n.b.rank(n[1]) != 4) fail("onnx.shape", "the operand is {}", text_of(n.b.shape(n[0])));
  for (const size_t i : {0, 1}) n.inputs[i] = input(n, i).transposed({0, 3, 1, 2}).id;
  return {plain(n, "Conv").transposed({0, 2, 3, 1}).id};
}

Values fused_gemm(Site& n) {
  std::vector<double> numbers;
  for (const char* name : {"activation_alpha", "activation_beta"})
    if (n.has(name)) numbers.push_back(n.number(name));
  return {activated(plain(n, "Gemm"), n.text("activation"), numbers).id};
}

/// As ONNX's, with the position before the tables; one position is that of the first row.
Values rotary_embedding(Site& n) {
  const Shape given = n.b.shape(n[0]);
  if (given.size() != 3 && given.size() != 4) fail("onnx.shape", "the operand is {}", text_of(given));
  if (n.integer("is_packed_batching") != 0 || n.number("scale", 1) != 1)
    fail("onnx.unsupported", "packed batches and scales are not supported");
  const int64_t half = n.b.shape(n[2]).back(), turning = n.integer("rotary_embedding_dim");
  Term x = input(n, 0);
  if (given.size() == 4) {
    x = x.transposed({0, 2, 1, 3});
  } else {  // Without a number of heads, all of a head turns.
    const int64_t heads = n.integer("num_heads"), size = heads > 0 ? given[2] / heads : 2 * half;
    if (size < 1 || given[2] % size != 0) fail("onnx.shape", "heads of {} in {}", size, text_of(given));
    x = x.reshaped({given[0], given[1], given[2] / size, size});
  }
  if (turning != 0 && turning != 2 * half) fail("onnx.shape", "{} elements turn by {} angles", turning, half);
  const Shape s = x.shape();
  Term position = input(n, 1).as(DType::i64);
  if (n.b.rank(n[1]) < 2) position = (position.reshaped({1, 1}) + positions(n, s[1])).broadcast({s[0], s[1]});
  const auto angles = [&](size_t i) { return input(n, i).gathered(position, 0).reshaped({s[0], s[1], 1, half}); };
  const Term y = turned(x, angles(2), angles(3), n.integer("interleaved") != 0);
  return {given.size() == 4 ? y.transposed({0, 2, 1, 3}).id : y.reshaped(given).id};
}

/// 0 where a key may be seen, else the value that the node states: of [B,T] or [B,S,T] integers, or of [B] lengths.
Term key_mask(Site& n, size_t i, int64_t keys, DType dtype) {
  const Shape s = n.b.shape(n[i]);
  Term seen = input(n, i);
  if (s.size() == 1)
    seen = positions(n, keys) < seen.as(DType::i64).reshaped({s[0], 1, 1, 1});
  else if (s.size() == 2)
    seen = seen.as(DType::boolean).reshaped({s[0], 1, 1, s[1]});
  else if (s.size() == 3)
    seen = seen.as(DType::boolean).reshaped({s[0], 1, s[1], s[2]});
  else
    fail("onnx.unsupported", "a mask of {} is not supported", text_of(s));
  const double hidden = n.number("mask_filter_value", -10000);
  return where(seen, Term{&n.b, n.b.scalar(dtype, 0)}, Term{&n.b, n.b.scalar(dtype, hidden)});
}

/// 0 or the lowest number: query i is key i + past.
Term causal_mask(Site& n, int64_t queries, int64_t keys, DType dtype) {
  const Term place = positions(n, queries).reshaped({queries, 1}) + static_cast<double>(keys - queries);
  const double lowest = dtype == DType::f16 ? -65504.0 : -3.3895313892515355e38;  // Of bf16, which f32 has, too.
  return where(positions(n, keys) <= place, Term{&n.b, n.b.scalar(dtype, 0)}, Term{&n.b, n.b.scalar(dtype, lowest)});
}

/// Of queries, keys and values [B,heads,S,size]: [B,S,heads*size]. `mask` and `bias` are the numbers of inputs.
Term attended(Site& n, const Term& q, const Term& k, const Term& v, size_t mask, size_t bias) {
  const double scale = scale_of(n, q.shape()[3]);
  const int64_t queries = q.shape()[2], keys = k.shape()[2];
  Term scores = product(q, k, true) * scale;
  if (n.has(mask)) scores = scores + key_mask(n, mask, keys, scores.dtype());
  if (n.integer("unidirectional") != 0) scores = scores + causal_mask(n, queries, keys, scores.dtype());
  if (n.has(bias)) scores = scores + input(n, bias);
  return merged_heads(product(softmax_of(scores), v));
}

/// Past rows, then new ones; both [B,heads,S,size].
Term behind(Site& n, size_t past, const Term& rows) { return n.has(past) ? joined({input(n, past), rows}, 2) : rows; }

Values multi_head_attention(Site& n) {
  constexpr size_t offsets = 3, mask = 4, bias = 5, past_key = 6, past_value = 7;
  const int64_t heads = n.integer("num_heads");
  if (n.inputs.size() > past_value + 1) fail("onnx.unsupported", "a shared past is not supported");
  const auto part = [&](const Term& packed, int64_t i) {  // Of [B,S,heads,parts,size].
    const Shape s = packed.shape();
    return packed.slice(3, i, 1).reshaped({s[0], s[1], s[2] * s[4]});
  };
  Term q = input(n, 0), k = q, v = q;
  if (q.shape().size() == 5) {
    q = part(k, 0), v = part(k, 2), k = part(k, 1);
  } else {
    if (!n.has(1)) fail("onnx.inputs", "keys are missing");
    k = v = input(n, 1);
    if (k.shape().size() == 5)
      v = part(k, 1), k = part(k, 0);
    else if (n.has(2))
      v = input(n, 2);
    else
      fail("onnx.inputs", "values are missing");
  }
  if (n.has(offsets)) {  // A bias of each, one behind the other; keys and values by head have theirs already.
    const int64_t width = q.shape().back();
    q = q + input(n, offsets).slice(0, 0, width);
    if (k.shape().size() == 3) k = k + input(n, offsets).slice(0, width, width);
    if (v.shape().size() == 3) v = v + input(n, offsets).slice(0, 2 * width, v.shape().back());
  }
  k = behind(n, past_key, split_heads(k, heads));
  v = behind(n, past_value, split_heads(v, heads));
  return {attended(n, split_heads(q, heads), k, v, mask, bias).id, k.id, v.id};
}

/// Queries, keys and values by one product; the past of both is one tensor [2,B,heads,P,size].
Values packed_attention(Site& n) {
  constexpr size_t offsets = 2, mask = 3, past = 4, bias = 5;
  const int64_t heads = n.integer("num_heads");
  if (n.integer("do_rotary") != 0 || n.integer("past_present_share_buffer") != 0)
    fail("onnx.unsupported", "rotation and a shared past are not supported");
  Term all = product(input(n, 0), input(n, 1));
  if (n.has(offsets)) all = all + input(n, offsets);
  Integers widths = n.integers("qkv_hidden_sizes");
  if (widths.empty()) widths.assign(3, all.shape().back() / 3);
  if (all.shape().size() != 3 || widths.size() != 3 || widths[0] + widths[1] + widths[2] != all.shape().back())
    fail("onnx.shape", "queries, keys and values in {}", text_of(all.shape()));
  const Term q = split_heads(all.slice(2, 0, widths[0]), heads);
  Term k = split_heads(all.slice(2, widths[0], widths[1]), heads),
       v = split_heads(all.slice(2, widths[0] + widths[1], widths[2]), heads);
  const auto before = [&](int64_t i, const Term& rows) {
    if (!n.has(past)) return rows;
    const Shape s = n.b.shape(n[past]);
    if (s.size() != 5) fail("onnx.shape", "the past is {}", text_of(s));
    return joined({input(n, past).slice(0, i, 1).reshaped({s[1], s[2], s[3], s[4]}), rows}, 2);
  };
  k = before(0, k), v = before(1, v);
  Values out{attended(n, q, k, v, mask, bias).id};
  if (n.wants(1)) out.push_back(stacked(n, {k.id, v.id}, 0));
  return out;
}

/// Embeddings of words, places and segments, summed and normalised; and how many words of each row the mask leaves.
Values embedded(Site& n) {
  enum : size_t { words, segments, word, place, segment, gamma, beta, mask, places };
  for (const size_t i : {word, place, gamma, beta})
    if (!n.has(i)) fail("onnx.inputs", "input {} is missing", i);
  const Shape s = n.b.shape(n[words]);
  if (s.size() != 2) fail("onnx.shape", "input_ids are {}", text_of(s));
  const auto rows = [&](size_t table, const Term& index) { return input(n, table).gathered(index, 0); };
  Term sum = rows(word, input(n, words)) +
             (n.has(places) ? rows(place, input(n, places)) : rows(place, positions(n, s[1]).reshaped({1, s[1]})));
  if (n.has(segments) && n.has(segment)) sum = sum + rows(segment, input(n, segments));
  const Term y = sum.with(n.make(ops::normalize, {sum.id, n[gamma], n[beta]},
                                 {{"axes", Integers{2}}, {"epsilon", n.number("epsilon", 1e-12)}, {"kind", "layer"}}));
  const Term left = n.has(mask) ? equal(input(n, mask), 1).as(DType::i32).reduced("sum", {1}, false)
                                : sum.with(n.b.constant(n.b.filled(DType::i32, {s[0]}, 0)));
  return {y.id, left.id, sum.id};
}

/// The numbers of `bits` bits in constant bytes, the lowest bits first, as [..., count].
ValueId unpacked(Site& n, const Tensor& bytes, int64_t bits, Shape shape) {
  const int64_t each = 8 / bits, count = shape.back();
  const Shape& from = bytes.shape;
  const int64_t row = from.back() * each, rows = elements(shape) / std::max<int64_t>(count, 1);
  if (rows * count > bytes.size() * each || row < count) fail("onnx.shape", "{} numbers in {}", count, text_of(from));
  const DType dtype = bits == 4 ? DType::u4 : DType::u8;
  n.b.check_size({dtype, shape});
  n.b.book(rows * count);
  std::byte* data = nullptr;
  Tensor out = Tensor::zeros(dtype, std::move(shape), data);
  const auto packed = bytes.bytes.view;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t i = 0; i < count; ++i) {
      const auto byte = static_cast<unsigned>(packed[static_cast<size_t>((r * row + i) / each)]);
      data[r * count + i] = static_cast<std::byte>(byte >> (bits * ((r * row + i) % each)) & ((1U << bits) - 1));
    }
  return n.b.constant(std::move(out));
}

/// A times weights of 4 or 8 bits, [columns, blocks of depth], each block with a scale and a zero point.
Values matmul_nbits(Site& n) {
  constexpr size_t scales = 2, zeros = 3, order = 4, offsets = 5;
  const int64_t depth = n.integer("K"), columns = n.integer("N"), bits = n.integer("bits", 4),
                block = n.integer("block_size");
  if (n.has(order)) fail("onnx.unsupported", "reordered rows (g_idx) are not supported");
  if ((bits != 4 && bits != 8) || depth < 1 || columns < 1 || block < 1)
    fail("onnx.unsupported", "{} bits in blocks of {}", bits, block);
  const int64_t blocks = (depth + block - 1) / block;
  const Tensor& bytes = n.tensor(1, "B");
  if (n.b.dtype(n[1]) != DType::u8 || elements(bytes.shape) != columns * blocks * ((block * bits + 7) / 8))
    fail("onnx.shape", "B is {}", text_of(bytes.shape));
  const Term weights{&n.b, unpacked(n, bytes, bits, {columns, blocks, block})};
  if (elements(n.b.shape(n[scales])) != columns * blocks)
    fail("onnx.shape", "scales are {}", text_of(n.b.shape(n[scales])));
  const Term scale = input(n, scales).reshaped({columns, blocks, 1});
  Term wide = weights;
  if (n.has(zeros) && is_float(n.b.dtype(n[zeros]))) {
    wide = (weights.as(scale.dtype()) - input(n, zeros).reshaped({columns, blocks, 1})) * scale;
  } else {
    ValueId zero = n.b.reshape(n.b.scalar(weights.dtype(), bits == 4 ? 8 : 128), {1, 1, 1});  // The middle.
    if (n.has(zeros)) {
      const Tensor& packed = n.tensor(zeros, "zero_points");
      const int64_t row = (blocks * bits + 7) / 8;
      if (packed.size() != columns * row) fail("onnx.shape", "zero points are {}", text_of(packed.shape));
      zero = n.b.reshape(unpacked(n, {DType::u8, {columns, row}, packed.bytes}, bits, {columns, blocks}),
                         {columns, blocks, 1});
    }
    wide = weights.with(n.make(ops::dequantize, {weights.id, scale.id, zero}));
  }
  const Term matrix = wide.reshaped({columns, blocks * block}).slice(1, 0, depth);
  Term y = product(input(n, 0), matrix.as(n.b.dtype(n[0])), true);
  if (n.has(offsets)) y = y + input(n, offsets);
  return {y.id};
}

constexpr std::string_view domain = "com.microsoft";
constexpr const char* attention_ops =
    "matmul mul add softmax where less less_equal cast concat slice reshape transpose";
constexpr Operator rows[] = {
    {"Attention", packed_attention, attention_ops, 2, 6,
     "do_rotary:i mask_filter_value:f num_heads:i past_present_share_buffer:i qkv_hidden_sizes:is scale:f "
     "unidirectional:i",
     domain},
    {"EmbedLayerNormalization", embedded, "gather add normalize equal cast reduce", 1, 9, "epsilon:f mask_index_type:i",
     domain},
    {"FusedConv", fused_conv, "conv add relu tanh sigmoid leaky_relu clip hard_sigmoid", 2, 4,
     "activation:s activation_params:fs auto_pad:s dilations:is group:i kernel_shape:is pads:is strides:is", domain},
    {"FusedGemm", fused_gemm, "matmul mul add relu tanh sigmoid leaky_relu clip hard_sigmoid", 2, 3,
     "activation:s activation_alpha:f activation_beta:f activation_gamma:f alpha:f beta:f transA:i transB:i", domain},
    {"FusedMatMul", fused_matmul, "matmul mul", 2, 2, "alpha:f transA:i transB:i transBatchA:i transBatchB:i", domain},
    {"MatMulNBits", matmul_nbits, "matmul dequantize add sub mul cast reshape slice", 3, 6,
     "K:i N:i accuracy_level:i bits:i block_size:i", domain},
    {"MultiHeadAttention", multi_head_attention, attention_ops, 1, 10,
     "mask_filter_value:f num_heads:i scale:f unidirectional:i", domain},
    {"NhwcConv", nhwc_conv, "conv transpose", 2, 3,
     "auto_pad:s dilations:is group:i kernel_shape:is pads:is strides:is", domain},
    {"RotaryEmbedding", rotary_embedding, "mul add sub gather cast concat slice reshape transpose broadcast", 4, 4,
     "interleaved:i is_packed_batching:i num_heads:i rotary_embedding_dim:i scale:f", domain},
};

}  // namespace

std::span<const Operator> fused_operators() { return rows; }

}  // namespace hadal::onnx

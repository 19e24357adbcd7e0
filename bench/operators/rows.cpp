#include "bench/operators/rows.h"

#include <map>

namespace hadal::bench {

namespace {

constexpr int64_t most = int64_t{1} << 40;

Result<int64_t> count(const Row& row, std::string_view column) { return row.integer(column, 1, most); }

/// "12x512x64" as `wanted` numbers.
Result<std::vector<int64_t>> extents_of(const Row& row, std::string_view column, size_t wanted) {
  HADAL_TRY(const std::string text, row.text(column));
  std::vector<int64_t> out;
  for (size_t from = 0; from <= text.size();) {
    const size_t to = std::min(text.find('x', from), text.size());
    const auto number = parse_number(std::string_view(text).substr(from, to - from));
    if (!number || *number < 0 || *number > static_cast<double>(most)) break;
    out.push_back(static_cast<int64_t>(*number));
    from = to + 1;
  }
  if (out.size() == wanted) return out;
  return Error{"table.shape", fmt::format("\"{}\" is no shape of {} extents", printable(text), wanted),
               fmt::format("{}, column {}", row.place(), column)};
}

Call skip(std::string reason) {
  Call call;
  call.skipped = std::move(reason);
  return call;
}

struct Device {
  std::string_view prefix, chip, profile;
};
constexpr Device devices[] = {{"TPUv3", "tpu-v3", "tpu-v3-xla"},
                              {"TPUv6e", "tpu-v6e", "tpu-v6e-xla"},
                              {"A100", "a100", "a100-pytorch"},
                              {"H800", "h800", "h800-deepgemm"},
                              {"MI210", "mi210", "mi210-pytorch"}};

const Device* device_named(std::string_view name) {
  for (const Device& device : devices)
    if (name.starts_with(device.prefix)) return &device;
  return nullptr;
}

/// Operators that other software ran on the same device.
std::string_view profile_of(const Device& device, std::string_view op) {
  if (device.chip != "tpu-v6e") return device.profile;
  if (op == "fused_attention") return "tpu-v6e-pallas";
  return op == "attention_paged_gqa" ? "tpu-v6e-paged" : device.profile;
}

Call called(const Device& device, std::string op, graph::Graph graph, double seconds) {
  const std::string_view profile = profile_of(device, op);
  return {std::string(device.chip), std::string(profile), std::move(op), std::move(graph), seconds, {}};
}

Result<DType> type_of(const Row& row) {
  if (!row.table().column("dtype")) return DType::f32;
  HADAL_TRY(const std::string name, row.text("dtype"));
  static const std::map<std::string, DType, std::less<>> types{
      {"fp16", DType::f16}, {"bf16", DType::bf16}, {"16-bit float", DType::bf16}, {"fp32", DType::f32}};
  const auto found = types.find(name);
  if (found != types.end()) return found->second;
  return Error{"table.type", fmt::format("\"{}\" is no type of the models", printable(name)), row.place()};
}

Result<graph::Graph> from_gemm(const Row& row, DType type) {
  HADAL_TRY(const int64_t m, count(row, "m"));
  HADAL_TRY(const int64_t k, count(row, "k"));
  HADAL_TRY(const int64_t n, count(row, "n"));
  return gemm(type, m, k, n);
}

Result<graph::Graph> from_rows(const Row& row, DType type) {
  HADAL_TRY(const std::string op, row.text("op"));
  HADAL_TRY(const int64_t rows, count(row, "rows"));
  HADAL_TRY(const int64_t columns, count(row, "cols"));
  if (op == "softmax") return softmax(type, rows, columns);
  return op == "layernorm" ? layer_norm(type, rows, columns) : gelu(type, rows * columns);
}

Result<graph::Graph> from_feed_forward(const Row& row, DType type) {
  HADAL_TRY(const std::string op, row.text("op"));
  HADAL_TRY(const int64_t tokens, count(row, "tokens"));
  HADAL_TRY(const int64_t hidden, count(row, "hidden"));
  HADAL_TRY(const int64_t inner, count(row, "intermediate"));
  return feed_forward(type, tokens, hidden, inner, op == "ffn_gated");
}

/// Readers a head of keys and values.
Result<int64_t> sharing_heads(const Row& row, int64_t readers, int64_t heads) {
  if (readers % heads == 0) return readers / heads;
  return Error{"table.shape", fmt::format("{} heads share {}", readers, heads), row.place(), ""};
}

/// Heads that share keys and values are rows of one product.
Result<graph::Graph> from_attention(const Row& row, DType type) {
  HADAL_TRY(const int64_t readers, count(row, "q_heads_x_batch"));
  HADAL_TRY(const int64_t heads, count(row, "kv_heads_x_batch"));
  HADAL_TRY(const int64_t queries, count(row, "q_len"));
  HADAL_TRY(const int64_t keys, count(row, "kv_len"));
  HADAL_TRY(const int64_t width, count(row, "head_dim"));
  HADAL_TRY(const int64_t sharing, sharing_heads(row, readers, heads));
  return attention(type, {heads, sharing * queries, keys, width});
}

Result<graph::Graph> from_fused_attention(const Row& row, DType type) {
  HADAL_TRY(const std::string phase, row.text("phase"));
  HADAL_TRY(const int64_t batch, count(row, "batch"));
  HADAL_TRY(const int64_t readers, count(row, "q_heads"));
  HADAL_TRY(const int64_t heads, count(row, "kv_heads"));
  HADAL_TRY(const int64_t keys, count(row, "kv_len"));
  HADAL_TRY(const int64_t width, count(row, "head_dim"));
  HADAL_TRY(const int64_t sharing, sharing_heads(row, readers, heads));
  const int64_t queries = phase == "decode" ? 1 : keys;
  return attention(type, {batch * heads, sharing * queries, keys, width});
}

/// Operators by the name in column `op`, with shapes in columns of their own.
Result<Call> from_columns(const Row& row, const std::string& op, const Device& device, double seconds) {
  HADAL_TRY(const DType type, type_of(row));
  static const std::map<std::string, Result<graph::Graph> (*)(const Row&, DType), std::less<>> makers{
      {"matmul", from_gemm},
      {"softmax", from_rows},
      {"layernorm", from_rows},
      {"gelu", from_rows},
      {"ffn_gated", from_feed_forward},
      {"ffn_erf", from_feed_forward},
      {"attention_full", from_attention},
      {"attention_paged_gqa", from_attention},
      {"fused_attention", from_fused_attention}};
  const auto maker = makers.find(op);
  if (maker == makers.end()) return skip(fmt::format("no model of {}", op));
  HADAL_TRY(graph::Graph graph, maker->second(row, type));
  return called(device, op, std::move(graph), seconds);
}

/// Operators with their shape in one cell, and whole networks.
Result<Call> from_shape(const Row& row, const std::string& op, const Device& device, double seconds) {
  const auto made = [&](Result<graph::Graph> graph) -> Result<Call> {
    if (!graph) return graph.error();
    return called(device, op, std::move(graph).value(), seconds);
  };
  constexpr DType type = DType::f32;
  if (op == "gemm") {
    HADAL_TRY(const auto s, extents_of(row, "shape", 3));
    return made(gemm(type, s[0], s[1], s[2]));
  }
  if (op == "conv") {
    HADAL_TRY(const auto s, extents_of(row, "shape", 8));
    return made(convolution(type, {s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]}));
  }
  if (op == "layernorm" || op == "softmax") {
    HADAL_TRY(const auto s, extents_of(row, "shape", 2));
    return made(op == "softmax" ? softmax(type, s[0], s[1]) : layer_norm(type, s[0], s[1]));
  }
  if (op == "attention") {
    HADAL_TRY(const auto s, extents_of(row, "shape", 3));
    return made(attention(type, {s[0], s[1], s[1], s[2]}));
  }
  if (op == "resnet18" || op == "resnet50") return made(resnet(type, op == "resnet18" ? 18 : 50));
  if (op == "bert") {
    HADAL_TRY(const std::string size, row.text("shape"));
    static const std::map<std::string, std::pair<int64_t, int64_t>, std::less<>> sizes{
        {"base", {768, 12}}, {"large", {1024, 16}}, {"xlarge", {2048, 32}}};
    const auto found = sizes.find(size);
    if (found == sizes.end()) return skip(fmt::format("no BERT of size {}", size));
    return made(encoder_block(type, 512, found->second.first, found->second.second));
  }
  return skip(fmt::format("no model of {}", op));
}

/// "m=64 n=2112 k=7168".
Result<int64_t> number_in(const Row& row, const std::string& config, std::string_view name) {
  const std::string text = " " + config, key = fmt::format(" {}=", name);
  const size_t at = text.find(key);
  const size_t from = at + key.size();
  const auto number = at == std::string::npos
                          ? std::nullopt
                          : parse_number(std::string_view(text).substr(from, text.find(' ', from) - from));
  if (number && *number >= 1 && *number <= static_cast<double>(most)) return static_cast<int64_t>(*number);
  return Error{"table.shape", fmt::format("\"{}\" has no {}", printable(config), name), row.place(), ""};
}

/// Figures as published, one a row: times of DeepGEMM's kernels.
Result<Call> from_figures(const Row& row) {
  HADAL_TRY(const std::string group, row.text("group"));
  HADAL_TRY(const std::string metric, row.text("metric"));
  HADAL_TRY(const std::string name, row.text("hardware"));
  const Device* device = device_named(name);
  if (group != "deepgemm-20250409" || !device) return skip(fmt::format("no model of {}", group));
  if (metric != "time") return skip(fmt::format("{} of {}: its time is compared", metric, group));
  HADAL_TRY(const std::string item, row.text("item"));
  HADAL_TRY(const std::string config, row.text("config"));
  HADAL_TRY(const double microseconds, row.number("value", 1e-3, 1e12));
  const bool grouped = item.starts_with("grouped"), contiguous = item.find("contiguous") != std::string::npos;
  ScaledProducts shape{1, 0, 0, 0, contiguous};
  if (grouped) {
    HADAL_TRY(shape.groups, number_in(row, config, "groups"));
  }
  HADAL_TRY(shape.m, number_in(row, config, grouped ? "m_per_group" : "m"));
  HADAL_TRY(shape.k, number_in(row, config, "k"));
  HADAL_TRY(shape.n, number_in(row, config, "n"));
  HADAL_TRY(graph::Graph graph, scaled_products(shape));
  return called(*device, grouped ? contiguous ? "grouped" : "masked" : "dense", std::move(graph), microseconds * 1e-6);
}

}  // namespace

Result<Call> call_of(const Row& row) {
  const bool figures = row.table().column("metric") && row.table().column("config") && row.table().column("hardware");
  if (figures) return from_figures(row);
  const bool by_shape = row.table().column("shape").has_value();
  for (const std::string_view column : {std::string_view("op"), std::string_view("device")})
    if (!row.table().column(column)) return skip(fmt::format("a table without column {}", column));
  HADAL_TRY(const std::string op, row.text("op"));
  HADAL_TRY(const std::string name, row.text("device"));
  const Device* device = device_named(name);
  if (!device) return skip(fmt::format("no chip stands for {}", name));
  HADAL_TRY(const double seconds, row.number(by_shape ? "measured_seconds_at_940MHz" : "measured_seconds", 1e-9, 1e6));
  return by_shape ? from_shape(row, op, *device, seconds) : from_columns(row, op, *device, seconds);
}

}  // namespace hadal::bench

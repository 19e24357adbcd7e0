// The rows of all operators.
#include <algorithm>
#include <map>
#include <sstream>

#include "onnx/importer.h"

namespace hadal::onnx {

namespace {

using OperatorRows = std::map<std::pair<std::string_view, std::string_view>, const Operator*>;

/// All rows by domain and type.
const OperatorRows& operator_rows() {
  static const auto rows = [] {
    OperatorRows out;
    for (const auto& family : {elementwise_operators(), shape_operators(),
                               constant_operators(),    index_operators(),
                               conv_operators(),        pool_operators(),
                               matmul_operators(),      norm_operators(),
                               reduce_operators(),      resize_operators(),
                               attention_operators(),   quantize_operators(),
                               control_operators(),     recurrent_operators(),
                               sample_operators(),      loss_operators(),
                               signal_operators(),      integer_operators(),
                               training_operators(),    learn_operators(),
                               arrange_operators(),     linear_attention_operators(),
                               determinant_operators(), qlinear_operators(),
                               sequence_operators(),    random_operators(),
                               fused_operators(),       cached_attention_operators()})
      for (const Operator& row : family) out[{row.domain, row.type}] = &row;
    return out;
  }();
  return rows;
}

}  // namespace

const Operator* operator_named(const std::string& domain, const std::string& type) {
  const auto found = operator_rows().find({domain, type});
  return found == operator_rows().end() ? nullptr : found->second;
}

void check_inputs(const Operator& row, const Values& inputs) {
  if (inputs.size() < row.least || inputs.size() > row.most)
    fail("onnx.inputs", "{} inputs, expected {} to {}", inputs.size(), row.least, row.most);
  for (size_t i = 0; i < row.least; ++i)
    if (inputs[i] == absent) fail("onnx.inputs", "input {} is missing", i);
  for (size_t i = 0; i < inputs.size() && !row.any_kind; ++i)
    if (!is_tensor(inputs[i]) && inputs[i] != absent)
      fail("onnx.type", "input {} is {}, expected a tensor", i, Builder::kind_of(inputs[i]));
}

void check_attributes(const Operator& row, const ModelNode& node) {
  const std::string known = fmt::format(" {} ", row.attributes);
  for (const auto& [name, value] : node.attributes) {
    if (value.kind == ModelAttribute::Kind::reference) continue;
    if (known.find(fmt::format(" {}:{} ", name, letters_of(value.kind))) != std::string::npos) continue;
    if (known.find(fmt::format(" {}:", name)) == std::string::npos)
      fail("onnx.attribute", "attribute '{}' is not known", printable(name));
    fail("onnx.attribute", "attribute '{}' is {}", printable(name), name_of(value.kind));
  }
}

std::vector<OperatorInfo> operators() {
  const auto words = [](std::string_view text) {
    std::vector<std::string> out;
    std::istringstream in{std::string(text)};
    for (std::string word; in >> word;) out.push_back(word.substr(0, word.find(':')));
    return out;
  };
  std::vector<OperatorInfo> out;
  for (const auto& [key, row] : operator_rows())
    out.push_back({key.first.empty() ? std::string(key.second) : fmt::format("{}.{}", key.first, key.second),
                   row->least, row->most, words(row->attributes), words(row->becomes)});
  std::ranges::sort(out, {}, &OperatorInfo::name);
  return out;
}

}  // namespace hadal::onnx

#include "runtime/kernels.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "runtime/tile_program.h"

namespace hadal::runtime {

namespace {

using nlohmann::json;

json json_of(const onnx::KernelNode& node) {
  json inputs = json::array(), attributes = json::object();
  for (const auto& input : node.inputs)
    inputs.push_back(input ? json{{"dtype", name_of(input->dtype)}, {"shape", input->shape}} : json());
  for (const auto& [name, value] : node.attributes.all())
    std::visit([&, key = name](const auto& v) { attributes[key] = v; }, value);
  return {{"op", node.op}, {"name", node.name}, {"inputs", inputs}, {"attributes", attributes}};
}

/// What the caller says is wrong.
Error error_of(const json& said) {
  const auto text = [&](const char* name) { return said.value(name, std::string()); };
  return {text("code"), text("message"), text("place"), text("remedy")};
}

std::vector<Shape> shapes_of(const json& list) {
  std::vector<Shape> out;
  for (const json& shape : list) out.push_back(shape.get<Shape>());
  return out;
}

onnx::Kernel kernel_from(const json& answer) {
  std::vector<graph::Type> results;
  for (const json& result : answer.at("results"))
    results.push_back({dtype_named(result.at("dtype").get<std::string>()).value(), result.at("shape").get<Shape>()});
  return {0, answer.at("name").get<std::string>(), shapes_of(answer.at("inputs")), std::move(results),
          shapes_of(answer.at("shapes"))};
}

}  // namespace

Kernels::Kernels(const KernelSource& source) : source_(source) {
  programs_ = [this](int64_t number, int64_t cores) -> Result<tile::Program> {
    HADAL_TRY(TileProgram program, parse_tile_program(texts_.at(static_cast<size_t>(number)), cores));
    return std::move(program.tiles);
  };
}

onnx::KernelTable Kernels::table() {
  return {source_.operators, [this](const onnx::KernelNode& node) { return kernel_of(node); }};
}

Result<std::optional<onnx::Kernel>> Kernels::kernel_of(const onnx::KernelNode& node) {
  const std::optional<std::string> said =
      source_.answer(json_of(node).dump(-1, ' ', false, json::error_handler_t::replace));
  if (!said) return std::optional<onnx::Kernel>{};
  const Error wrong{"kernel.answer",
                    fmt::format("the answer for {} is not what include/hadal.h says", printable(node.op))};
  const json answer = json::parse(*said, nullptr, false);
  if (answer.is_discarded() || !answer.is_object()) return wrong;
  try {  // The caller is trusted no more than a file: what is missing or of another type throws.
    if (answer.contains("error")) return error_of(answer.at("error"));
    onnx::Kernel kernel = kernel_from(answer);
    std::string tiles = answer.at("tiles").dump();
    const auto known = std::ranges::find(texts_, tiles);
    kernel.number = known - texts_.begin();
    if (known == texts_.end()) {
      HADAL_CHECK(parse_tile_program(tiles));
      texts_.push_back(std::move(tiles));
    }
    return std::optional(std::move(kernel));
  } catch (const json::exception&) {
    return wrong;
  } catch (const std::bad_optional_access&) {
    return wrong;
  }
}

}  // namespace hadal::runtime

#include "train/safetensors.h"

#include <array>
#include <cstring>
#include <nlohmann/json.hpp>

namespace hadal::train {

using Json = nlohmann::ordered_json;

namespace {

struct Name {
  std::string_view text;
  DType type;
};
constexpr std::array<Name, 12> names{{{"F64", DType::f64},
                                      {"F32", DType::f32},
                                      {"F16", DType::f16},
                                      {"BF16", DType::bf16},
                                      {"I64", DType::i64},
                                      {"I32", DType::i32},
                                      {"I16", DType::i16},
                                      {"I8", DType::i8},
                                      {"U8", DType::u8},
                                      {"BOOL", DType::boolean},
                                      {"F8_E4M3", DType::f8e4m3},
                                      {"F8_E5M2", DType::f8e5m2}}};

Error broken(const std::string& place, const std::string& name) {
  return Error{"safetensors.tensor", fmt::format("tensor \"{}\" is not described as its bytes are", printable(name)),
               place};
}

}  // namespace

std::string safetensors_of(const std::map<std::string, Tensor>& tensors) {
  Json header = Json::object();
  size_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    std::string_view type = "F32";
    for (const Name& known : names)
      if (known.type == tensor.dtype) type = known.text;
    const size_t end = offset + tensor.bytes.view.size();
    header[name] = {{"dtype", type}, {"shape", tensor.shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  const uint64_t size = text.size();
  std::string out(sizeof size, '\0');
  std::memcpy(out.data(), &size, sizeof size);
  out += text;
  for (const auto& [name, tensor] : tensors)
    out.append(reinterpret_cast<const char*>(tensor.bytes.view.data()), tensor.bytes.view.size());
  return out;
}

Result<std::map<std::string, Tensor>> parse_safetensors(std::span<const std::byte> file, const std::string& place) {
  uint64_t size = 0;
  if (file.size() >= sizeof size) std::memcpy(&size, file.data(), sizeof size);
  if (file.size() < sizeof size || size > file.size() - sizeof size)
    return Error{"safetensors.header", "the file is shorter than its header", place};
  const auto* const text = reinterpret_cast<const char*>(file.data()) + sizeof size;
  const Json header = Json::parse(text, text + size, nullptr, false);
  if (!header.is_object()) return Error{"safetensors.header", "the header cannot be read", place};
  const auto data = file.subspan(sizeof size + size);
  std::map<std::string, Tensor> out;
  for (const auto& [name, row] : header.items()) {
    if (name == "__metadata__") continue;
    try {
      const auto type = row.at("dtype").get<std::string>();
      const auto shape = row.at("shape").get<Shape>();
      const auto range = row.at("data_offsets").get<std::array<uint64_t, 2>>();
      const auto known = std::find_if(names.begin(), names.end(), [&](const Name& n) { return n.text == type; });
      if (known == names.end() || range[0] > range[1] || range[1] > data.size()) return broken(place, name);
      const int64_t bytes = checked_bytes(shape, bytes_of(known->type));
      if (bytes < 0 || static_cast<uint64_t>(bytes) != range[1] - range[0]) return broken(place, name);
      std::byte* to = nullptr;
      Tensor tensor = Tensor::zeros(known->type, shape, to);
      if (bytes > 0) std::memcpy(to, data.data() + range[0], static_cast<size_t>(bytes));
      out.emplace(name, std::move(tensor));
    } catch (const Json::exception&) {
      return broken(place, name);
    }
  }
  return out;
}

}  // namespace hadal::train

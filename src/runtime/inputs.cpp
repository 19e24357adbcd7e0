#include "runtime/inputs.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <set>

#include "base/files.h"
#include "base/npy.h"
#include "base/split_mix.h"
#include "base/suggest.h"

namespace hadal::runtime {

namespace {

std::string in_quotes(std::string_view text) { return fmt::format("\"{}\"", printable(text)); }

bool exists(std::string_view file) {
  std::error_code ignored;
  return std::filesystem::exists(std::filesystem::path(file), ignored);
}

/// Where the name ends: the first '=' after which a file's name stands, else the first one. Names may hold '='.
template <class IsFile>
size_t name_end(std::string_view text, IsFile is_file) {
  for (size_t at = text.find('='); at != text.npos; at = text.find('=', at + 1))
    if (is_file(text.substr(at + 1))) return at;
  return text.find('=');
}

Result<std::array<float, 3>> three_numbers(std::string_view text, std::string_view option) {
  std::vector<float> values;
  for (std::string_view rest = text;;) {
    const std::string_view word = rest.substr(0, rest.find(':'));
    float value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error != std::errc{} || end != word.data() + word.size() || !std::isfinite(value)) {
      values.clear();
      break;
    }
    values.push_back(value);
    if (word.size() == rest.size()) break;
    rest.remove_prefix(word.size() + 1);
  }
  if (values.size() == 1) return std::array<float, 3>{values[0], values[0], values[0]};
  if (values.size() == 3) return std::array<float, 3>{values[0], values[1], values[2]};
  return Error{"usage.options",
               fmt::format("{} needs one number, or three separated by ':'; found {}", option, in_quotes(text)),
               {},
               fmt::format("such as {}=0.5 or {}=0.485:0.456:0.406", option, option)};
}

Status read_option(std::string_view option, NamedFile& out) {
  const size_t equals = option.find('=');
  const std::string_view key = option.substr(0, equals), value = option.substr(equals + 1);
  out.has_options = true;
  if (key == "order") {
    if (value != "rgb" && value != "bgr")
      return Error{"usage.options", fmt::format("order is rgb or bgr, found {}", in_quotes(value))};
    out.options.bgr = value == "bgr";
  } else if (key == "mean") {
    HADAL_TRY(out.options.mean, three_numbers(value, key));
  } else if (key == "scale") {
    HADAL_TRY(out.options.scale, three_numbers(value, key));
  } else {
    static constexpr std::array<std::string_view, 3> known{"order", "mean", "scale"};
    const std::string hint = did_you_mean(key, known);
    return Error{"usage.options",
                 fmt::format("unknown option {} of an input", in_quotes(key)),
                 {},
                 hint.empty() ? "the options are order, mean and scale" : hint};
  }
  return {};
}

/// Where the options begin: the first of the trailing parts ",word=value".
size_t options_begin(std::string_view file) {
  size_t begin = file.size();
  while (begin > 0) {
    const size_t comma = file.substr(0, begin).rfind(',');
    if (comma == file.npos) break;
    const std::string_view part = file.substr(comma + 1, begin - comma - 1);
    const size_t word = part.find_first_not_of("abcdefghijklmnopqrstuvwxyz");
    if (word == 0 || word == part.npos || part[word] != '=') break;
    begin = comma;
  }
  return begin;
}

Result<Tensor> checked(const GivenInput& given, const isa::Port& port) {
  const std::string& file = given.source.file;  // None of an array in memory.
  const std::string place = fmt::format("input {}{}", in_quotes(port.name), file.empty() ? "" : ": " + printable(file));
  if (!given.tensor) return picture_tensor(given.picture, given.source.options, port.dtype, port.shape, place);
  const Tensor& tensor = *given.tensor;
  if (tensor.shape != port.shape)
    return Error{"input.shape", fmt::format("expected shape {}, found {}", text_of(port.shape), text_of(tensor.shape)),
                 place};
  if (auto read = array_as(tensor, port.dtype)) return *read;
  return Error{"input.type", fmt::format("expected type {}, found {}", name_of(port.dtype), name_of(tensor.dtype)),
               place};
}

uint64_t fnv1a(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

/// Bits of a fraction that a type holds exactly, so that rounding never reaches 1.
int fraction_bits(DType type) {
  switch (type) {
    case DType::f64:
      return 53;
    case DType::f16:
      return 11;
    case DType::bf16:
      return 8;
    case DType::f8e4m3:
      return 4;
    case DType::f8e5m2:
    case DType::f8e5m2fnuz:
      return 3;
    case DType::f8e4m3fnuz:
      return 4;
    case DType::f4e2m1:
      return 1;
    case DType::f8e8m0:
      return 0;
    default:
      return 24;
  }
}

}  // namespace

Error unknown_input(const std::string& name, const std::vector<isa::Port>& ports) {
  std::vector<std::string_view> names;
  std::string list;
  for (const isa::Port& port : ports) {
    names.push_back(port.name);
    list += (list.empty() ? "" : ", ") +
            fmt::format("{} ({}[{}])", in_quotes(port.name), name_of(port.dtype), text_of(port.shape));
  }
  const std::string_view near = closest(name, names);
  const std::string hint = near.empty() ? "" : fmt::format("did you mean {}? ", in_quotes(near));
  return Error{"input.name",
               fmt::format("the model has no input {}", in_quotes(name)),
               {},
               names.empty() ? "it has no inputs" : hint + "its inputs are " + list};
}

Result<NamedFile> parse_named_file(std::string_view text, std::string_view flag) {
  const size_t end = name_end(text, exists);
  if (end == text.npos || end + 1 == text.size())
    return Error{"usage.value", fmt::format("{} needs NAME=FILE, found {}", flag, in_quotes(text))};
  return NamedFile{std::string(text.substr(0, end)), std::string(text.substr(end + 1)), {}, false};
}

Result<NamedFile> parse_input(std::string_view text) {
  const auto is_file = [](std::string_view file) {
    return exists(file) || exists(file.substr(0, options_begin(file)));
  };
  const size_t end = name_end(text, is_file);
  if (end == text.npos || end + 1 == text.size())
    return Error{"usage.value", fmt::format("--input needs NAME=FILE, found {}", in_quotes(text))};
  const std::string_view file = text.substr(end + 1);
  const size_t begin = exists(file) ? file.size() : options_begin(file);
  NamedFile out{std::string(text.substr(0, end)), std::string(file.substr(0, begin)), {}, false};
  for (std::string_view rest = file.substr(begin); !rest.empty();) {
    rest.remove_prefix(1);
    const std::string_view option = rest.substr(0, rest.find(','));
    if (auto status = read_option(option, out); !status)
      return std::move(status).error().at(fmt::format("--input {}", printable(text)));
    rest.remove_prefix(option.size());
  }
  return out;
}

Result<std::pair<std::string, Shape>> parse_shape(std::string_view text) {
  const Error bad{"usage.value",
                  fmt::format("--shape needs NAME=EXTENTS, found {}", in_quotes(text)),
                  {},
                  "such as --shape input=1,3,224,224"};
  const size_t end = text.rfind('=');
  if (end == text.npos) return bad;
  Shape shape;
  for (std::string_view rest = text.substr(end + 1); !rest.empty();) {
    int64_t extent = 0;
    const auto [stop, error] = std::from_chars(rest.data(), rest.data() + rest.size(), extent);
    rest.remove_prefix(static_cast<size_t>(stop - rest.data()));
    if (error != std::errc{} || extent < 0 || (!rest.empty() && (rest[0] != ',' || rest.size() == 1))) return bad;
    if (!rest.empty()) rest.remove_prefix(1);
    shape.push_back(extent);
  }
  return std::pair{std::string(text.substr(0, end)), std::move(shape)};
}

Result<std::vector<GivenInput>> read_inputs(const std::vector<NamedFile>& sources, int64_t largest_bytes) {
  std::vector<GivenInput> out;
  std::set<std::string> names;
  for (const NamedFile& source : sources) {
    if (!names.insert(source.name).second)
      return Error{"usage.duplicate", fmt::format("input {} is given twice", in_quotes(source.name))};
    const std::string place = fmt::format("input {}: {}", in_quotes(source.name), printable(source.file));
    auto file = read_file(source.file, largest_bytes);
    if (!file) return std::move(file).error().at(place);
    GivenInput given{source, {}, {}};
    if (is_npy(*file)) {
      if (source.has_options) return Error{"usage.options", "options are for pictures; an .npy file takes none", place};
      HADAL_TRY(given.tensor, parse_npy(*file, place));
    } else if (is_picture(*file)) {
      given.picture = std::move(*file);
    } else {
      return Error{"input.format", "expected an .npy file, a PNG or a JPEG", place,
                   "save arrays with numpy.save(FILE, array)"};
    }
    out.push_back(std::move(given));
  }
  return out;
}

Status check_names(const std::vector<GivenInput>& given, const std::vector<isa::Port>& ports) {
  for (const GivenInput& input : given)
    if (std::ranges::find(ports, input.source.name, &isa::Port::name) == ports.end())
      return unknown_input(input.source.name, ports);
  return {};
}

Result<std::vector<Tensor>> bind_inputs(const std::vector<isa::Port>& ports, const std::vector<GivenInput>& given,
                                        uint64_t seed) {
  const auto named = [](const auto& list, const std::string& name, auto get) {
    return std::find_if(list.begin(), list.end(), [&](const auto& entry) { return get(entry) == name; });
  };
  HADAL_CHECK(check_names(given, ports));
  std::vector<Tensor> out;
  for (const isa::Port& port : ports) {
    const auto found = named(given, port.name, [](const GivenInput& g) { return g.source.name; });
    if (found == given.end()) {
      out.push_back(made_up_input(port.name, port.dtype, port.shape, seed));
    } else {
      HADAL_TRY(Tensor tensor, checked(*found, port));
      out.push_back(std::move(tensor));
    }
  }
  return out;
}

Tensor made_up_input(const std::string& name, DType dtype, const Shape& shape, uint64_t seed) {
  const uint64_t key = SplitMix::mixed(fnv1a(name) ^ SplitMix::mixed(seed));
  const int bits = fraction_bits(dtype), bytes = bytes_of(dtype);
  std::byte* data = nullptr;
  Tensor out = Tensor::zeros(dtype, shape, data);
  const int64_t n = out.size();
  for (int64_t i = 0; i < n; ++i) {
    const uint64_t random = SplitMix::mixed(key + static_cast<uint64_t>(i) * SplitMix::step);
    const double value = is_float(dtype) ? std::ldexp(static_cast<double>(random >> (64 - bits)), -bits)
                                         : static_cast<double>(random >> 63);
    store_number(dtype, data + i * bytes, value);
  }
  return out;
}

}  // namespace hadal::runtime

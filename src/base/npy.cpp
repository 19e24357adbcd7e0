#include "base/npy.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "base/files.h"

namespace hadal {

namespace {

constexpr std::string_view magic = "\x93NUMPY";

struct Name {
  std::string_view text;
  DType type;
};
/// NumPy's names of element types, without the byte order. Behind those it knows, plain bytes: the bits of types that
/// it lacks.
constexpr std::array<Name, 15> names{{{"f4", DType::f32},
                                      {"f8", DType::f64},
                                      {"f2", DType::f16},
                                      {"i1", DType::i8},
                                      {"u1", DType::u8},
                                      {"i2", DType::i16},
                                      {"u2", DType::u16},
                                      {"i4", DType::i32},
                                      {"u4", DType::u32},
                                      {"i8", DType::i64},
                                      {"u8", DType::u64},
                                      {"b1", DType::boolean},
                                      {"V1", DType::u8},
                                      {"f1", DType::u8},
                                      {"V2", DType::u16}}};

/// What the header of a file says.
struct Header {
  std::string descr;
  bool structured = false, fortran = false;
  Shape shape;
};

/// Reads the header's text, a Python dictionary such as {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }.
class HeaderParser {
 public:
  explicit HeaderParser(std::string_view text) : text_(text) {}

  std::optional<Header> parse() {
    if (!take('{')) return {};
    Header header;
    bool has_descr = false, has_order = false, has_shape = false;
    while (!take('}')) {
      const auto key = string();
      if (!key || !take(':')) return {};
      bool read = false;
      if (*key == "descr")
        read = !has_descr && (has_descr = true) && descr(header);
      else if (*key == "fortran_order")
        read = !has_order && (has_order = true) && boolean(header.fortran);
      else if (*key == "shape")
        read = !has_shape && (has_shape = true) && shape(header.shape);
      if (!read) return {};
      if (header.structured) return header;  // The rest does not matter.
      if (!take(',') && !peek('}')) return {};
    }
    skip();
    if (!has_descr || !has_order || !has_shape || !text_.empty()) return {};
    return header;
  }

 private:
  void skip() { text_.remove_prefix(std::min(text_.find_first_not_of(" \t\r\n"), text_.size())); }
  bool peek(char c) {
    skip();
    return text_.starts_with(c);
  }
  bool take(char c) {
    if (!peek(c)) return false;
    text_.remove_prefix(1);
    return true;
  }
  bool word(std::string_view w) {
    skip();
    if (!text_.starts_with(w)) return false;
    text_.remove_prefix(w.size());
    return true;
  }
  std::optional<std::string> string() {
    skip();
    if (text_.empty() || (text_[0] != '\'' && text_[0] != '"')) return {};
    const size_t end = text_.find(text_[0], 1);
    if (end == text_.npos) return {};
    std::string out(text_.substr(1, end - 1));
    text_.remove_prefix(end + 1);
    return out;
  }
  bool descr(Header& header) {
    if (peek('[') || peek('(')) return header.structured = true;
    const auto value = string();
    if (value) header.descr = *value;
    return value.has_value();
  }
  bool boolean(bool& value) {
    value = word("True");
    return value || word("False");
  }
  bool shape(Shape& out) {
    if (!take('(')) return false;
    while (!take(')')) {
      skip();
      int64_t extent = 0;
      const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), extent);
      if (error != std::errc{} || extent < 0 || out.size() == 64) return false;
      text_.remove_prefix(static_cast<size_t>(end - text_.data()));
      out.push_back(extent);
      if (!take(',') && !peek(')')) return false;
    }
    return true;
  }

  std::string_view text_;
};

Result<DType> element_type(const Header& header, const std::string& place) {
  const std::string plain = "save plain numbers: numpy.save(FILE, numpy.asarray(array, numpy.float32))";
  if (header.structured) return Error{"npy.type", "expected an array of numbers, found structures", place, plain};
  const std::string_view descr = header.descr;
  if (descr.ends_with('O'))
    return Error{"npy.type", "expected an array of numbers, found pickled Python objects", place, plain};
  const bool has_order = !descr.empty() && std::string_view("<>|=").find(descr[0]) != std::string_view::npos;
  const std::string_view kind = has_order ? descr.substr(1) : descr;
  for (const Name& name : names) {
    if (name.text != kind) continue;
    if (bytes_of(name.type) > 1 && descr[0] == '>')
      return Error{"npy.endian", fmt::format("expected little-endian numbers, found big-endian ones (\"{}\")", descr),
                   place, fmt::format("save them as numpy.asarray(array, \"<{}\")", kind)};
    return name.type;
  }
  return Error{"npy.type",
               fmt::format("expected an array of numbers, found elements of type \"{}\"", printable(descr, 40)), place,
               plain};
}

/// The header's text and where the data begins; nothing where the file is too short for them.
struct Split {
  std::string_view header;
  std::span<const std::byte> data;
};
std::optional<Split> split(std::span<const std::byte> file) {
  const auto byte = [&](size_t i) { return std::to_integer<size_t>(file[i]); };
  if (file.size() < 10) return {};
  const size_t version = byte(6);
  if (version < 1 || version > 3 || byte(7) != 0) return {};
  const size_t begin = version == 1 ? 10 : 12;
  if (file.size() < begin) return {};
  size_t length = byte(8) | byte(9) << 8;
  if (version > 1) length |= byte(10) << 16 | byte(11) << 24;
  if (length > file.size() - begin) return {};
  return Split{{reinterpret_cast<const char*>(file.data()) + begin, length}, file.subspan(begin + length)};
}

/// The type that stands for one that NumPy lacks; else the type itself.
DType carrier_of(DType type) {
  for (const Name& name : names)
    if (name.type == type) return type;
  if (is_float(type)) return DType::f32;
  return info(type).is_signed ? DType::i8 : DType::u8;
}

std::string descr_of(DType type) {
  for (const Name& name : names)
    if (name.type == type) return (bytes_of(type) == 1 ? "|" : "<") + std::string(name.text);
  return {};
}

}  // namespace

bool is_npy(std::span<const std::byte> file) {
  return file.size() >= magic.size() && std::memcmp(file.data(), magic.data(), magic.size()) == 0;
}

Result<Tensor> parse_npy(std::span<const std::byte> file, const std::string& place) {
  const auto parts = is_npy(file) ? split(file) : std::nullopt;
  if (!parts) return Error{"npy.header", "expected an .npy file of version 1 to 3", place};
  const auto header = HeaderParser(parts->header).parse();
  if (!header)
    return Error{"npy.header", fmt::format("the header cannot be read: \"{}\"", printable(parts->header, 120)), place};
  HADAL_TRY(const DType type, element_type(*header, place));
  if (header->fortran)
    return Error{"npy.order", "expected C order, found Fortran order", place,
                 "save it as numpy.ascontiguousarray(array)"};

  const int64_t bytes = checked_bytes(header->shape, bytes_of(type));
  if (bytes < 0 || static_cast<uint64_t>(bytes) != parts->data.size())
    return Error{"npy.size",
                 fmt::format("{} elements of type {} need {} bytes, the file holds {}", text_of(header->shape),
                             name_of(type), bytes < 0 ? "too many" : std::to_string(bytes), parts->data.size()),
                 place};
  std::byte* data = nullptr;
  Tensor tensor = Tensor::zeros(type, header->shape, data);
  if (bytes > 0) std::memcpy(data, parts->data.data(), static_cast<size_t>(bytes));
  if (type == DType::boolean)
    for (int64_t i = 0; i < bytes; ++i) data[i] = std::byte{data[i] != std::byte{0}};
  return tensor;
}

Result<Tensor> read_npy(const std::filesystem::path& path, int64_t largest_bytes) {
  HADAL_TRY(const std::vector<std::byte> file, read_file(path, largest_bytes));
  return parse_npy(file, printable(path.string()));
}

std::string npy_of(const Tensor& tensor) {
  if (const DType carrier = carrier_of(tensor.dtype); carrier != tensor.dtype) return npy_of(cast(tensor, carrier));
  std::string shape;
  for (const int64_t extent : tensor.shape) shape += fmt::format("{}, ", extent);
  if (tensor.shape.size() > 1) shape.resize(shape.size() - 2);
  if (tensor.shape.size() == 1) shape.pop_back();  // "(3,)"
  std::string header =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", descr_of(tensor.dtype), shape);
  header.append((64 - (10 + header.size() + 1) % 64) % 64, ' ');  // The data begins at a multiple of 64.
  header += '\n';
  std::string out(magic);
  out += {'\1', '\0', static_cast<char>(header.size() & 0xff), static_cast<char>(header.size() >> 8)};
  out += header;
  return out.append(reinterpret_cast<const char*>(tensor.bytes.view.data()), tensor.bytes.view.size());
}

std::optional<Tensor> array_as(const Tensor& tensor, DType wanted) {
  if (wanted == tensor.dtype) return tensor;
  if (carrier_of(wanted) == wanted) return std::nullopt;
  const bool bits = tensor.dtype == (bytes_of(wanted) == 2 ? DType::u16 : DType::u8);
  if (tensor.dtype == (is_float(wanted) ? DType::f32 : DType::i8)) return cast(tensor, wanted);
  if (!bits) return std::nullopt;
  std::byte* data = nullptr;
  Tensor out = Tensor::zeros(wanted, tensor.shape, data);
  std::ranges::copy(tensor.bytes.view, data);
  for (int64_t i = 0; i < out.size() && info(wanted).bits < 8; ++i) {  // Only the low bits count.
    const int low = std::to_integer<int>(data[i]) & ((1 << info(wanted).bits) - 1);
    const bool negative = !is_float(wanted) && info(wanted).is_signed && low > most_of(wanted);
    data[i] = static_cast<std::byte>(negative ? low - (1 << info(wanted).bits) : low);
  }
  return out;
}

Status write_npy(const std::filesystem::path& path, const Tensor& tensor) { return write_file(path, npy_of(tensor)); }

}  // namespace hadal

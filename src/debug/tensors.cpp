#include "debug/tensors.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <span>

#include "base/suggest.h"
#include "debug/words.h"

namespace hadal::debug {

namespace {

constexpr int64_t most_printed = 1024;  ///< Elements; more are summed up.
constexpr int64_t first_printed = 8;    ///< Of those that are summed up.

struct Axis {
  int64_t first = 0, step = 1, count = 1;
  bool dropped = false;  ///< A single index.
};

struct View {
  DType dtype = DType::f32;
  const std::byte* data = nullptr;
  std::vector<int64_t> extents, strides;  ///< Elements; bytes.
};

Result<size_t> tensor_named(const isa::Program& program, const std::string& name) {
  if (name.starts_with('#')) {
    HADAL_TRY(const int64_t number, whole_number(name.substr(1), 0, std::ssize(program.tensors) - 1));
    return static_cast<size_t>(number);
  }
  std::vector<std::string_view> names;
  for (size_t i = 0; i < program.tensors.size(); ++i) {
    if (program.tensors[i].name == name) return i;
    names.push_back(program.tensors[i].name);
  }
  const std::string hint = did_you_mean(name, names);
  return Error{"debug.name",
               fmt::format("no tensor is called \"{}\"", printable(name, 80)),
               {},
               hint.empty() ? "info tensors lists them" : hint};
}

isa::Box whole_box(const isa::Program& program, size_t number) {
  const isa::TensorDescriptor& tensor = program.tensors[number];
  isa::Box box{.space = tensor.space, .dtype = tensor.dtype, .rank = tensor.rank, .region = tensor.region};
  box.tensor = static_cast<uint16_t>(number);
  box.offset = static_cast<int64_t>(tensor.offset);
  for (size_t i = 0; i < tensor.rank; ++i) {
    box.extents[i] = tensor.extents[i];
    box.strides[i] = tensor.strides[i];
  }
  if (tensor.space == isa::Space::scratchpad) {
    box.rank = 1;
    box.strides[0] = bytes_of(tensor.dtype);
    box.extents[0] = static_cast<int64_t>(tensor.bytes) / box.strides[0];
  }
  return box;
}

Error bad_slice(std::string_view text, size_t axis, int64_t extent) {
  return {"debug.slice", fmt::format("\"{}\" is no index and no FIRST:END:STEP of axis {}, which has {} elements",
                                     printable(text, 40), axis, extent)};
}

/// A bound of a range, cut to the axis, as Python does it.
std::optional<int64_t> bound(std::string_view text, int64_t extent, int64_t otherwise) {
  if (text.empty()) return otherwise;
  const auto value = whole_number(text, INT32_MIN, INT32_MAX);
  if (!value) return std::nullopt;
  return std::clamp<int64_t>(*value < 0 ? *value + extent : *value, 0, extent);
}

Result<Axis> parse_axis(std::string_view text, size_t number, int64_t extent) {
  const Error bad = bad_slice(text, number, extent);
  const size_t colon = text.find(':');
  if (colon == text.npos) {
    const auto index = whole_number(text, -extent, extent - 1);
    if (!index) return bad;
    return Axis{*index < 0 ? *index + extent : *index, 1, 1, true};
  }
  const size_t second = std::min(text.find(':', colon + 1), text.size());
  const auto first = bound(text.substr(0, colon), extent, 0);
  const auto end = bound(text.substr(colon + 1, second - colon - 1), extent, extent);
  const auto step = second < text.size() && second + 1 < text.size()
                        ? whole_number(text.substr(second + 1), 1, INT32_MAX)
                        : Result<int64_t>(int64_t{1});
  if (!first || !end || !step) return bad;
  return Axis{*first, *step, std::max<int64_t>(*end - *first + *step - 1, 0) / *step, false};
}

/// Cuts a view as the text in brackets says.
Result<View> sliced(View view, std::string_view text) {
  std::vector<int64_t> extents, strides;
  size_t axis = 0;
  for (size_t begin = 0; begin <= text.size() && !text.empty();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    if (axis == view.extents.size())
      return Error{"debug.slice", fmt::format("more indices than the {} axes", view.extents.size())};
    HADAL_TRY(const Axis cut, parse_axis(first_word(text.substr(begin, end - begin)).first, axis, view.extents[axis]));
    view.data += cut.first * view.strides[axis];
    if (!cut.dropped) {
      extents.push_back(cut.count);
      strides.push_back(view.strides[axis] * cut.step);
    }
    ++axis;
    begin = end + 1;
  }
  extents.insert(extents.end(), view.extents.begin() + static_cast<std::ptrdiff_t>(axis), view.extents.end());
  strides.insert(strides.end(), view.strides.begin() + static_cast<std::ptrdiff_t>(axis), view.strides.end());
  return View{view.dtype, view.data, std::move(extents), std::move(strides)};
}

std::string number_text(DType dtype, const std::byte* at) {
  const double value = load_number(dtype, at);
  return is_float(dtype) ? fmt::format("{:.6g}", value) : fmt::format("{:.0f}", value);
}

void append(const View& view, size_t axis, const std::byte* at, std::string& out) {
  if (axis == view.extents.size()) {
    out += number_text(view.dtype, at);
    return;
  }
  out += '[';
  for (int64_t i = 0; i < view.extents[axis]; ++i) {
    if (i > 0) out += axis + 1 == view.extents.size() ? ", " : ",\n" + std::string(axis + 1, ' ');
    append(view, axis + 1, at + i * view.strides[axis], out);
  }
  out += ']';
}

template <class F>
void each(const View& view, size_t axis, const std::byte* at, const F& f) {
  if (axis == view.extents.size()) return f(at);
  for (int64_t i = 0; i < view.extents[axis]; ++i) each(view, axis + 1, at + i * view.strides[axis], f);
}

std::string summed_up(const View& view) {
  double least = INFINITY, most = -INFINITY, sum = 0;
  int64_t finite = 0, other = 0;
  std::vector<std::string> first;
  each(view, 0, view.data, [&](const std::byte* at) {
    const double value = load_number(view.dtype, at);
    if (std::ssize(first) < first_printed) first.push_back(number_text(view.dtype, at));
    if (!std::isfinite(value)) return void(++other);
    least = std::min(least, value), most = std::max(most, value), sum += value, ++finite;
  });
  std::string out = fmt::format("{}, …: {} elements", fmt::join(first, ", "), finite + other);
  if (finite > 0)
    out += fmt::format(", least {:.6g}, greatest {:.6g}, mean {:.6g}", least, most, sum / static_cast<double>(finite));
  return out + (other > 0 ? fmt::format(", not finite: {}\n", other) : "\n");
}

std::string place_of(const isa::Program& program, const isa::TensorDescriptor& tensor) {
  return fmt::format(
      "byte {} of {}", tensor.offset,
      tensor.space == isa::Space::scratchpad ? "the scratchpad" : printable(program.regions[tensor.region].name));
}

}  // namespace

Result<std::string> print_tensor(const isa::Program& program, const machine::Stepper& stepper, size_t core,
                                 std::string_view expression) {
  const size_t bracket = expression.ends_with(']') ? expression.rfind('[') : expression.npos;
  const std::string_view cut =
      bracket == expression.npos ? "" : expression.substr(bracket + 1, expression.size() - bracket - 2);
  HADAL_TRY(const size_t number, tensor_named(program, unquoted(expression.substr(0, bracket))));
  const isa::Box box = whole_box(program, number);
  const View whole{box.dtype,
                   stepper.at(box, core),
                   {box.extents.begin(), box.extents.begin() + box.rank},
                   {box.strides.begin(), box.strides.begin() + box.rank}};
  HADAL_TRY(const View view, sliced(whole, cut));
  const isa::TensorDescriptor& tensor = program.tensors[number];
  std::string out = fmt::format("{} {} {} at {}", printable(tensor.name), name_of(tensor.dtype),
                                text_of_index(view.extents), place_of(program, tensor));
  if (tensor.space == isa::Space::scratchpad) out += fmt::format(" of core {}", core);
  out += '\n';
  if (elements(view.extents) > most_printed) return out + summed_up(view);
  append(view, 0, view.data, out);
  return out + '\n';
}

std::string list_tensors(const isa::Program& program) {
  std::string out;
  for (size_t i = 0; i < program.tensors.size(); ++i) {
    const isa::TensorDescriptor& tensor = program.tensors[i];
    const isa::Box box = whole_box(program, i);
    out += fmt::format("#{:<4} {}  {} {} at {}\n", i, printable(tensor.name), name_of(tensor.dtype),
                       text_of_index({box.extents.begin(), box.extents.begin() + box.rank}), place_of(program, tensor));
  }
  return out;
}

}  // namespace hadal::debug

#include "runtime/picture.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "runtime/decode_picture.h"

namespace hadal::runtime {

namespace {

/// Where an output position lies between two input positions: indices and the second one's weight.
struct Between {
  int64_t low, high;
  float weight;
};
std::vector<Between> positions(int64_t from, int64_t to) {
  std::vector<Between> out;
  out.reserve(static_cast<size_t>(to));
  for (int64_t i = 0; i < to; ++i) {
    const double at = (static_cast<double>(i) + 0.5) * static_cast<double>(from) / static_cast<double>(to) - 0.5;
    const double clamped = std::clamp(at, 0.0, static_cast<double>(from - 1));
    const auto low = static_cast<int64_t>(std::floor(clamped));
    out.push_back({low, std::min(low + 1, from - 1), static_cast<float>(clamped - static_cast<double>(low))});
  }
  return out;
}

/// Extents of an input that a picture fits, and the steps between its elements.
struct Layout {
  int64_t channels, height, width, channel_step, row_step, pixel_step;
};
Result<Layout> layout_of(const Shape& shape, const std::string& place) {
  const auto refused = [&](const char* why) {
    return Error{"picture.input", fmt::format("a picture does not fit an input of shape {}: {}", text_of(shape), why),
                 place};
  };
  if (shape.size() != 3 && shape.size() != 4) return refused("expected height, width and 3 (or 1) channels");
  if (shape.size() == 4 && shape[0] != 1) return refused("expected a batch of one");
  const int64_t a = shape[shape.size() - 3], b = shape[shape.size() - 2], c = shape[shape.size() - 1];
  const bool first = a == 3 || (c != 3 && a == 1);
  if (!first && c != 3 && c != 1) return refused("expected 3 or 1 channels, first or last");
  Layout out = first ? Layout{a, b, c, b * c, c, 1} : Layout{c, a, b, 1, b * c, c};
  if (out.height < 2 || out.width < 2) {
    Error error = refused("its height and width are not known");
    error.remedy = "give them with --shape, such as --shape NAME=1,3,224,224";
    return error;
  }
  return out;
}

}  // namespace

bool is_picture(std::span<const std::byte> file) {
  const auto begins = [&](std::string_view with) {
    return file.size() >= with.size() && std::memcmp(file.data(), with.data(), with.size()) == 0;
  };
  return begins("\x89PNG\r\n\x1a\n") || begins("\xff\xd8\xff");
}

Result<Tensor> picture_tensor(std::span<const std::byte> file, const PictureOptions& options, DType dtype,
                              const Shape& shape, const std::string& place) {
  if (!is_float(dtype) && dtype != DType::u8)
    return Error{"picture.input",
                 fmt::format("a picture does not fit an input of type {}; expected a float or u8", name_of(dtype)),
                 place};
  HADAL_TRY(const Layout layout, layout_of(shape, place));
  HADAL_TRY(const Picture picture, decode_picture(file, static_cast<int>(layout.channels), place));

  const auto rows = positions(picture.height, layout.height), columns = positions(picture.width, layout.width);
  const auto pixel = [&](int64_t y, int64_t x, int64_t c) {
    return static_cast<float>(picture.bytes[(y * picture.width + x) * layout.channels + c]);
  };
  const float full = dtype == DType::u8 ? 1.0f : 255.0f;
  std::byte* data = nullptr;
  Tensor out = Tensor::zeros(dtype, shape, data);
  for (int64_t c = 0; c < layout.channels; ++c) {
    const int64_t source = options.bgr ? layout.channels - 1 - c : c;
    const auto channel = static_cast<size_t>(c);
    for (int64_t y = 0; y < layout.height; ++y) {
      const Between& row = rows[static_cast<size_t>(y)];
      for (int64_t x = 0; x < layout.width; ++x) {
        const Between& column = columns[static_cast<size_t>(x)];
        const float top =
            std::lerp(pixel(row.low, column.low, source), pixel(row.low, column.high, source), column.weight);
        const float bottom =
            std::lerp(pixel(row.high, column.low, source), pixel(row.high, column.high, source), column.weight);
        const float value =
            (std::lerp(top, bottom, row.weight) / full - options.mean[channel]) * options.scale[channel];
        const int64_t at = c * layout.channel_step + y * layout.row_step + x * layout.pixel_step;
        store_number(dtype, data + at * bytes_of(dtype), static_cast<double>(value));
      }
    }
  }
  return out;
}

}  // namespace hadal::runtime

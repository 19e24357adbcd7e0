#include "runtime/picture.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <vector>

#include "runtime/jpeg_tables.h"

namespace {

/// The largest piece of memory that decoding the present picture may take: a bomb unpacks to more than its pixels need.
thread_local size_t piece_most = 0;
void* bounded_alloc(void* old, size_t bytes) { return bytes > piece_most ? nullptr : std::realloc(old, bytes); }

}  // namespace

#define STBI_MALLOC(bytes) bounded_alloc(nullptr, bytes)
#define STBI_REALLOC(old, bytes) bounded_alloc(old, bytes)
#define STBI_FREE(old) std::free(old)
#define STBI_MAX_DIMENSIONS (1 << 20)
#define STBI_ONLY_PNG
#define STBI_ONLY_JPEG
#define STBI_NO_STDIO
#define STBI_FAILURE_USERMSG
#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#include <stb/stb_image.h>
#pragma GCC diagnostic pop

namespace hadal::runtime {

namespace {

constexpr int64_t pixels_most = int64_t{64} << 20;

struct Picture {
  std::unique_ptr<stbi_uc, void (*)(void*)> bytes{nullptr, stbi_image_free};
  int width = 0, height = 0, channels = 0;
};

Result<Picture> decode(std::span<const std::byte> file, int channels, const std::string& place) {
  const auto* data = reinterpret_cast<const stbi_uc*>(file.data());
  const int length = static_cast<int>(std::min<size_t>(file.size(), std::numeric_limits<int>::max()));
  Picture out;
  int found = 0;
  const auto broken = [&] {
    const char* reason = stbi_failure_reason();
    return Error{"picture.decode", fmt::format("the picture cannot be decoded: {}", reason ? reason : "unknown reason"),
                 place};
  };
  if (!huffman_tables_fit(file))
    return Error{"picture.decode", "the picture cannot be decoded: a Huffman table has more codes than there can be",
                 place};
  piece_most = size_t{1} << 20;
  if (stbi_info_from_memory(data, length, &out.width, &out.height, &found) == 0) return broken();
  if (int64_t{out.width} * out.height > pixels_most)
    return Error{
        "picture.size",
        fmt::format("the picture has {} x {} pixels; at most {} are allowed", out.width, out.height, pixels_most),
        place};
  // Up to eight bytes a pixel and a byte a row; buffers grow by doubling.
  piece_most += 2 * (static_cast<size_t>(out.width) * 8 + 1) * static_cast<size_t>(out.height) + 2 * file.size();
  out.bytes.reset(stbi_load_from_memory(data, length, &out.width, &out.height, &found, channels));
  if (!out.bytes) return broken();
  out.channels = channels;
  return out;
}

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
  HADAL_TRY(const Picture picture, decode(file, static_cast<int>(layout.channels), place));

  const auto rows = positions(picture.height, layout.height), columns = positions(picture.width, layout.width);
  const auto pixel = [&](int64_t y, int64_t x, int64_t c) {
    return static_cast<float>(picture.bytes.get()[(y * picture.width + x) * layout.channels + c]);
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

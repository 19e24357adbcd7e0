#include "runtime/decode_picture.h"

#include <algorithm>
#include <cstdlib>
#include <limits>

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

void release(const uint8_t* pixels) { stbi_image_free(const_cast<uint8_t*>(pixels)); }

}  // namespace

Result<Picture> decode_picture(std::span<const std::byte> file, int channels, const std::string& place) {
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
  out.bytes = {stbi_load_from_memory(data, length, &out.width, &out.height, &found, channels), release};
  if (!out.bytes) return broken();
  out.channels = channels;
  return out;
}

}  // namespace hadal::runtime

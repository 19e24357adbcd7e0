// PNG and JPEG to pixels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/result.h"

namespace hadal::runtime {

/// Rows of pixels, each of `channels` bytes.
struct Picture {
  std::unique_ptr<const uint8_t[], void (*)(const uint8_t*)> bytes{nullptr, nullptr};
  int width = 0, height = 0, channels = 0;
};

/// The file's pixels with 1 (grey) or 3 channels. Memory follows from what the head states, which is bounded first.
/// Errors: picture.decode, picture.size; both at `place`.
Result<Picture> decode_picture(std::span<const std::byte> file, int channels, const std::string& place);

}  // namespace hadal::runtime

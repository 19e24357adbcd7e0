// Pictures (PNG, JPEG) as input tensors.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>

#include "base/result.h"
#include "base/tensor.h"

namespace hadal::runtime {

/// How pixels become values: (pixel - mean) * scale, with pixels in 0..1 (0..255 for inputs of type u8).
struct PictureOptions {
  bool bgr = false;                    ///< Blue first.
  std::array<float, 3> mean{0, 0, 0};  ///< In the order of the input's channels.
  std::array<float, 3> scale{1, 1, 1};
};

/// True where the bytes begin like a PNG or a JPEG.
bool is_picture(std::span<const std::byte> file);

/// Decodes a picture, resizes it bilinearly (half-pixel centres, no antialiasing) and fills a tensor of `dtype` (a
/// float or u8) and `shape`: rank 3, or rank 4 with a batch of one; channels first or last by where the 3 is (1: grey),
/// first where both could be. `place` is named in errors: picture.decode, picture.size (above 64 Mi pixels),
/// picture.input (another shape or type).
Result<Tensor> picture_tensor(std::span<const std::byte> file, const PictureOptions& options, DType dtype,
                              const Shape& shape, const std::string& place);

}  // namespace hadal::runtime

// Pictures: PNG and JPEG, byte by byte and chunk by chunk.
#include "fuzz/campaign.h"
#include "runtime/picture.h"

#define STB_IMAGE_WRITE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#include <stb/stb_image_write.h>
#pragma GCC diagnostic pop

namespace hadal::fuzz {
namespace {

std::string seed(Random& random) {
  const int width = static_cast<int>(random.between(1, 24)), height = static_cast<int>(random.between(1, 24));
  const int channels = static_cast<int>(random.between(1, 4));
  std::string pixels(static_cast<size_t>(width * height * channels), '\0');
  for (char& pixel : pixels) pixel = static_cast<char>(random.next());
  std::string file;
  const auto append = [](void* to, void* bytes, int size) {
    static_cast<std::string*>(to)->append(static_cast<const char*>(bytes), static_cast<size_t>(size));
  };
  if (random.one_in(2))
    stbi_write_png_to_func(append, &file, width, height, channels, pixels.data(), 0);
  else
    stbi_write_jpg_to_func(append, &file, width, height, channels, pixels.data(), 60);
  return file;
}

/// Overwrites the numbers at which both formats say how large, how deep and how coloured the picture is.
std::string with_header(std::string file, Random& random) {
  const bool png = file[0] == '\x89';
  size_t at = 16 + random.below(13);  // PNG: IHDR.
  if (!png) {                         // JPEG: the frame header.
    at = file.find("\xff\xc0");
    if (at == std::string::npos) at = 0;
    at += 2 + random.below(17);
  }
  const size_t width = random.pick<size_t>({1, 2, 4});
  const int64_t value = edgy(random);
  for (size_t i = 0; i < width && at + i < file.size(); ++i)
    file[at + i] = static_cast<char>(value >> (8 * (width - 1 - i)));
  return file;
}

TEST(FuzzPictures, PicturesAreReadOrRefused) {
  Campaign campaign("pictures", 2000);
  campaign.run([&](Random& random) -> Status {
    const bool header = random.one_in(3);
    campaign.kind(header ? "headers" : "bytes");
    const std::string file = header ? with_header(seed(random), random) : edited(seed(random), random);
    const Shape shape = random.pick<Shape>({{1, 3, 8, 8}, {3, 9, 5}, {1, 8, 8, 3}, {1, 1, 8, 8}, {2, 3}, {1, 3, 0, 8}});
    const auto bytes = std::as_bytes(std::span(file));
    if (!runtime::is_picture(bytes)) return Error{"input.format", "no picture"};
    campaign.reached("1 recognised");
    HADAL_TRY(const Tensor tensor,
              runtime::picture_tensor(bytes, {}, random.pick({DType::f32, DType::u8, DType::i64}), shape, "picture"));
    campaign.reached("2 read");
    for (int64_t i = 0; i < tensor.size(); ++i) (void)number_at(tensor, i);
    return {};
  });
}

}  // namespace
}  // namespace hadal::fuzz

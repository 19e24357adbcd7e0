// Pictures: PNG and JPEG, byte by byte and chunk by chunk.
#include <array>

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

std::string big_endian(uint32_t value) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
  return out;
}

/// CRC-32 of ISO 3309, as the PNG specification has it.
uint32_t crc32(const std::string& bytes) {
  uint32_t crc = 0xffffffff;
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xedb88320u & (0u - (crc & 1u)));
  }
  return ~crc;
}

std::string chunk(const std::string& kind, const std::string& body) {
  return big_endian(static_cast<uint32_t>(body.size())) + kind + body + big_endian(crc32(kind + body));
}

std::string noise(size_t bytes, Random& random) {
  std::string out(bytes, '\0');
  for (char& byte : out) byte = static_cast<char>(random.next());
  return out;
}

/// A PNG of right checksums, whose chunks disagree with each other in one way or in none: its head, the length and the
/// filters of its rows, its palette, the order of its chunks.
std::string with_chunks(Random& random) {
  const auto width = static_cast<uint32_t>(random.between(1, 20)),
             height = static_cast<uint32_t>(random.between(1, 20));
  const size_t kind = random.pick<size_t>({0, 2, 3, 4, 6}), channels = std::array<size_t, 7>{1, 0, 3, 1, 2, 0, 4}[kind];
  const int depth = kind == 2 || kind > 3 ? random.pick({8, 16}) : random.pick({1, 2, 4, 8});
  std::string head = big_endian(width) + big_endian(height) + static_cast<char>(depth) + static_cast<char>(kind) +
                     std::string(2, '\0') + static_cast<char>(random.one_in(8) ? 1 : 0);
  if (random.one_in(3)) head[random.below(head.size())] = static_cast<char>(edgy(random));
  const size_t row = (width * channels * static_cast<size_t>(depth) + 7) / 8;
  std::string rows;
  for (uint32_t y = 0; y < height; ++y) rows += static_cast<char>(random.below(5)) + noise(row, random);
  if (random.one_in(4)) rows = edited(rows, random);
  int length = 0;
  unsigned char* const packed =
      stbi_zlib_compress(reinterpret_cast<unsigned char*>(rows.data()), static_cast<int>(rows.size()), &length, 8);
  std::string data(reinterpret_cast<char*>(packed), static_cast<size_t>(length));
  STBIW_FREE(packed);
  if (random.one_in(8)) data = edited(data, random);
  std::vector<std::string> chunks{chunk("IHDR", head)};
  if (kind == 3 || random.one_in(6)) chunks.push_back(chunk("PLTE", noise(3 * random.below(300), random)));
  if (random.one_in(4)) chunks.push_back(chunk("tRNS", noise(random.below(10), random)));
  const size_t cut = random.below(data.size() + 1);  // In two parts, of which one may be empty.
  chunks.push_back(chunk("IDAT", data.substr(0, cut)));
  chunks.push_back(chunk("IDAT", data.substr(cut)));
  if (random.one_in(4)) chunks.push_back(chunk(random.pick<std::string>({"tEXt", "QQQQ", "IHDR", "CgBI"}), head));
  chunks.push_back(chunk("IEND", ""));
  if (random.one_in(6)) std::swap(chunks[random.below(chunks.size())], chunks[random.below(chunks.size())]);
  std::string file = "\x89PNG\r\n\x1a\n";
  for (const std::string& part : chunks) file += part;
  return file;
}

std::string any_picture(Campaign& campaign, Random& random) {
  switch (random.below(5)) {
    case 0:
    case 1:
      campaign.kind("chunks, checksums right");
      return with_chunks(random);
    case 2:
      campaign.kind("headers");
      return with_header(seed(random), random);
    default:
      campaign.kind("bytes");
      return edited(seed(random), random);
  }
}

TEST(FuzzPictures, PicturesAreReadOrRefused) {
  Campaign campaign("pictures", 3000);
  campaign.run([&](Random& random) -> Status {
    const std::string file = any_picture(campaign, random);
    const Shape shape = random.pick<Shape>(
        {{1, 3, 8, 8}, {3, 9, 5}, {1, 8, 8, 3}, {1, 1, 8, 8}, {1, 3, 30, 2}, {9, 5, 3}, {1, 3, 40, 8}, {1, 3, 0, 8}});
    const auto bytes = std::as_bytes(std::span(file));
    if (!runtime::is_picture(bytes)) return Error{"input.format", "no picture"};
    campaign.reached("1 recognised");
    HADAL_TRY(const Tensor tensor,
              runtime::picture_tensor(
                  bytes, {}, random.one_in(12) ? DType::i64 : random.pick({DType::f32, DType::u8, DType::bf16}), shape,
                  "picture"));
    campaign.reached("2 read");
    for (int64_t i = 0; i < tensor.size(); ++i) (void)number_at(tensor, i);
    return {};
  });
}

}  // namespace
}  // namespace hadal::fuzz

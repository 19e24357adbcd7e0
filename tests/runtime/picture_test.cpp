#include "runtime/picture.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/files.h"

namespace hadal::runtime {
namespace {

using File = std::vector<uint8_t>;

/// Red, green; blue, white.
const File four_pixels{0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44,
                       0x52, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x02, 0x08, 0x02, 0x00, 0x00, 0x00, 0xfd,
                       0xd4, 0x9a, 0x73, 0x00, 0x00, 0x00, 0x12, 0x49, 0x44, 0x41, 0x54, 0x78, 0xda, 0x63, 0xf8,
                       0xcf, 0xc0, 0xc0, 0x00, 0xc2, 0x0c, 0xff, 0x81, 0x00, 0x00, 0x1f, 0xee, 0x05, 0xfb, 0xf1,
                       0xab, 0xba, 0x77, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82};

Result<Tensor> tensor(const Shape& shape, const PictureOptions& options = {}, DType type = DType::f32,
                      const File& file = four_pixels) {
  return picture_tensor(std::as_bytes(std::span(file)), options, type, shape, "x.png");
}
std::vector<double> numbers(const Result<Tensor>& result) {
  std::vector<double> out;
  if (!result) return out;
  for (int64_t i = 0; i < result->size(); ++i) out.push_back(number_at(*result, i));
  return out;
}
std::string code_of(const Result<Tensor>& result) { return result ? "ok" : result.error().code; }

TEST(Picture, ChannelsStandWhereTheThreeIs) {
  EXPECT_EQ(numbers(tensor({1, 3, 2, 2})), (std::vector<double>{1, 0, 0, 1, 0, 1, 0, 1, 0, 0, 1, 1}));
  EXPECT_EQ(numbers(tensor({1, 2, 2, 3})), (std::vector<double>{1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1}));
  EXPECT_EQ(numbers(tensor({3, 2, 2})), numbers(tensor({1, 3, 2, 2})));
}

TEST(Picture, OrderBgrPutsBlueFirst) {
  EXPECT_EQ(numbers(tensor({1, 3, 2, 2}, {.bgr = true})), (std::vector<double>{0, 0, 1, 1, 0, 1, 0, 1, 1, 0, 0, 1}));
}

TEST(Picture, MeanIsTakenOffBeforeScale) {
  EXPECT_EQ(numbers(tensor({1, 2, 2, 3}, {.bgr = false, .mean = {0.5, 0, 1}, .scale = {2, 3, 4}})),
            (std::vector<double>{1, 0, -4, -1, 3, -4, -1, 0, 0, 1, 3, 0}));
}

TEST(Picture, ResizingIsBilinearWithHalfPixelCentres) {
  // Red along the upper row: 1 at its left pixel's centre, 0 at its right one's.
  const auto wide = numbers(tensor({3, 2, 4}));
  EXPECT_EQ(std::vector<double>(wide.begin(), wide.begin() + 4), (std::vector<double>{1, 0.75, 0.25, 0}));
}

TEST(Picture, OneChannelIsGrey) {
  const auto grey = numbers(tensor({1, 1, 2, 2}));
  ASSERT_EQ(grey.size(), 4u);
  EXPECT_EQ(grey[3], 1);
  EXPECT_GT(grey[1], grey[0]);  // Green is brighter than red.
}

TEST(Picture, BytesStayBytes) {
  EXPECT_EQ(numbers(tensor({1, 2, 2, 3}, {}, DType::u8)),
            (std::vector<double>{255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255}));
}

TEST(Picture, OtherInputsAreRefused) {
  EXPECT_EQ(code_of(tensor({1, 640})), "picture.input");
  EXPECT_EQ(code_of(tensor({2, 3, 8, 8})), "picture.input");
  EXPECT_EQ(code_of(tensor({1, 4, 8, 8})), "picture.input");
  EXPECT_EQ(code_of(tensor({1, 3, 1, 1})), "picture.input");
  EXPECT_EQ(code_of(tensor({1, 3, 2, 2}, {}, DType::i64)), "picture.input");
}

TEST(Picture, GiantAndBrokenFilesAreRefused) {
  File giant = four_pixels;
  giant[18] = giant[22] = 0x60;  // 24578 x 24578
  EXPECT_NE(code_of(tensor({1, 3, 2, 2}, {}, DType::f32, giant)), "ok");
  for (size_t size = 0; size < four_pixels.size() - 12; ++size)
    EXPECT_EQ(code_of(tensor({1, 3, 2, 2}, {}, DType::f32,
                             File(four_pixels.begin(), four_pixels.begin() + static_cast<std::ptrdiff_t>(size)))),
              "picture.decode");
}

TEST(Picture, ThePixelsOfARealOne) {
  const auto file = read_file(HADAL_SOURCE_DIR "/models/pictures/coffee.png", 1 << 24);
  ASSERT_TRUE(file.ok()) << file.error().text();
  ASSERT_TRUE(is_picture(*file));
  const auto pixels = picture_tensor(*file, {}, DType::f32, {1, 3, 400, 600}, "coffee.png");
  ASSERT_TRUE(pixels.ok()) << pixels.error().text();
  for (int64_t i = 0; i < pixels->size(); i += 997)
    EXPECT_TRUE(number_at(*pixels, i) >= 0 && number_at(*pixels, i) <= 1);
}

}  // namespace
}  // namespace hadal::runtime

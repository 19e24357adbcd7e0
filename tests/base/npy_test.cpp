#include "base/npy.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>

#include "base/files.h"

namespace hadal {
namespace {

std::string file_of(const std::string& header, const std::string& data, char version = 1) {
  std::string out = "\x93NUMPY";
  out += {version, '\0', static_cast<char>(header.size() & 0xff), static_cast<char>(header.size() >> 8)};
  if (version > 1) out += {'\0', '\0'};
  return out + header + data;
}
Result<Tensor> parse(const std::string& file) { return parse_npy(std::as_bytes(std::span(file)), "x.npy"); }
std::string code_of(const std::string& file) {
  const auto result = parse(file);
  return result ? "ok" : result.error().code;
}
std::string floats(size_t n) { return std::string(4 * n, '\0'); }

class TemporaryFolder : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path folder_ =
      std::filesystem::path(testing::TempDir()) / fmt::format("hadal npy test {}", ::getpid());
};
using Npy = TemporaryFolder;

TEST_F(Npy, WhatIsWrittenIsReadBack) {
  for (int i = 0; i < dtype_count; ++i) {
    const auto type = static_cast<DType>(i);
    const Tensor tensor = cast(Tensor::of<float>(DType::f32, {2, 3}, {0, 1, 1, 0, 1, 0}), type);
    ASSERT_TRUE(write_npy(folder_ / "x.npy", tensor).ok());
    const auto read = read_npy(folder_ / "x.npy", 1 << 20);
    ASSERT_TRUE(read.ok()) << read.error().text();
    EXPECT_EQ(read->shape, (Shape{2, 3}));
    for (int64_t j = 0; j < 6; ++j) EXPECT_EQ(number_at(*read, j), number_at(tensor, j));
    EXPECT_TRUE(read->dtype == type || is_float(type) || info(type).bits < 8) << name_of(type);
    EXPECT_TRUE(array_as(*read, type)) << name_of(type);
  }
}

TEST(Arrays, PlainBytesAreBitsOfTypesThatNumPyLacks) {
  const auto as = [](DType carrier, std::vector<uint8_t> bytes, DType wanted) {
    const Tensor array = Tensor::of(DType::u8, {std::ssize(bytes)}, bytes);
    return number_at(*array_as({carrier, {1}, array.bytes}, wanted), 0);
  };
  EXPECT_EQ(as(DType::u16, {0x80, 0x3f}, DType::bf16), 1);
  EXPECT_EQ(as(DType::u8, {0x38}, DType::f8e4m3), 1);
  EXPECT_EQ(as(DType::u8, {0x40}, DType::f8e4m3fnuz), 1);
  EXPECT_EQ(as(DType::u8, {0x0f}, DType::f4e2m1), -6);
  EXPECT_EQ(as(DType::u8, {0xff}, DType::i4), -1);
  EXPECT_EQ(as(DType::u8, {0x08}, DType::i4), -8);
  EXPECT_EQ(as(DType::u8, {0xff}, DType::u2), 3);
  EXPECT_FALSE(array_as(Tensor::of<float>(DType::f32, {1}, {1}), DType::i8));
}

/// Ties go to even, what is too large to the largest, infinity included.
TEST(Arrays, SmallFloatsRoundAndSaturate) {
  EXPECT_EQ(from_f8e4m3fnuz(to_f8e4m3fnuz(1.0625f)), 1);  // Between 1 and 1.125.
  EXPECT_EQ(from_f8e4m3fnuz(to_f8e4m3fnuz(-INFINITY)), -240);
  EXPECT_EQ(from_f8e5m2fnuz(to_f8e5m2fnuz(1e9f)), 57344);
  EXPECT_EQ(to_f8e4m3fnuz(-1e-9f), 0);  // There is no -0.
  EXPECT_TRUE(std::isnan(from_f8e4m3fnuz(to_f8e4m3fnuz(NAN))));
  EXPECT_EQ(from_f4e2m1(to_f4e2m1(2.5f)), 2);
  EXPECT_EQ(from_f4e2m1(to_f4e2m1(5)), 4);
  EXPECT_EQ(from_f4e2m1(to_f4e2m1(-9)), -6);
  EXPECT_EQ(from_f8e8m0(to_f8e8m0(1.1f)), 2);
  EXPECT_EQ(from_f8e8m0(to_f8e8m0(0.5f)), 0.5f);
  EXPECT_EQ(from_f8e8m0(to_f8e8m0(0)), 0x1p-127f);
}

TEST_F(Npy, ScalarsVectorsAndEmptyArraysKeepTheirShapes) {
  for (const Shape& shape : {Shape{}, Shape{3}, Shape{0, 4}, Shape{1, 1, 1}}) {
    std::byte* data = nullptr;
    const std::string bytes = npy_of(Tensor::zeros(DType::f32, shape, data));
    EXPECT_EQ((bytes.size() - static_cast<size_t>(4 * elements(shape))) % 64, 0u);
    const auto read = parse(bytes);
    ASSERT_TRUE(read.ok()) << read.error().text();
    EXPECT_EQ(read->shape, shape);
  }
}

TEST_F(Npy, LaterVersionsHaveLongerLengths) {
  EXPECT_EQ(code_of(file_of("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n", floats(2), 2)), "ok");
  EXPECT_EQ(code_of(file_of("{\"shape\": (2,), \"descr\": \"<f4\", \"fortran_order\": False}", floats(2), 3)), "ok");
}

TEST_F(Npy, WhatIsNoPlainArrayIsRefused) {
  const std::string ok = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }";
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string header = ok;
    return file_of(header.replace(header.find(from), from.size(), to), floats(2));
  };
  EXPECT_EQ(code_of(with("<f4", "|O")), "npy.type");
  EXPECT_EQ(code_of(with("<f4", "<c8")), "npy.type");
  EXPECT_EQ(code_of(with("<f4", "<U2")), "npy.type");
  EXPECT_EQ(code_of(with("<f4", "")), "npy.type");
  EXPECT_EQ(code_of(with("'<f4'", "[('a', '<f4')]")), "npy.type");
  EXPECT_EQ(code_of(with("<f4", ">f4")), "npy.endian");
  EXPECT_EQ(code_of(with("False", "True")), "npy.order");
  EXPECT_EQ(code_of(with("(2,)", "(3,)")), "npy.size");
  EXPECT_EQ(code_of(with("(2,)", "(1,)")), "npy.size");
  EXPECT_EQ(code_of(with("(2,)", "(4611686018427387904, 4)")), "npy.size");
  EXPECT_EQ(code_of(with("(2,)", "(-2,)")), "npy.header");
  EXPECT_EQ(code_of(with("(2,)", "(99999999999999999999,)")), "npy.header");
  EXPECT_EQ(code_of(with("(2,), }", "(2,), 'shape': (2,)}")), "npy.header");
  EXPECT_EQ(code_of(with("(2,), }", "(2,)")), "npy.header");
  EXPECT_EQ(code_of(file_of(ok + "x", floats(2))), "npy.header");
  EXPECT_EQ(code_of(file_of("{'descr': '<f4', 'shape': (2,)}", floats(2))), "npy.header");
  EXPECT_EQ(code_of(""), "npy.header");
  EXPECT_EQ(code_of("\x93NUMPY\x01"), "npy.header");
  EXPECT_EQ(code_of(file_of(ok, floats(2)).substr(0, 30)), "npy.header");
  EXPECT_EQ(code_of(file_of(ok, floats(2), 9)), "npy.header");
}

TEST_F(Npy, EveryPrefixOfAFileIsRefused) {
  const std::string whole = npy_of(Tensor::of<float>(DType::f32, {3}, {1, 2, 3}));
  for (size_t size = 0; size < whole.size(); ++size) EXPECT_NE(code_of(whole.substr(0, size)), "ok") << size;
}

using Files = TemporaryFolder;

TEST_F(Files, OnlyRegularFilesAreRead) {
  EXPECT_EQ(read_file(folder_, 100).error().code, "file.kind");
  EXPECT_EQ(read_file("/dev/zero", 100).error().code, "file.kind");
  EXPECT_EQ(read_file(folder_ / "none", 100).error().code, "file.open");
  ASSERT_TRUE(write_file(folder_ / "ten", std::string_view("0123456789")).ok());
  EXPECT_EQ(read_file(folder_ / "ten", 9).error().code, "file.size");
  EXPECT_EQ(read_file(folder_ / "ten", 10)->size(), 10u);
}

TEST_F(Files, AFullDiskIsAnErrorAndNothingIsLeft) {
  EXPECT_EQ(write_file("/dev/full", std::string_view("x")).error().code, "file.write");
  EXPECT_EQ(write_file(folder_ / "none/x", std::string_view("x")).error().code, "file.write");
  std::filesystem::create_directory(folder_ / "taken");
  EXPECT_EQ(write_file(folder_ / "taken", std::string_view("x")).error().code, "file.write");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

}  // namespace
}  // namespace hadal

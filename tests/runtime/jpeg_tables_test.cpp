#include "runtime/jpeg_tables.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <span>
#include <string>

namespace hadal::runtime {
namespace {

std::string segment(char marker, const std::string& body) {
  const size_t length = body.size() + 2;
  return std::string("\xff") + marker + static_cast<char>(length >> 8) + static_cast<char>(length) + body;
}

/// A segment of one table that states `codes` codes, at most 255 of a length.
std::string table(size_t codes) {
  std::string counts(16, '\0');
  for (size_t i = 0, left = codes; left > 0; ++i) {
    const size_t here = std::min<size_t>(left, 255);
    counts[i] = static_cast<char>(here);
    left -= here;
  }
  return segment('\xc4', '\0' + counts + std::string(codes, 'x'));
}

bool fits(const std::string& jpeg) { return huffman_tables_fit(std::as_bytes(std::span(jpeg))); }

const std::string start = "\xff\xd8", scan = segment('\xda', "scan"), end = "\xff\xd9";

TEST(JpegTables, UpTo256CodesFit) {
  for (const size_t codes : {0, 1, 162, 256}) EXPECT_TRUE(fits(start + table(codes) + scan + end)) << codes;
  for (const size_t codes : {257, 300, 4080}) EXPECT_FALSE(fits(start + table(codes) + scan + end)) << codes;
}

TEST(JpegTables, LaterTablesAreSeen) {
  EXPECT_FALSE(fits(start + table(100) + table(257) + scan + end));
  EXPECT_FALSE(fits(start + "pad\xff\xff\xff" + table(257).substr(1) + scan + end));
  EXPECT_FALSE(fits(start + table(100) + scan + "coded" + table(257) + scan + end));
  std::string two = table(3);
  two += table(257).substr(4);
  two[3] = static_cast<char>(two.size() - 2), two[2] = static_cast<char>((two.size() - 2) >> 8);
  EXPECT_FALSE(fits(start + two + scan + end));
}

TEST(JpegTables, OtherSegmentsMayHoldWhatLooksLikeOne) {
  EXPECT_TRUE(fits(start + segment('\xe1', table(300)) + table(100) + scan + end));
}

TEST(JpegTables, OtherFilesMayHoldAnything) {
  EXPECT_TRUE(fits("\x89PNG\r\n\x1a\n" + scan + table(300)));
  EXPECT_TRUE(fits(""));
}

TEST(JpegTables, CutFilesEnd) {
  const std::string whole = start + segment('\xe0', "JFIF") + table(200) + scan + "coded";
  for (size_t size = 0; size < whole.size(); ++size) EXPECT_TRUE(fits(whole.substr(0, size)));
  EXPECT_TRUE(fits(start + std::string("\xff\xc4", 2)));
}

}  // namespace
}  // namespace hadal::runtime

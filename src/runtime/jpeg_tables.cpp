#include "runtime/jpeg_tables.h"

#include <algorithm>
#include <cstdint>

namespace hadal::runtime {

namespace {

constexpr uint8_t huffman_tables = 0xc4, start_of_image = 0xd8, start_of_scan = 0xda;

class Bytes {
 public:
  explicit Bytes(std::span<const std::byte> bytes) : bytes_(bytes) {}
  /// Beyond the end a decoder reads zeros; so does this.
  [[nodiscard]] size_t at(size_t i) const { return i < bytes_.size() ? static_cast<uint8_t>(bytes_[i]) : 0; }
  [[nodiscard]] size_t word(size_t i) const { return at(i) * 256 + at(i + 1); }
  [[nodiscard]] size_t size() const { return bytes_.size(); }

 private:
  std::span<const std::byte> bytes_;
};

/// The tables of the segment whose length stands at `begin`.
bool tables_fit(const Bytes& jpeg, size_t begin) {
  constexpr size_t most_codes = 256;
  const size_t end = begin + jpeg.word(begin);
  for (size_t at = begin + 2; at < end;) {
    size_t codes = 0;
    for (size_t length = 1; length <= 16; ++length) codes += jpeg.at(at + length);
    if (codes > most_codes) return false;
    at += 17 + codes;
  }
  return true;
}

}  // namespace

bool huffman_tables_fit(std::span<const std::byte> file) {
  const Bytes jpeg(file);
  if (jpeg.at(0) != 0xff) return true;  // No JPEG: any bytes may stand anywhere.
  size_t at = 0;
  // Up to the first scan, from segment to segment as a decoder goes: other segments may hold any bytes.
  while (at < jpeg.size()) {
    if (jpeg.at(at++) != 0xff) continue;
    while (at < jpeg.size() && jpeg.at(at) == 0xff) ++at;
    const size_t marker = jpeg.at(at++);
    if (marker == start_of_image) continue;
    if (marker == start_of_scan) break;
    if (marker == huffman_tables && !tables_fit(jpeg, at)) return false;
    at += std::max<size_t>(jpeg.word(at), 2);
  }
  // Behind it, wherever the marker stands: coded data never hold it.
  for (; at + 1 < jpeg.size(); ++at)
    if (jpeg.at(at) == 0xff && jpeg.at(at + 1) == huffman_tables && !tables_fit(jpeg, at + 2)) return false;
  return true;
}

}  // namespace hadal::runtime

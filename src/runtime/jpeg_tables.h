// A guard in front of the JPEG decoder.
#pragma once

#include <cstddef>
#include <span>

namespace hadal::runtime {

/// Whether every Huffman table of a JPEG that a decoder may come upon has at most the 256 codes that the format allows;
/// true of files that are no JPEG.
/// stb_image before 2.28 writes beyond its own tables where one states more.
bool huffman_tables_fit(std::span<const std::byte> jpeg);

}  // namespace hadal::runtime

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace hadal::isa {

/// CRC-32C (Castagnoli, as in iSCSI, RFC 3720) of `bytes`, continuing `before`, the CRC of the bytes before them.
uint32_t crc32c(std::span<const std::byte> bytes, uint32_t before = 0);

}  // namespace hadal::isa

// Internal to the text: names that disassembler and assembler share.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "isa/program.h"

namespace hadal::isa {

inline constexpr std::array<std::string_view, 5> region_kinds{"input", "output", "weight", "scratch", "shared"};
inline std::string_view name_of(RegionKind kind) { return region_kinds[static_cast<size_t>(kind)]; }

/// Byte strides of a row-major tensor of these extents. The rank is at most 6; strides wrap where extents are absurd.
inline std::array<int64_t, rank_limit> dense_strides(const TensorDescriptor& tensor) {
  std::array<int64_t, rank_limit> strides{};
  auto stride = static_cast<uint64_t>(bytes_of(tensor.dtype));
  for (size_t i = tensor.rank; i-- > 0; stride *= tensor.extents[i]) strides[i] = static_cast<int64_t>(stride);
  return strides;
}

}  // namespace hadal::isa

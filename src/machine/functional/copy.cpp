#include "machine/functional/copy.h"

#include <algorithm>
#include <cstring>

#include "machine/functional/convert.h"

namespace hadal::machine {

namespace {

struct Axis {
  int64_t extent, to, from;  ///< Elements; byte strides.
};

/// The box with axes of extent 1 dropped and neighbours merged that both sides walk as one.
struct Walked {
  std::array<Axis, isa::rank_limit> axes;
  int rank = 0;
};

Walked collapse(int rank, const Dims& extents, const Dims& to, const Dims& from) {
  Walked walked;
  for (int i = 0; i < rank; ++i) {
    const auto at = static_cast<size_t>(i);
    if (extents[at] == 1) continue;
    const Axis axis{extents[at], to[at], from[at]};
    if (walked.rank > 0) {
      Axis& outer = walked.axes[static_cast<size_t>(walked.rank - 1)];
      if (outer.to == axis.extent * axis.to && outer.from == axis.extent * axis.from) {
        outer = {outer.extent * axis.extent, axis.to, axis.from};
        continue;
      }
    }
    walked.axes[static_cast<size_t>(walked.rank++)] = axis;
  }
  return walked;
}

/// Calls f(to, from) for each index of the first `rank` axes.
template <class F>
void for_each(const Walked& walked, int rank, std::byte* to, const std::byte* from, const F& f) {
  std::array<int64_t, isa::rank_limit> index{};
  while (true) {
    f(to, from);
    int i = rank - 1;
    for (; i >= 0; --i) {
      const Axis& axis = walked.axes[static_cast<size_t>(i)];
      to += axis.to;
      from += axis.from;
      if (++index[static_cast<size_t>(i)] < axis.extent) break;
      index[static_cast<size_t>(i)] = 0;
      to -= axis.to * axis.extent;
      from -= axis.from * axis.extent;
    }
    if (i < 0) return;
  }
}

template <class T>
void copy_line(std::byte* to, const std::byte* from, const Axis& axis) {
  for (int64_t i = 0; i < axis.extent; ++i) std::memcpy(to + i * axis.to, from + i * axis.from, sizeof(T));
}

/// Rows and columns exchanged: `a` is dense in `to`, `b` is dense in `from`. Blocks keep both sides in the first cache.
template <class T>
void transpose_plane(std::byte* to, const std::byte* from, const Axis& a, const Axis& b) {
  constexpr int64_t block = 16;
  for (int64_t i0 = 0; i0 < b.extent; i0 += block) {
    const int64_t i1 = std::min(i0 + block, b.extent);
    for (int64_t j0 = 0; j0 < a.extent; j0 += block) {
      const int64_t j1 = std::min(j0 + block, a.extent);
      for (int64_t i = i0; i < i1; ++i) {
        std::byte* row = to + i * b.to;
        const std::byte* column = from + i * b.from;
        for (int64_t j = j0; j < j1; ++j)
          std::memcpy(row + j * static_cast<int64_t>(sizeof(T)), column + j * a.from, sizeof(T));
      }
    }
  }
}

/// Copies of one element size, of which no run is contiguous on both sides.
template <class T>
void copy_scattered(Walked& walked, std::byte* to, const std::byte* from) {
  constexpr auto size = static_cast<int64_t>(sizeof(T));
  const int last = walked.rank - 1;
  const Axis line = walked.axes[static_cast<size_t>(last)];
  int plane = -1;  // The axis along which `from` is dense.
  if (line.to == size && line.extent > 1)
    for (int i = 0; i < last; ++i)
      if (walked.axes[static_cast<size_t>(i)].from == size) plane = i;
  if (plane < 0) {
    for_each(walked, last, to, from, [&](std::byte* t, const std::byte* f) { copy_line<T>(t, f, line); });
    return;
  }
  const Axis across = walked.axes[static_cast<size_t>(plane)];
  std::copy(walked.axes.begin() + plane + 1, walked.axes.begin() + last, walked.axes.begin() + plane);
  for_each(walked, last - 1, to, from,
           [&](std::byte* t, const std::byte* f) { transpose_plane<T>(t, f, line, across); });
}

void copy_same_type(Walked& walked, std::byte* to, const std::byte* from, int64_t size) {
  if (walked.rank == 0) {
    std::memcpy(to, from, static_cast<size_t>(size));
    return;
  }
  const Axis& line = walked.axes[static_cast<size_t>(walked.rank - 1)];
  if (line.to == size && line.from == size) {
    const auto bytes = static_cast<size_t>(line.extent * size);
    for_each(walked, walked.rank - 1, to, from, [&](std::byte* t, const std::byte* f) { std::memcpy(t, f, bytes); });
    return;
  }
  switch (size) {
    case 1:
      return copy_scattered<uint8_t>(walked, to, from);
    case 2:
      return copy_scattered<uint16_t>(walked, to, from);
    case 4:
      return copy_scattered<uint32_t>(walked, to, from);
    default:
      return copy_scattered<uint64_t>(walked, to, from);
  }
}

/// Runs that are contiguous on one side at least go through a small buffer on the other.
void copy_converting(const Walked& walked, const Strided& to, const Strided& from) {
  const int64_t to_size = bytes_of(to.dtype), from_size = bytes_of(from.dtype);
  if (walked.rank == 0) return convert_run(from.dtype, from.data, to.dtype, to.data, 1);
  const Axis& line = walked.axes[static_cast<size_t>(walked.rank - 1)];
  constexpr int64_t block = 512;
  std::array<std::byte, block * 8> gathered, converted;
  for_each(walked, walked.rank - 1, to.data, from.data, [&](std::byte* t, const std::byte* f) {
    if (line.to == to_size && line.from == from_size)
      return convert_run(from.dtype, f, to.dtype, t, static_cast<size_t>(line.extent));
    for (int64_t start = 0; start < line.extent; start += block) {
      const int64_t n = std::min(block, line.extent - start);
      for (int64_t i = 0; i < n; ++i)
        std::memcpy(gathered.data() + i * from_size, f + (start + i) * line.from, static_cast<size_t>(from_size));
      convert_run(from.dtype, gathered.data(), to.dtype, converted.data(), static_cast<size_t>(n));
      for (int64_t i = 0; i < n; ++i)
        std::memcpy(t + (start + i) * line.to, converted.data() + i * to_size, static_cast<size_t>(to_size));
    }
  });
}

}  // namespace

Dims dense_strides(int rank, const Dims& extents, int64_t element_bytes) {
  Dims strides{};
  for (int i = rank - 1; i >= 0; --i) {
    strides[static_cast<size_t>(i)] = element_bytes;
    element_bytes *= extents[static_cast<size_t>(i)];
  }
  return strides;
}

bool is_dense(int rank, const Dims& extents, const Dims& strides, int64_t element_bytes) {
  for (int i = rank - 1; i >= 0; --i) {
    const auto at = static_cast<size_t>(i);
    if (extents[at] != 1 && strides[at] != element_bytes) return false;
    element_bytes *= extents[at];
  }
  return true;
}

void copy_box(int rank, const Dims& extents, const Strided& to, const Strided& from) {
  Walked walked = collapse(rank, extents, to.strides, from.strides);
  if (to.dtype == from.dtype) return copy_same_type(walked, to.data, from.data, bytes_of(to.dtype));
  copy_converting(walked, to, from);
}

void fill_box(int rank, const Dims& extents, const Dims& strides, std::byte* to, const std::byte* value, int64_t size) {
  for (int i = 0; i < rank; ++i)
    if (extents[static_cast<size_t>(i)] <= 0) return;
  // A run of copies of the value serves as a source whose outer strides are 0.
  constexpr int64_t run = 256;
  std::array<std::byte, run * 8> values;
  for (int64_t i = 0; i < run; ++i) std::memcpy(values.data() + i * size, value, static_cast<size_t>(size));
  const Walked walked = collapse(rank, extents, strides, strides);
  if (walked.rank == 0) {
    std::memcpy(to, value, static_cast<size_t>(size));
    return;
  }
  const Axis& line = walked.axes[static_cast<size_t>(walked.rank - 1)];
  for_each(walked, walked.rank - 1, to, to, [&](std::byte* t, const std::byte*) {
    if (line.to == size) {
      for (int64_t i = 0; i < line.extent; i += run)
        std::memcpy(t + i * size, values.data(), static_cast<size_t>(std::min(run, line.extent - i) * size));
    } else {
      for (int64_t i = 0; i < line.extent; ++i) std::memcpy(t + i * line.to, value, static_cast<size_t>(size));
    }
  });
}

}  // namespace hadal::machine

// A DMA instruction as the memory sees it: contiguous runs of bytes, at addresses that follow from the box's strides.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "chip/chip.h"
#include "isa/check.h"
#include "isa/sequencer.h"
#include "machine/timing/memory.h"

namespace hadal::machine::timing {

/// First address of each region: HBM regions one after another on 4 KiB boundaries. Shared regions begin at 0, each.
std::vector<int64_t> region_addresses(const isa::Program& program);

struct Transfer {
  bool write = false;      ///< To memory.
  bool shared = false;     ///< The shared space, else HBM.
  bool scattered = false;  ///< Runs lie where an index says: anywhere.
  int64_t page_bytes = 0;  ///< Of the shared region.
  int64_t address = 0;     ///< Of the first run.
  int64_t run_bytes = 0, runs = 0;
  struct Level {
    int64_t count = 1, stride = 0;
  };
  std::array<Level, isa::rank_limit> levels{};  ///< Innermost first; their counts multiply to `runs`.
  int depth = 0;
  int64_t useful = 0;       ///< Bytes of the box, in memory's type.
  int64_t tile = 0;         ///< Offset of the tile in the scratchpad,
  int64_t local = 0;        ///< and its bytes.
  int64_t index = 0;        ///< Offset of a gather's index there,
  int64_t index_bytes = 0;  ///< and its bytes.
  int64_t moved = 0;        ///< Whole bursts: what the memory moves.
  int64_t port_cycles = 0;  ///< The core's DMA engine is busy.

  /// The granules under the moved bytes [from, from + bytes).
  [[nodiscard]] Spread spread(int64_t from, int64_t bytes, int64_t granule) const;
  /// Whether it reads what another transfer brings.
  [[nodiscard]] bool looks_into(const Transfer& other) const {
    return index < other.tile + other.local && other.tile < index + index_bytes;
  }
};

/// The transfer between a box of memory and a tile. With `clip`, elements outside the tensor are not moved.
Transfer plan_copy(const isa::Program& program, const chip::Dma& dma, const std::vector<int64_t>& regions,
                   const isa::Box& memory, const isa::Box& tile, bool write, bool clip);

/// The transfer of a gather of rows of `table`, whose numbers are not known: they are taken to lie anywhere.
Transfer plan_gather(const isa::Program& program, const chip::Dma& dma, const std::vector<int64_t>& regions,
                     const isa::Box& table, const isa::Box& tile, const isa::Box& index);

/// The transfer of a scatter. What one index writes lies anywhere; combining reads it before.
Transfer plan_scatter(const isa::Program& program, const chip::Dma& dma, const std::vector<int64_t>& regions,
                      const isa::Instruction& in, const isa::Boxes& boxes);

}  // namespace hadal::machine::timing

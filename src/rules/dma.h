// Time and bytes of a transfer, as its DMA engine sees them; memory channels and network are the timing machine's.
#pragma once

#include <cstdint>

#include "chip/chip.h"

namespace hadal::rules {

/// `runs` contiguous runs of `run_bytes`, the first at byte address `start`, each `stride` bytes after the one before.
struct DmaWork {
  int64_t runs = 1, run_bytes = 0;
  int64_t start = 0, stride = 0;
  bool convert = false;  ///< Casts or permutes on the way.
};

/// Bytes of the whole bursts that the runs touch, each run rounded outwards at both ends: what the memory moves.
int64_t burst_bytes(const chip::Dma& dma, const DmaWork& work);

/// Cycles the engine is busy: bursts at its own rate, useful bytes at the conversion rate. Without `issue_cycles`,
/// which delays the first request and overlaps earlier transfers.
int64_t dma_cycles(const chip::Dma& dma, const DmaWork& work);

/// Share of the moved bytes that the program asked for, in (0, 1]; 1 for an empty transfer.
double dma_efficiency(const chip::Dma& dma, const DmaWork& work);

}  // namespace hadal::rules

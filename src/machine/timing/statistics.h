// What happened while a program was timed: by layer, by kind of event.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "chip/chip.h"
#include "isa/program.h"
#include "machine/timing/cost.h"
#include "machine/timing/run.h"
#include "machine/timing/time.h"
#include "machine/timing/transfer.h"

namespace hadal::machine::timing {

class Statistics {
 public:
  Statistics(const isa::Program& program, const chip::Chip& chip);

  /// An instruction went to its queue.
  void issued(isa::Opcode op) { ++executed_[static_cast<size_t>(op) % executed_.size()]; }
  /// It began, and its effects were visible.
  void ran(uint32_t layer, Time begin, Time end);
  /// What it did; neither for instructions without work.
  void worked(uint32_t core, uint32_t layer, isa::Queue queue, const Cost& cost, bool emits);
  /// A layer began and ended like another one, that much later.
  void like(uint32_t layer, uint32_t other, Time later) { layers_[layer].like = {other, later}; }
  /// A core's part of a transfer; what memory, or the shared space, moved for it (once for all cores of a shared load).
  void copied(const Transfer& transfer);
  void moved(uint32_t layer, const Transfer& transfer);

  /// The latest end of all.
  [[nodiscard]] Time end() const { return end_; }
  [[nodiscard]] Timing timing(Time launch, uint64_t hop_bytes);

 private:
  struct Busy {
    int64_t array = 0, output = 0, lanes = 0, host = 0;
  };
  struct Like {
    uint32_t layer = 0;
    Time later = 0;  ///< 0: like none.
  };
  struct Layer {
    Time begin = never, end = 0;
    Like like{};
    uint64_t macs = 0, read = 0, written = 0;
  };
  struct Counts {
    uint64_t vector_operations = 0, sram_read = 0, sram_written = 0, accumulated = 0, host = 0;
    uint64_t hbm_read = 0, hbm_written = 0, shared_read = 0, shared_written = 0, transfers = 0;
  };
  void resolve(Layer& layer);
  [[nodiscard]] LayerTime layer_time(size_t layer, int64_t cycles) const;

  const isa::Program* program_;
  const chip::Chip* chip_;
  Cycles clock_;
  std::array<uint64_t, 128> executed_{};
  std::array<uint64_t, dtype_count> macs_{};
  Counts counts_;
  int64_t host_cycles_ = 0;
  Time end_ = 0;
  std::vector<Layer> layers_;
  std::vector<Busy> busy_;  ///< By layer and core.
};

}  // namespace hadal::machine::timing

// Loops in a steady state: whether the trips of all cores take the same time again and again, and how long.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "isa/sequencer.h"
#include "machine/timing/repeats.h"
#include "machine/timing/time.h"

namespace hadal::machine::timing {

/// Where a core and its queues stood as its sequencer came to a trip.
struct Mark {
  uint64_t signature = 0;                           ///< Sum over the instructions before.
  std::array<uint32_t, isa::queue_count> issued{};  ///< Instructions before, by queue.
  uint32_t order = 0;                               ///< And all of them.
  std::array<Time, isa::queue_count> ends{};        ///< When the first instruction after it ended,
  uint64_t hop_bytes = 0;  ///< and what all cores had sent when the last of those ends was known.
};

/// The trips of one loop on one core: a mark at each `stride`th of them, a few dozen at most. When there are more, the
/// stride doubles.
class Trips {
 public:
  static constexpr uint32_t none = UINT32_MAX;

  void open(uint32_t loop, int64_t left) {
    loop_ = loop;
    left_ = left;
    trip_ = 0;
    stride_ = 1;
    marks_.clear();
    known_ = {};
  }
  void close() { loop_ = none; }
  [[nodiscard]] uint32_t loop() const { return loop_; }
  [[nodiscard]] int64_t left() const { return left_; }
  [[nodiscard]] int64_t stride() const { return stride_; }
  /// A trip begins, after which there are `left` more. Whether it is one to keep a mark of.
  bool next(int64_t left);
  void keep(const Mark& mark);
  void ended(size_t queue, uint32_t order, Time end, uint64_t hop_bytes) {
    for (uint32_t& known = known_[queue]; known < marks_.size() && order >= marks_[known].order; ++known) {
      marks_[known].ends[queue] = end;
      marks_[known].hop_bytes = hop_bytes;
    }
  }
  [[nodiscard]] bool uses(size_t queue) const { return marks_.front().issued[queue] != marks_.back().issued[queue]; }
  /// The last trip with a mark whose ends are all known; negative where there is none.
  [[nodiscard]] int64_t known() const;
  /// Of a trip that is a multiple of the stride, up to `known`.
  [[nodiscard]] const Mark& at(int64_t trip) const { return marks_[static_cast<size_t>(trip / stride_)]; }

 private:
  static constexpr size_t most = 64;
  uint32_t loop_ = none;
  int64_t left_ = 0, trip_ = 0, stride_ = 1;
  std::vector<Mark> marks_;
  std::array<uint32_t, isa::queue_count> known_{};  ///< By queue, how many marks know their end.
};

struct Sample;

/// A period that all cores of a loop are in.
struct Period {
  size_t level = 0;  ///< Of the loop: 0 for straight code that repeats, else how deep it is.
  int64_t trips = 0;
  double time = 0;  ///< Ticks.
  uint64_t hop_bytes = 0;
  uint32_t code = 0;   ///< Static instructions, of straight code.
  Time since = never;  ///< What was measured began then.
  struct Part {
    uint32_t core = 0;
    uint32_t known = 0;  ///< The end, among the core's instructions, of the last period that was measured.
    Mark all{};          ///< What the core does in it.
  };
  std::vector<Part> parts{};  ///< Of the cores that are in it.
};

/// A steady state is a statement about samples: at least four periods, of 2^20 cycles together, in which each core
/// issues the same instructions; all queues of all cores advance at one rate; the mean period is known to 0.2 % (its
/// standard error) and does not drift. Sampling and its error: Wunderlich, Wenisch, Falsafi and Hoe, "SMARTS:
/// Accelerating Microarchitecture Simulation via Rigorous Statistical Sampling", ISCA 2003.
class Steady {
 public:
  /// In order: one of all trips before what is measured, four or more, one under way, one to leave.
  static constexpr uint32_t fewest_trips = 8;

  Steady(const isa::Walk& walk, size_t cores);

  [[nodiscard]] uint64_t signature(size_t instruction) const { return signatures_[instruction]; }
  /// The sequencer of a core holds an engine's instruction. Levels at which a mark was kept, as bits.
  unsigned arrived(uint32_t core, const isa::Sequencer& sequencer);
  void issued(uint32_t core, uint8_t queue, uint64_t signature);
  void ended(uint32_t core, uint8_t queue, uint32_t order, Time end, uint64_t hop_bytes);
  /// What all cores that are in the same loop as `lead` do again and again, if they do.
  [[nodiscard]] std::optional<Period> find(uint32_t lead, size_t level) const;
  /// Trips that a core has left after the present one.
  [[nodiscard]] int64_t left(uint32_t core, size_t level) const { return cores_[core].levels[level].left(); }
  /// All cores have left out that many periods. Nothing is known of that loop and those inside it from here on.
  void skipped(const Period& period, int64_t periods);

 private:
  struct Core {
    std::array<Trips, 1 + isa::loop_depth> levels{};
    size_t depth = 0;  ///< Levels in use.
    Mark now{};
  };
  [[nodiscard]] Period period_of(const Sample& sample, size_t level, int64_t periods, double mean) const;
  [[nodiscard]] const Repeat* repeat_at(size_t instruction) const;
  bool arrived_at(Core& core, size_t level, uint32_t loop, int64_t left, bool is_new, unsigned& kept);

  std::vector<uint64_t> signatures_;
  std::vector<Repeat> repeats_;
  std::vector<Core> cores_;
};

}  // namespace hadal::machine::timing

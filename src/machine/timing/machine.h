// The timing machine's state, and what each event does to it. machine.cpp has sequencers, queues and signals,
// engines.cpp the matrix, vector and host queues, dma.cpp the transfers, skip.cpp trips that are not run.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "chip/chip.h"
#include "isa/check.h"
#include "isa/sequencer.h"
#include "isa/sharing.h"
#include "machine/timing/cache.h"
#include "machine/timing/cost.h"
#include "machine/timing/events.h"
#include "machine/timing/exact_memory.h"
#include "machine/timing/fetch.h"
#include "machine/timing/memory.h"
#include "machine/timing/network.h"
#include "machine/timing/run.h"
#include "machine/timing/statistics.h"
#include "machine/timing/steady.h"
#include "machine/timing/time.h"
#include "machine/timing/transfer.h"

namespace hadal::machine::timing {

/// An instruction that a sequencer has put into a queue.
struct Issued {
  uint32_t instruction = 0, layer = 0;
  uint32_t order = 0;              ///< Of the core's.
  Time held_from = 0, issued = 0;  ///< When the sequencer had it; when its queue took it.
  Time skipped = 0;                ///< That was left out before it: all its times are that much later.
};

/// When an instruction ran.
struct Course {
  Time waited_from = 0, begin = 0, end = 0;
  Time asked_at = 0;     ///< When a transfer's turn came to ask for bytes.
  uint32_t meeting = 0;  ///< Of a shared load.
  bool on_chip = false;
};

/// An instruction in its queue, with its registers put in.
struct Entry : Issued {
  Time ready = never;  ///< When its waits were found met.
  bool idle = false;   ///< Waits and signals only.
  bool emits = false;
  Cost cost;          ///< Matrix, vector, host.
  Transfer transfer;  ///< DMA.
  isa::Sharing sharing{};
};

/// A core's part in a shared load: the number of its transfer.
struct Member {
  uint32_t core = 0, active = 0;
};

/// A transfer in flight.
struct Active : Issued, Course {
  Transfer transfer{};
  Rate port{};            ///< Time of a moved byte at the core's port.
  int64_t asked = 0;      ///< Moved bytes that were asked for,
  int64_t asking = 0;     ///< and those of the piece that is to be asked for next.
  Time taken = 0;         ///< When all ports that it comes through have begun to take that piece,
  Time lag = 0;           ///< and how long after the first of them this core's did.
  int32_t under_way = 0;  ///< Pieces asked for and not done.
  bool done = false;
  isa::Sharing sharing{};
  std::vector<Member> members{};  ///< Of the core that asks for a shared load: all that get the bytes.
};

/// Queues that have come to a shared load, and when the last of them had.
struct Meeting {
  std::vector<Member> members;
  Time ready = 0;
};

/// A piece between memory and core.
struct Piece {
  uint32_t active = 0;
  int64_t from = 0, bytes = 0;
  Time asked = 0;    ///< When it began.
  Time head = 0;     ///< When its first byte is at the second of memory and network.
  Time tail = 0;     ///< When its last byte is where it stands now.
  Time extra = 0;    ///< Request or acknowledgement on the network.
  bool hit = false;  ///< It comes from the cache.
};

struct QueueState {
  Ring<Entry> entries;
  Time wake_at = never;  ///< Earliest wake event under way.
  Time free = 0;         ///< Since when the unit could start the head.
  Time last_end = 0;     ///< Effects stay in queue order.
  // DMA.
  Ring<Active> active;
  uint32_t asking = 0;      ///< Number of the transfer that asks for pieces.
  uint32_t finished = 0;    ///< Number of the first transfer whose end is not known.
  bool requesting = false;  ///< A request or piece event is under way.
  Time next_request = 0;
  Time hold = 0;  ///< No request before: earlier pieces queue in the network or at the memory.
};

struct Core {
  isa::Sequencer sequencer;
  Fetch fetch;
  Time time = 0;                           ///< When the sequencer is free.
  Time held_from = 0;                      ///< When it had what it holds.
  uint32_t issued = 0;                     ///< Instructions so far.
  const isa::Instruction* next = nullptr;  ///< What it holds, waiting for a place in its queue.
  size_t last = 0;
  bool started = false, halted = false;
  uint8_t parked = 0;  ///< Bit set of queues whose head waits for a semaphore.
  std::array<int32_t, isa::semaphores> counts{};
  std::array<QueueState, isa::queue_count> queues{};
  // Matrix: the array, the output path, and when each of the last tiles had left.
  Time array_free = 0, output_free = 0;
  std::vector<Time> tiles{};
  size_t tile = 0;
  std::array<Time, 2> port_free{};  ///< DMA: from memory, to memory.
};

/// Instructions of a core that were counted and not run: each is like the one a period before it.
struct Skipped {
  uint32_t core = 0;
  uint32_t first = 0, end = 0;  ///< Of the core's instructions.
  uint32_t instructions = 0;    ///< In a period.
  uint32_t code = 0;            ///< Static instructions from one to the other.
  double time = 0;              ///< Ticks of a period.
  uint32_t known = 0;           ///< The end of the period that was measured: what follows is that many periods later.
  [[nodiscard]] uint32_t later(uint32_t order) const { return (order - known) / instructions + 1; }
};

class Machine {
 public:
  /// `device`: the chip's memory, null where it names none. `exact`: what times it, command by command, instead of
  /// `device`.
  Machine(const isa::Walk& walk, const chip::Chip& chip, const memory::Device* device, std::optional<ExactMemory> exact,
          const TimingOptions& options);
  Result<Timing> run();
  /// Finds in the cache what another run has left there. Before `run`.
  void follow(Machine&& before) { cache_ = std::move(before.cache_).settled(); }

 private:
  // Sequencers, queues, signals (machine.cpp).
  void handle(const Event& event);
  void issue(uint32_t core, Time now);
  bool place(uint32_t core, Core& state);
  void decode(Core& state, Entry& entry);
  void tally(uint32_t core, const Entry& entry);
  void wake(uint32_t core, Core& state, uint8_t queue, Time at);
  void advance(uint32_t core, uint8_t queue, Time now);
  void deliver(uint32_t core, uint32_t instruction, bool everywhere, Time now);
  void finish(uint32_t core, uint8_t queue, const Issued& instruction, const Course& course);
  [[nodiscard]] std::optional<Error> stuck();
  void fail(Error error);
  [[nodiscard]] uint32_t layer_of(size_t instruction) const {
    return instruction < program_->source.size() ? program_->source[instruction] : 0;
  }

  // Trips of steady loops that are not run (skip.cpp).
  void come_to(uint32_t core);
  [[nodiscard]] uint64_t signature_of(const Entry& entry) const;
  [[nodiscard]] bool others_rest(const Period& period);
  /// Where the sequencers are, and what is counted: to come back to.
  struct Checkpoint {
    struct Place {
      isa::Sequencer sequencer;
      const isa::Instruction* next;
      uint32_t issued;
    };
    std::vector<Place> cores{};
    Statistics statistics;
    uint64_t issued = 0;
  };
  [[nodiscard]] Checkpoint checkpoint() const;
  void go_back(const Checkpoint& to);
  void skip(const Period& period);
  int64_t pass_over(const Period& period, int64_t periods);
  bool pass_over(const Period& period, const Period::Part& part,
                 std::vector<std::array<int64_t, isa::semaphores>>& sum);
  void keep_cached(const Transfer& transfer);
  void fill_in(std::vector<Slice>& slices) const;

  // Engines (engines.cpp).
  [[nodiscard]] Time unit_free(Core& state, uint8_t queue, const Entry& entry) const;
  void start(uint32_t core, Core& state, uint8_t queue, const Entry& entry, Time now);
  Time run_matrix(Core& state, const Entry& entry, Time now);

  // Transfers (dma.cpp).
  void plan(const isa::Instruction& in, Entry& entry);
  void start_transfer(uint32_t core, Core& state, uint8_t queue, const Entry& entry, Time now);
  void pump(uint32_t core, Core& state, uint8_t queue, Time now);
  void meet(uint32_t core, uint8_t queue, Time ready);
  void request(uint32_t core, uint8_t queue, Time now);
  void ask(uint32_t core, uint8_t queue, Time now);
  void served(const ExactMemory::Report& report);
  void ask_next(uint32_t core, uint8_t queue, Time next, Time now);
  void pass(uint32_t core, uint8_t queue, uint32_t slot, Time now);
  void written(uint32_t core, uint8_t queue, uint32_t slot, Time end);
  void pass_shared(uint32_t core, uint8_t queue, Active& active, const Piece& piece);
  void settle(uint32_t core, uint8_t queue, Active& active);
  [[nodiscard]] bool is_cached(const Transfer& transfer) const { return chip_->cache.bytes > 0 && !transfer.shared; }
  bool read_cache(const Transfer& transfer, Piece& piece, Time now);
  Time write_piece(uint32_t core, Servers& servers, const Spread& spread, Piece& piece, Time now);
  void close(uint32_t core, Core& state, uint8_t queue);
  void retire(uint32_t core, uint8_t queue, Time now);
  [[nodiscard]] int64_t granule_of(const Transfer& transfer) const {
    return transfer.shared ? transfer.page_bytes : chip_->memory.interleave_bytes;
  }
  Servers& servers_of(const Transfer& transfer) { return transfer.shared ? shared_ : memory_; }
  [[nodiscard]] int64_t piece_of(const Transfer& transfer);
  [[nodiscard]] bool is_exact(const Transfer& transfer) const { return exact_ && !transfer.shared; }

  const isa::Program* program_;
  const chip::Chip* chip_;
  TimingOptions options_;
  Cycles clock_;
  Time launch_ = 0, issue_ = 0, let_ = 0, signal_ = 0, dma_issue_ = 0;
  std::vector<int64_t> regions_;
  isa::Boxes boxes_;  ///< Of the instruction being issued.
  CodeMap code_;
  Costs costs_;
  Network network_;
  Servers memory_, shared_;
  std::optional<ExactMemory> exact_;
  Cache cache_;
  Time hit_ = 0;  ///< Latency of what is in the cache.
  Statistics statistics_;
  std::optional<Steady> steady_;
  std::vector<Skipped> skips_;
  Time skipped_ = 0;           ///< What was left out so far: times here are that much behind those that are reported.
  uint64_t extrapolated_ = 0;  ///< Instructions.
  Events events_;
  std::vector<Core> cores_;
  std::map<std::array<int64_t, 4>, Meeting> meetings_;  ///< By queue, and first core, size and step of the group.
  uint32_t met_ = 0;                                    ///< Meetings that are over.
  std::vector<Piece> pieces_;
  std::vector<uint32_t> spare_pieces_;
  uint64_t issued_ = 0;
  std::optional<Error> error_;
};

}  // namespace hadal::machine::timing

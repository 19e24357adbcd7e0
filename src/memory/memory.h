// A memory as those see it who move data: transfers go in, the times at which they end come out.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "memory/channel.h"
#include "memory/sampler.h"

namespace hadal::memory {

/// `count` runs of `bytes`, `stride` apart, the first at `address`: the rows of a tile. Runs move whole bursts.
struct Transfer {
  uint64_t address = 0;
  int64_t bytes = 0;
  int64_t stride = 0, count = 1;
  bool write = false;
  Tick at = 0;  ///< When it begins, in ticks of the device.
};

/// All channels of a device, cold at first. Transfers that are under way together share it: each sends its bursts in
/// order, as fast as the queues take them, and they take turns. Two ways of use:
///
///   Tick end = memory.access(transfer);              // one after another
///
///   const auto a = memory.submit(first);             // together: what was submitted before end_of() runs as far as
///   const auto b = memory.submit(second);            // that needs contends with each other
///   Tick end = memory.end_of(a);
///
/// Time goes on as far as end_of() had to look, and never back: a transfer submitted later for an earlier time begins
/// then, so submit in about the order of times, and everything that is known before asking for an end. Idle time costs
/// nothing. Ticks to seconds: Device::tick_seconds().
class Memory {
 public:
  enum class Mode {
    exact,  ///< Every command.
    fast,   ///< The same, but transfers that go on undisturbed for refresh intervals are cut short at their pace.
  };
  /// Errors: memory.*, as of check_device.
  static Result<Memory> make(const Device& device, Mode mode);

  /// Announces a transfer of at least one burst; returns its number.
  int64_t submit(const Transfer& transfer);
  /// When the last byte of a read is there, or the controller has taken over the last of a write. Once for each number.
  Tick end_of(int64_t number);
  Tick access(const Transfer& transfer) { return end_of(submit(transfer)); }
  /// What a transfer has come to.
  struct Progress {
    int64_t number = 0;
    bool is_end = false;  ///< Else it is sent: the queues have taken the last of it.
    Tick at = 0;
    Tick first = 0;  ///< At its end: when its first burst was done.
  };
  /// A third way of use, for who cannot know the future: goes on until a transfer is sent or has ended, but not as far
  /// as `until`, so that transfers of that time can still be submitted. Not together with end_of().
  std::optional<Progress> advance(Tick until);
  /// How far time has gone.
  [[nodiscard]] Tick now() const { return clock_ + skipped_; }

 private:
  /// A transfer under way.
  struct Flow {
    Transfer transfer;
    int64_t number = 0;
    int64_t run = 0;                    ///< The run that is sent.
    uint64_t next = 0, end = 0;         ///< What is left of it, from burst to burst.
    int64_t out = 0;                    ///< Bursts sent and not completed.
    int64_t sent = 0, sent_before = 0;  ///< Bursts, and of them before the sampler began.
    Tick first = never, last = 0;
    bool told = false;  ///< That it is sent.
    const Channel* blocked_on = nullptr;
  };
  Memory(const Device& device, Mode mode, Mapping mapping);

  void begin_flows();
  void begin_run(Flow& flow) const;
  void step();
  void send();
  bool send_burst(Flow& flow);
  void collect(Channel& channel);
  void end_flows();
  void jump(Tick until);
  void skip();
  [[nodiscard]] int64_t bursts_left(const Flow& flow) const;
  void advance(Flow& flow, int64_t bursts) const;
  [[nodiscard]] bool is_sent(const Flow& flow) const { return flow.run == flow.transfer.count; }

  Device device_;
  Mapping mapping_;
  bool fast_;
  uint64_t burst_;
  std::vector<std::unique_ptr<Channel>> channels_;
  std::deque<Transfer> waiting_;  ///< By time.
  std::deque<int64_t> waiting_numbers_;
  std::vector<std::unique_ptr<Flow>> flows_;
  std::unordered_map<int64_t, Tick> ends_;
  int64_t submitted_ = 0;
  size_t turn_ = 0;
  Tick clock_ = 0;  ///< Of the channels; time is `skipped_` more.
  Tick ran_ = -1;   ///< The last one at which something was done: nothing happens from then to clock_.
  std::deque<Progress> progress_;
  bool telling_ = false;
  Tick skipped_ = 0;
  bool more_now_ = false;  ///< More could be sent than one tick takes.
  std::optional<Sampler> sampler_;
};

}  // namespace hadal::memory

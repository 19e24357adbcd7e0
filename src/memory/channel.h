// One channel: what its controller makes of the requests that it accepts. Driven by clocks, of which only those at
// which something can happen need to be run.
#pragma once

#include <memory>
#include <vector>

#include "memory/mapping.h"

namespace hadal::memory {

/// One burst.
struct Request {
  uint64_t address = 0;
  Location location;
  bool write = false;
  int64_t tag = 0;  ///< The sender's own; comes back in the Completion.
};

struct Completion {
  int64_t tag = 0;
  bool write = false;
  Tick done = 0;   ///< Of a read, when its data is there; of a write, when the controller has taken it over for good.
  Tick freed = 0;  ///< The first tick at which the sender can act on that.
};

class Channel {
 public:
  virtual ~Channel() = default;
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  /// Whether the controller takes the request at tick `at`; ask before run(at). Ticks never go back.
  virtual bool push(const Request& request, Tick at) = 0;
  /// The work of tick `at`.
  virtual void run(Tick at) = 0;
  /// The next tick that needs run(); none between does anything.
  [[nodiscard]] Tick next() const { return next_; }
  /// Whether any request has not completed.
  [[nodiscard]] virtual bool is_idle() const = 0;
  /// Leaves out refreshes before `until` that would find everything closed and settled: idle time costs nothing.
  virtual void rest(Tick until) = 0;

  /// What completed, or will at a time that is known; the reader empties it.
  std::vector<Completion> completions;

 protected:
  Channel() = default;
  Tick next_ = never;
};

/// The channel that the description's scheduler asks for.
std::unique_ptr<Channel> make_channel(const Device& device);

}  // namespace hadal::memory

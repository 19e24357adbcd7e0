// Links between chips: whole messages, stored and forwarded, first come first served.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <queue>
#include <vector>

#include "base/result.h"
#include "network/grid.h"

namespace hadal::network {

/// How chips are joined.
enum class LinkTopology {
  ring,             ///< Links both ways between i and i + 1; messages go the shorter way, upwards where both are.
  fully_connected,  ///< A link from every chip to every other.
  switched,         ///< A link from every chip to one switch, and one back.
};

/// "Ring", "FullyConnected" or "Switch". Errors: links.topology.
Result<LinkTopology> link_topology(std::string_view name);

struct LinkConfig {
  LinkTopology topology = LinkTopology::ring;
  uint32_t chips = 2;
  double bytes_per_ns = 1;  ///< Each link.
  double latency_ns = 0;    ///< Each link, from a message's last byte in to its last byte out.
  /// Times of a message on a link are cut to whole multiples of this; 0 keeps them as they are. ASTRA-sim: 1.
  double quantum_ns = 0;
};

/// Messages on such links. A link is busy for the bytes of a message; the message is at its other end a latency later,
/// and only then goes on. Times in ns.
class Links {
 public:
  using Done = std::function<void()>;

  /// Errors: links.chips, links.bandwidth, links.latency.
  static Result<Links> make(const LinkConfig& config);

  [[nodiscard]] double now() const { return now_; }
  [[nodiscard]] uint32_t chips() const { return config_.chips; }
  [[nodiscard]] uint64_t messages() const { return messages_; }
  /// To whole quanta, downwards.
  [[nodiscard]] double cut(double ns) const;
  /// Sends now; `done` runs when the message has arrived. Messages that want a link at the same time take it in the
  /// order of these calls.
  void send(Node from, Node to, double bytes, Done done = {});
  /// Runs `action` after so many ns.
  void after(double delay_ns, Done action);
  /// Runs until all is done, and returns the time.
  double finish();

 private:
  explicit Links(const LinkConfig& config);

  struct Message {
    Node at = 0, to = 0;
    double bytes = 0;
    Done done;
  };
  struct Link {
    bool busy = false;
    std::deque<uint32_t> waiting;
  };
  struct Event {
    double time;
    uint64_t order;  ///< Of scheduling: events of one time keep it.
    Done action;
    bool operator>(const Event& other) const { return time != other.time ? time > other.time : order > other.order; }
  };
  [[nodiscard]] Node next(Node at, Node to) const;
  [[nodiscard]] size_t link(Node from, Node to) const;
  void forward(uint32_t message);
  void start(size_t link, uint32_t message);

  LinkConfig config_;
  double now_ = 0;
  uint64_t events_ = 0, messages_ = 0;
  std::vector<Link> links_;
  std::vector<Message> under_way_;
  std::vector<uint32_t> free_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> queue_;
};

}  // namespace hadal::network

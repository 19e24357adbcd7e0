#include "network/chunked.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "base/suggest.h"

namespace hadal::network {

namespace {

constexpr std::array<std::string_view, 4> operations{"all_reduce", "reduce_scatter", "all_gather", "all_to_all"};
constexpr std::array<std::string_view, 3> algorithms{"ring", "direct", "halvingDoubling"};

/// What every chip does before it goes on: sends, and waits for as much.
struct Step {
  double bytes = 0;  ///< Of a message.
  bool reduces = false;
  uint32_t distance = 0;  ///< To the partner of halving and doubling.
};

std::vector<Step> ring_steps(Operation operation, uint32_t chips, double bytes) {
  const uint32_t round = chips - 1;
  switch (operation) {
    case Operation::all_gather:
      return std::vector<Step>(round, {bytes});
    // What goes to chips further on is handed on by each between.
    case Operation::all_to_all:
      return std::vector<Step>(size_t{chips} * round / 2, {std::floor(bytes / chips)});
    case Operation::all_reduce:
    case Operation::reduce_scatter:
      break;
  }
  std::vector<Step> steps(round, {std::floor(bytes / chips), true});
  if (operation == Operation::all_reduce) steps.insert(steps.end(), round, {std::floor(bytes / chips)});
  return steps;
}

std::vector<Step> direct_steps(Operation operation, uint32_t chips, double bytes) {
  const double part = std::floor(bytes / chips);
  switch (operation) {
    case Operation::all_reduce:
      return {{part, true}, {part}};
    case Operation::reduce_scatter:
      return {{part, true}};
    case Operation::all_gather:
      return {{bytes}};
    case Operation::all_to_all:
      break;
  }
  return {{part}};
}

std::vector<Step> halving_doubling_steps(Operation operation, uint32_t chips, double bytes) {
  std::vector<Step> halving, doubling;
  for (uint32_t distance = 1; distance < chips; distance *= 2) {
    halving.push_back({std::floor(bytes / (2.0 * distance)), true, distance});
    doubling.push_back({bytes * distance, false, distance});
  }
  if (operation == Operation::all_gather) return doubling;
  if (operation == Operation::reduce_scatter) return halving;
  std::vector<Step> both = halving;
  for (auto step = halving.rbegin(); step != halving.rend(); ++step)
    both.push_back({step->bytes, false, step->distance});
  return both;
}

class Run {
 public:
  Run(Links& links, const ChunkedConfig& config, std::vector<Step> steps)
      : links_(links), config_(config), steps_(std::move(steps)), begun_(links.chips()) {
    progress_.resize(size_t{links.chips()} * config.chunks);
    for (Progress& progress : progress_) progress.received.resize(steps_.size());
  }

  double finish() {
    for (Node chip = 0; chip < links_.chips(); ++chip) {
      for (uint32_t i = 0; i < config_.active_chunks; ++i) begin(chip);
    }
    return links_.finish();
  }

 private:
  struct Progress {
    size_t step = 0;
    bool sent = false;
    std::vector<uint32_t> received;  ///< Messages, by step.
  };
  Progress& progress(Node chip, uint32_t chunk) { return progress_[size_t{chip} * config_.chunks + chunk]; }
  [[nodiscard]] uint32_t messages() const { return config_.algorithm == Algorithm::direct ? links_.chips() - 1 : 1; }

  void begin(Node chip) {
    if (begun_[chip] == config_.chunks || steps_.empty()) return;
    const uint32_t chunk = begun_[chip]++;
    links_.after(config_.endpoint_ns, [this, chip, chunk] { send(chip, chunk); });
  }

  void send(Node chip, uint32_t chunk) {
    progress(chip, chunk).sent = true;
    const size_t step = progress(chip, chunk).step;
    const Node chips = links_.chips(),
               first = steps_[step].distance > 0 ? chip ^ steps_[step].distance : (chip + 1) % chips;
    for (uint32_t i = 0; i < messages(); ++i) {
      const Node to = (first + i) % chips;
      links_.send(chip, to, steps_[step].bytes, [this, to, chunk, step] {
        ++progress(to, chunk).received[step];
        if (progress(to, chunk).step == step) go_on(to, chunk);
      });
    }
    go_on(chip, chunk);
  }

  /// To the next step, once this one's messages are there.
  void go_on(Node chip, uint32_t chunk) {
    Progress& at = progress(chip, chunk);
    if (!at.sent || at.received[at.step] < messages()) return;
    const double delay = config_.endpoint_ns + (steps_[at.step].reduces ? reduction(steps_[at.step].bytes) : 0);
    at.sent = false;
    ++at.step;
    links_.after(delay,
                 [this, chip, chunk] { progress(chip, chunk).step < steps_.size() ? send(chip, chunk) : begin(chip); });
  }

  [[nodiscard]] double reduction(double bytes) const {
    constexpr double accesses = 3;
    return config_.memory_bytes_per_ns > 0 ? accesses * links_.cut(bytes / config_.memory_bytes_per_ns) : 0;
  }

  Links& links_;
  const ChunkedConfig& config_;
  std::vector<Step> steps_;
  std::vector<uint32_t> begun_;     ///< Chunks, by chip.
  std::vector<Progress> progress_;  ///< [chip][chunk]
};

template <size_t N>
Result<size_t> find(std::string_view name, const std::array<std::string_view, N>& names, std::string_view what) {
  const auto found = std::ranges::find(names, name);
  if (found != names.end()) return static_cast<size_t>(found - names.begin());
  const std::string guess = did_you_mean(name, names);
  return Error{fmt::format("collective.{}", what),
               fmt::format("no {} \"{}\"", what, printable(name)),
               {},
               guess.empty() ? fmt::format("{}s: {}", what, fmt::join(names, ", ")) : guess};
}

}  // namespace

Result<Operation> operation(std::string_view name) {
  HADAL_TRY(const size_t index, find(name, operations, "operation"));
  return static_cast<Operation>(index);
}

Result<Algorithm> algorithm(std::string_view name) {
  HADAL_TRY(const size_t index, find(name, algorithms, "algorithm"));
  return static_cast<Algorithm>(index);
}

Result<double> run_chunked(Links& links, const ChunkedConfig& config) {
  const bool doubling = config.algorithm == Algorithm::halving_doubling;
  if (doubling && (!std::has_single_bit(links.chips()) || config.operation == Operation::all_to_all)) {
    return Error{"collective.chips",
                 fmt::format("halvingDoubling of {} among {} chips", operations[static_cast<size_t>(config.operation)],
                             links.chips()),
                 {},
                 "it needs a power of two of chips, and does no all_to_all"};
  }
  if (config.chunks < 1 || config.active_chunks < 1) {
    return Error{"collective.chunks",
                 fmt::format("{} chunks, {} active", config.chunks, config.active_chunks),
                 {},
                 "at least one of each"};
  }
  const auto steps = doubling                                ? halving_doubling_steps
                     : config.algorithm == Algorithm::direct ? direct_steps
                                                             : ring_steps;
  const double chunk = std::floor(config.bytes / config.chunks);
  return Run(links, config, steps(config.operation, links.chips(), chunk)).finish();
}

}  // namespace hadal::network

#include "machine/check/deadlock.h"

#include <algorithm>
#include <optional>

namespace hadal::machine::check {

namespace {

constexpr uint64_t most_ahead = 1 << 20;  ///< Instructions that are looked through for a signal.

const isa::Sync* unmet(const Core& core) {
  for (const isa::Sync& wait : core.pending->waits)
    if (wait.count > 0 && core.counts[wait.id] < wait.count) return &wait;
  return nullptr;
}

/// Whether an instruction that a core stands at, or that comes after it, signals `id` to core `to`.
bool will_signal(const Core& core, bool same, uint8_t id) {
  isa::Sequencer ahead = core.sequencer;
  ahead.limit(most_ahead);
  for (const isa::Instruction* in = core.pending; in != nullptr; in = ahead.next())
    for (const isa::Sync& signal : in->signals)
      if (signal.count > 0 && signal.id == id && (same || signal.everywhere)) return true;
  return false;
}

struct Stand {
  std::string text;              ///< "core 3 waits for 2 of `full`, whose count is 1".
  std::optional<size_t> behind;  ///< The core that would let it go on.
};

Stand stand_of(const isa::Program& program, const std::vector<Core>& cores, size_t number) {
  const Core& core = cores[number];
  const auto stands = [&](size_t i) { return !cores[i].halted; };
  if (core.waited) {
    Stand stand{fmt::format("core {} stands at a shared load that others of its group do not come to", number), {}};
    const isa::Sharing sharing = sharing_of(core);
    const int64_t first = sharing.first(static_cast<int64_t>(number));
    for (int64_t m = 0; m < sharing.members(first, std::ssize(cores)) && !stand.behind; ++m) {
      const auto member = static_cast<size_t>(first + m * sharing.step);
      if (stands(member) && !(cores[member].waited && cores[member].sequencer.index() == core.sequencer.index()))
        stand.behind = member;
    }
    return stand;
  }
  const isa::Sync& wait = *unmet(core);
  Stand stand{fmt::format("core {} waits for {} of semaphore {}, whose count is {}", number, wait.count,
                          semaphore_name(program, wait.id), core.counts[wait.id]),
              {}};
  for (size_t i = 0; i < cores.size() && !stand.behind; ++i) {
    const size_t other = (number + 1 + i) % cores.size();  // Itself last.
    if (stands(other) && will_signal(cores[other], other == number, wait.id)) stand.behind = other;
  }
  return stand;
}

}  // namespace

Finding deadlock_of(const isa::Program& program, const std::vector<Core>& cores) {
  std::vector<size_t> path;
  std::vector<std::string> texts;
  std::optional<size_t> at =
      static_cast<size_t>(std::ranges::find_if(cores, [](const Core& core) { return !core.halted; }) - cores.begin());
  while (at && std::ranges::find(path, *at) == path.end()) {
    path.push_back(*at);
    const Stand stand = stand_of(program, cores, *at);
    texts.push_back(stand.text);
    at = stand.behind;
  }
  const bool apart = cores[path.back()].waited;
  Finding finding{apart ? "share.C1" : "sync.C1", "deadlock: ", {}};
  const auto begin = at ? std::ranges::find(path, *at) - path.begin() : std::ssize(path) - 1;
  for (auto i = begin; i < std::ssize(path); ++i) {
    const size_t number = path[static_cast<size_t>(i)];
    finding.message += (i == begin ? "" : ", ") + texts[static_cast<size_t>(i)];
    finding.sites.push_back({static_cast<uint32_t>(number), static_cast<uint32_t>(cores[number].sequencer.index())});
  }
  if (!at)
    finding.message += ", and nothing that is left gives it";
  else if (begin + 1 == std::ssize(path))
    finding.message += ", and gives it itself only later";
  else
    finding.message += fmt::format("; that would come from core {}", *at);
  return finding;
}

}  // namespace hadal::machine::check

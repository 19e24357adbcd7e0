#include "base/unfinished.h"

#include <unistd.h>

#include <array>
#include <atomic>
#include <climits>
#include <csignal>
#include <cstring>
#include <string>
#include <utility>

namespace hadal {

namespace {

enum class State { free, filling, held };

struct Slot {
  std::atomic<State> state{State::free};
  std::array<char, PATH_MAX> path{};
};
std::array<Slot, 8> slots;
static_assert(std::atomic<State>::is_always_lock_free, "a signal handler reads it");

/// Calls nothing that a signal handler may not call.
void on_signal(int signal) {
  for (const Slot& slot : slots)
    if (slot.state.load() == State::held) ::unlink(slot.path.data());
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

}  // namespace

Unfinished::Unfinished(const std::filesystem::path& file) {
  std::error_code ignored;
  const std::string path = std::filesystem::absolute(file, ignored).string();
  if (path.empty() || path.size() >= PATH_MAX) return;
  for (size_t i = 0; i < slots.size(); ++i) {
    State expected = State::free;
    if (!slots[i].state.compare_exchange_strong(expected, State::filling)) continue;
    std::memcpy(slots[i].path.data(), path.c_str(), path.size() + 1);
    slots[i].state.store(State::held);
    slot_ = static_cast<int>(i);
    return;
  }
}

Unfinished::Unfinished(Unfinished&& other) noexcept : slot_(std::exchange(other.slot_, -1)) {}

Unfinished::~Unfinished() {
  if (slot_ >= 0) slots[static_cast<size_t>(slot_)].state.store(State::free);
}

void remove_unfinished_on_signals() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP})
    if (std::signal(signal, on_signal) == SIG_IGN) std::signal(signal, SIG_IGN);
}

}  // namespace hadal

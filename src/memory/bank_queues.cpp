#include "memory/bank_queues.h"

#include <algorithm>

namespace hadal::memory {

using enum Command;

BankQueues::BankQueues(const Device& device)
    : times_(device),
      read_latency_(device.read_latency()),
      refresh_interval_(device.ticks_of("tREFI")),
      auto_precharge_(device.controller.row_policy == "closed"),
      entries_(static_cast<size_t>(device.controller.queue)),
      bank_entries_(static_cast<size_t>(device.controller.bank_queue)),
      drain_above_(static_cast<size_t>(device.controller.drain_above)),
      hit_limit_(device.controller.hit_limit),
      queues_(static_cast<size_t>(times_.banks())),
      hits_(static_cast<size_t>(times_.banks())) {
  if (device.controller.refresh != "none") next_ = refresh_at_ = refresh_interval_;
}

bool BankQueues::is_idle() const { return all_empty() && reads_.empty() && writes_.empty(); }

void BankQueues::rest(Tick until) {
  if (refresh_at_ == never || !is_idle() || due_refreshes_ > 0 || times_.open_banks() > 0) return;
  const Tick whole = (until - refresh_at_) / refresh_interval_ - 1;
  if (whole > 0) next_ = refresh_at_ += whole * refresh_interval_;
}

/// Whether a read, or a write, of the same address has been accepted and not issued.
bool BankQueues::is_pending(const Request& request, bool write) {
  if ((write ? pending_writes_ : pending_reads_).of(request.address) == 0) return false;
  const auto same = [&](const Request& r) { return r.address == request.address && r.write == write; };
  const std::deque<Request>& queue = write ? writes_ : reads_;
  const std::vector<Request>& of_bank = queue_of(request.location.bank);
  return std::any_of(queue.begin(), queue.end(), same) || std::any_of(of_bank.begin(), of_bank.end(), same);
}

bool BankQueues::push(const Request& request, Tick at) {
  std::deque<Request>& queue = request.write ? writes_ : reads_;
  if (queue.size() >= entries_) return false;
  const bool is_written = is_pending(request, true);
  // Writes are taken over at once; what is read while its write is pending comes from there.
  if (request.write || is_written) completions.push_back({request.tag, request.write, at + 1, at + 2});
  if (is_written) return true;
  if (!request.write && is_pending(request, false)) {
    merged_.push_back(request);
    return true;
  }
  ++(request.write ? pending_writes_ : pending_reads_).of(request.address);
  queue.push_back(request);
  stuck_ = false;
  next_ = std::min(next_, at);
  return true;
}

void BankQueues::run(Tick at) {
  wake_ = never;
  if (at == refresh_at_) {
    ++due_refreshes_;
    refresh_at_ += refresh_interval_;
  }
  Choice first = choose_refresh(at);
  if (first.bank < 0) first = choose(at);
  if (first.bank >= 0) {
    issue(first, at);
    // Row and column commands have a bus each. The turn passes even where the second finds its bus taken.
    const Choice second = choose(at);
    if (second.bank >= 0 && is_column(second.command) != is_column(first.command)) issue(second, at);
  }
  const bool moved = move_one();
  next_ = first.bank >= 0 || moved ? at + 1 : std::min(wake_, refresh_at_);
}

bool BankQueues::is_ready(Command command, int bank, Tick now) {
  const Tick ready = times_.ready(command, bank);
  if (ready > now) wake_ = std::min(wake_, ready);
  return ready <= now;
}

/// A refresh that is due stops all banks: the open ones close, one a clock.
BankQueues::Choice BankQueues::choose_refresh(Tick now) {
  if (due_refreshes_ == 0) return {};
  if (times_.open_banks() == 0) return is_ready(ref, 0, now) ? Choice{ref, 0, 0} : Choice{};
  for (int bank = 0; bank < times_.banks(); ++bank)
    if (times_.open_row(bank) >= 0 && is_ready(pre, bank, now)) return {pre, bank, 0};
  return {};
}

BankQueues::Choice BankQueues::choose(Tick now) {
  Choice choice;
  if (due_refreshes_ > 0 || all_empty()) return choice;
  for (int i = 0; i < times_.banks(); ++i) {
    last_bank_ = last_bank_ + 1 == times_.banks() ? 0 : last_bank_ + 1;
    if (!queue_of(last_bank_).empty() && choose_in(last_bank_, now, choice)) return choice;
  }
  return choice;
}

/// The first command of a bank's queue that may begin.
bool BankQueues::choose_in(int bank, Tick now, Choice& choice) {
  const std::vector<Request>& queue = queue_of(bank);
  const int32_t open = times_.open_row(bank);
  if (open < 0) {
    if (!is_ready(act, bank, now)) return false;
    choice = {act, bank, 0};
    return true;
  }
  for (size_t i = 0; i < queue.size(); ++i) {
    const Request& request = queue[i];
    if (request.location.row != open) {
      if (i > 0 || !may_close(bank) || !is_ready(pre, bank, now)) continue;
      choice = {pre, bank, 0};
      return true;
    }
    const Command command = request.write ? (auto_precharge_ ? wra : wr) : (auto_precharge_ ? rda : rd);
    if (!is_ready(command, bank, now)) continue;
    const bool reads_before = request.write && std::any_of(queue.begin(), queue.begin() + static_cast<ptrdiff_t>(i),
                                                           [&](const Request& r) {
                                                             return !r.write && r.address == request.address;
                                                           });
    if (reads_before) continue;
    choice = {command, bank, i};
    return true;
  }
  return false;
}

bool BankQueues::may_close(int bank) const {
  if (hits_[static_cast<size_t>(bank)] >= hit_limit_) return true;
  const std::vector<Request>& queue = queues_[static_cast<size_t>(bank)];
  return std::none_of(queue.begin(), queue.end(),
                      [&](const Request& r) { return r.location.row == times_.open_row(bank); });
}

void BankQueues::issue(const Choice& choice, Tick now) {
  const auto b = static_cast<size_t>(choice.bank);
  if (!is_column(choice.command)) {
    times_.issue(choice.command, choice.bank, now,
                 choice.command == act ? queues_[b].front().location.row : -1);
    if (choice.command == pre) hits_[b] = 0;
    if (choice.command == ref) --due_refreshes_;
    return;
  }
  times_.issue(choice.command, choice.bank, now);
  hits_[b] = auto_precharge_ ? 0 : hits_[b] + 1;
  const auto at = queues_[b].begin() + static_cast<ptrdiff_t>(choice.entry);
  --(at->write ? pending_writes_ : pending_reads_).of(at->address);
  if (!at->write) finish_read(*at, now);
  queues_[b].erase(at);
  --waiting_;
  stuck_ = false;
}

void BankQueues::finish_read(const Request& request, Tick now) {
  const Tick done = now + read_latency_;
  completions.push_back({request.tag, false, done, done + 1});
  for (size_t i = 0; i < merged_.size();) {
    if (merged_[i].address == request.address) {
      completions.push_back({merged_[i].tag, false, done, done + 1});
      merged_.erase(merged_.begin() + static_cast<ptrdiff_t>(i));
    } else {
      ++i;
    }
  }
}

/// One request a clock goes on to its bank: the oldest whose bank has room.
bool BankQueues::move_one() {
  if (to_drain_ == 0 && (writes_.size() >= entries_ || (writes_.size() > drain_above_ && all_empty()))) {
    to_drain_ = writes_.size();
    stuck_ = false;
  }
  if (stuck_) return false;
  std::deque<Request>& from = to_drain_ > 0 ? writes_ : reads_;
  for (auto at = from.begin(); at != from.end(); ++at) {
    std::vector<Request>& to = queue_of(at->location.bank);
    if (to.size() >= bank_entries_) continue;
    if (at->write) {
      if (is_pending(*at, false)) {
        to_drain_ = 0;  // Reads of what it would overwrite go first: from the next clock on.
        return true;
      }
      --to_drain_;
    }
    to.push_back(*at);
    from.erase(at);
    ++waiting_;
    return true;
  }
  stuck_ = true;
  return false;
}

}  // namespace hadal::memory

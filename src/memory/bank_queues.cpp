#include "memory/bank_queues.h"

#include <algorithm>
#include <utility>

namespace hadal::memory {

using enum Command;

BankQueues::BankQueues(const Device& device)
    : times_(device),
      read_latency_(device.read_latency()),
      refresh_interval_(device.ticks_of("tREFI")),
      auto_precharge_(device.controller.row_policy == "closed"),
      bank_entries_(static_cast<size_t>(device.controller.bank_queue)),
      drain_above_(static_cast<size_t>(device.controller.drain_above)),
      hit_limit_(device.controller.hit_limit),
      reads_(static_cast<size_t>(device.controller.queue), times_.banks()),
      writes_(static_cast<size_t>(device.controller.queue), times_.banks()),
      queues_(static_cast<size_t>(times_.banks())),
      quiet_until_(static_cast<size_t>(times_.banks())),
      hits_(static_cast<size_t>(times_.banks())) {
  if (device.controller.refresh != "none") next_ = refresh_at_ = refresh_interval_;
}

bool BankQueues::is_idle() const { return all_empty() && reads_.size() == 0 && writes_.size() == 0; }

void BankQueues::rest(Tick until) {
  if (refresh_at_ == never || !is_idle() || due_refreshes_ > 0 || times_.open_banks() > 0) return;
  const Tick whole = (until - refresh_at_) / refresh_interval_ - 1;
  if (whole > 0) next_ = refresh_at_ += whole * refresh_interval_;
}

/// Whether a read, or a write, of the same address has been accepted and not issued.
bool BankQueues::is_pending(const Request& request, bool write) {
  if ((write ? pending_writes_ : pending_reads_).of(request.address) == 0) return false;
  if ((write ? writes_ : reads_).holds(request)) return true;
  const std::vector<Request>& queue = queue_of(request.location.bank);
  return std::any_of(queue.begin(), queue.end(),
                     [&](const Request& r) { return r.address == request.address && r.write == write; });
}

bool BankQueues::push(const Request& request, Tick at) {
  RequestQueue& queue = request.write ? writes_ : reads_;
  if (queue.full()) return false;
  const bool is_written = is_pending(request, true);
  // Writes are taken over at once; what is read while its write is pending comes from there.
  if (request.write || is_written) completions.push_back({request.tag, request.write, at + 1, at + 2});
  if (is_written) return true;
  if (!request.write && is_pending(request, false)) {
    merged_.push_back(request);
    return true;
  }
  ++(request.write ? pending_writes_ : pending_reads_).of(request.address);
  queue.add(request, at);
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
  if (all_quiet_until_ > now) {
    wake_ = std::min(wake_, all_quiet_until_);
    return choice;
  }
  Tick earliest = never;
  for (int i = 0; i < times_.banks(); ++i) {
    last_bank_ = last_bank_ + 1 == times_.banks() ? 0 : last_bank_ + 1;
    if (queue_of(last_bank_).empty()) continue;
    if (choose_in(last_bank_, now, choice)) return choice;
    earliest = std::min(earliest, quiet_until_[static_cast<size_t>(last_bank_)]);
  }
  all_quiet_until_ = earliest;
  wake_ = std::min(wake_, earliest);
  return choice;
}

bool BankQueues::choose_in(int bank, Tick now, Choice& choice) {
  Tick& quiet = quiet_until_[static_cast<size_t>(bank)];
  if (quiet <= now) {
    const Tick others = std::exchange(wake_, never);
    choice = look_in(bank, now);
    quiet = choice.bank < 0 ? wake_ : now;
    wake_ = others;
  }
  return choice.bank >= 0;
}

/// The first command of a bank's queue that may begin.
BankQueues::Choice BankQueues::look_in(int bank, Tick now) {
  const std::vector<Request>& queue = queue_of(bank);
  const int32_t open = times_.open_row(bank);
  if (open < 0) return is_ready(act, bank, now) ? Choice{act, bank, 0} : Choice{};
  if (queue.front().location.row != open && may_close(bank) && is_ready(pre, bank, now)) return {pre, bank, 0};
  std::array<bool, 2> waits{};  // Reads, and writes: what holds for one hit holds for all of its kind.
  for (size_t i = 0; i < queue.size(); ++i) {
    const Request& request = queue[i];
    if (request.location.row != open || waits[request.write]) continue;
    const Command command = request.write ? (auto_precharge_ ? wra : wr) : (auto_precharge_ ? rda : rd);
    if (!is_ready(command, bank, now)) {
      waits[request.write] = true;
      if (request.write ? waiting_writes_ == waiting_ : waiting_writes_ == 0) break;  // All others are of its kind.
      continue;
    }
    const bool is_read_before =
        request.write && std::any_of(queue.begin(), queue.begin() + static_cast<ptrdiff_t>(i),
                                     [&](const Request& r) { return !r.write && r.address == request.address; });
    if (!is_read_before) return {command, bank, i};
  }
  return {};
}

bool BankQueues::may_close(int bank) const {
  if (hits_[static_cast<size_t>(bank)] >= hit_limit_) return true;
  const std::vector<Request>& queue = queues_[static_cast<size_t>(bank)];
  return std::none_of(queue.begin(), queue.end(),
                      [&](const Request& r) { return r.location.row == times_.open_row(bank); });
}

void BankQueues::issue(const Choice& choice, Tick now) {
  const auto b = static_cast<size_t>(choice.bank);
  quiet_until_[b] = all_quiet_until_ = 0;
  if (!is_column(choice.command)) {
    times_.issue(choice.command, choice.bank, now, choice.command == act ? queues_[b].front().location.row : -1);
    if (choice.command == pre) hits_[b] = 0;
    if (choice.command == ref) --due_refreshes_;
    return;
  }
  times_.issue(choice.command, choice.bank, now);
  hits_[b] = auto_precharge_ ? 0 : hits_[b] + 1;
  const auto at = queues_[b].begin() + static_cast<ptrdiff_t>(choice.entry);
  --(at->write ? pending_writes_ : pending_reads_).of(at->address);
  if (!at->write) finish_read(*at, now);
  if (at->write) --waiting_writes_;
  queues_[b].erase(at);
  --waiting_;
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
  if (to_drain_ == 0 && (writes_.full() || (writes_.size() > drain_above_ && all_empty()))) to_drain_ = writes_.size();
  RequestQueue& from = to_drain_ > 0 ? writes_ : reads_;
  int32_t best = -1;
  for (const int bank : from.busy())
    if (queue_of(bank).size() < bank_entries_)
      if (const int32_t oldest = from.oldest(bank); best < 0 || from[oldest].order < from[best].order) best = oldest;
  if (best < 0) return false;
  const Request& request = from[best].request;
  if (request.write) {
    if (is_pending(request, false)) {
      to_drain_ = 0;  // Reads of what it would overwrite go first: from the next clock on.
      return true;
    }
    --to_drain_;
  }
  add_to_bank(request);
  from.remove(best);
  return true;
}

void BankQueues::add_to_bank(const Request& request) {
  const int bank = request.location.bank;
  const int32_t open = times_.open_row(bank);
  std::vector<Request>& queue = queue_of(bank);
  // What the bank could not do before it cannot do now, but for this request.
  Tick ready = never;
  if (open == request.location.row)
    ready = times_.ready(request.write ? (auto_precharge_ ? wra : wr) : (auto_precharge_ ? rda : rd), bank);
  else if (queue.empty())
    ready = times_.ready(open < 0 ? act : pre, bank);
  Tick& quiet = quiet_until_[static_cast<size_t>(bank)];
  quiet = queue.empty() ? ready : std::min(quiet, ready);
  all_quiet_until_ = std::min(all_quiet_until_, quiet);
  queue.push_back(request);
  ++waiting_;
  if (request.write) ++waiting_writes_;
}

}  // namespace hadal::memory

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

BankQueues::Entry* BankQueues::pending(uint64_t address, bool write, int bank) {
  if ((write ? pending_writes_ : pending_reads_).of(address) == 0) return nullptr;
  const auto same = [&](const Entry& e) { return e.request.address == address && e.request.write == write; };
  for (std::vector<Entry>* queue : {write ? &writes_ : &reads_, &queue_of(bank)}) {
    const auto found = std::find_if(queue->begin(), queue->end(), same);
    if (found != queue->end()) return &*found;
  }
  return nullptr;
}

bool BankQueues::push(const Request& request, Tick at) {
  std::vector<Entry>& queue = request.write ? writes_ : reads_;
  if (queue.size() >= entries_) return false;
  const bool write_pending = pending(request.address, true, request.location.bank) != nullptr;
  // Writes are taken over at once; what is read while its write is pending comes from there.
  if (request.write || write_pending) completions.push_back({request.tag, request.write, at + 1, at + 2});
  if (write_pending) return true;
  if (!request.write)
    if (Entry* same = pending(request.address, false, request.location.bank)) {
      same->merged.push_back(request.tag);
      return true;
    }
  ++(request.write ? pending_writes_ : pending_reads_).of(request.address);
  queue.push_back({request, {}});
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
  const std::vector<Entry>& queue = queue_of(bank);
  const int32_t open = times_.open_row(bank);
  if (open < 0) {
    if (!is_ready(act, bank, now)) return false;
    choice = {act, bank, 0};
    return true;
  }
  for (size_t i = 0; i < queue.size(); ++i) {
    const Request& request = queue[i].request;
    if (request.location.row != open) {
      if (i > 0 || !may_close(bank) || !is_ready(pre, bank, now)) continue;
      choice = {pre, bank, 0};
      return true;
    }
    const Command command = request.write ? (auto_precharge_ ? wra : wr) : (auto_precharge_ ? rda : rd);
    if (!is_ready(command, bank, now)) continue;
    const bool reads_before = request.write && std::any_of(queue.begin(), queue.begin() + static_cast<ptrdiff_t>(i),
                                                           [&](const Entry& e) {
                                                             return !e.request.write &&
                                                                    e.request.address == request.address;
                                                           });
    if (reads_before) continue;
    choice = {command, bank, i};
    return true;
  }
  return false;
}

bool BankQueues::may_close(int bank) const {
  if (hits_[static_cast<size_t>(bank)] >= hit_limit_) return true;
  const std::vector<Entry>& queue = queues_[static_cast<size_t>(bank)];
  return std::none_of(queue.begin(), queue.end(),
                      [&](const Entry& e) { return e.request.location.row == times_.open_row(bank); });
}

void BankQueues::issue(const Choice& choice, Tick now) {
  const auto b = static_cast<size_t>(choice.bank);
  if (!is_column(choice.command)) {
    times_.issue(choice.command, choice.bank, now,
                 choice.command == act ? queues_[b].front().request.location.row : -1);
    if (choice.command == pre) hits_[b] = 0;
    if (choice.command == ref) --due_refreshes_;
    return;
  }
  times_.issue(choice.command, choice.bank, now);
  hits_[b] = auto_precharge_ ? 0 : hits_[b] + 1;
  const auto at = queues_[b].begin() + static_cast<ptrdiff_t>(choice.entry);
  const Request& request = at->request;
  --(request.write ? pending_writes_ : pending_reads_).of(request.address);
  if (!request.write) {
    const Tick done = now + read_latency_;
    completions.push_back({request.tag, false, done, done + 1});
    for (const int64_t tag : at->merged) completions.push_back({tag, false, done, done + 1});
  }
  queues_[b].erase(at);
  --waiting_;
}

/// One request a clock goes on to its bank: the oldest whose bank has room.
bool BankQueues::move_one() {
  if (to_drain_ == 0 && (writes_.size() >= entries_ || (writes_.size() > drain_above_ && all_empty())))
    to_drain_ = writes_.size();
  std::vector<Entry>& from = to_drain_ > 0 ? writes_ : reads_;
  for (auto at = from.begin(); at != from.end(); ++at) {
    const Request& request = at->request;
    std::vector<Entry>& to = queue_of(request.location.bank);
    if (to.size() >= bank_entries_) continue;
    if (request.write) {
      if (pending(request.address, false, request.location.bank)) {
        to_drain_ = 0;  // Reads of what it would overwrite go first: from the next clock on.
        return true;
      }
      --to_drain_;
    }
    to.push_back(std::move(*at));
    from.erase(at);
    ++waiting_;
    return true;
  }
  return false;
}

}  // namespace hadal::memory

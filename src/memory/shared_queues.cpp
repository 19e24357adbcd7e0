#include "memory/shared_queues.h"

#include <algorithm>

namespace hadal::memory {

using enum Command;

SharedQueues::SharedQueues(const Device& device)
    : times_(device),
      ticks_(device.ticks),
      read_latency_(device.read_latency()),
      pairing_(device.pairing),
      one_bus_(device.buses == 1),
      keep_hits_(device.controller.scheduler == "FRFCFSRowHit"),
      per_bank_refresh_(device.controller.refresh == "per-bank"),
      cap_(device.controller.cap()),
      high_(static_cast<float>(device.controller.write_high) * static_cast<float>(device.controller.queue)),
      low_(static_cast<float>(device.controller.write_low) * static_cast<float>(device.controller.queue)),
      reads_(static_cast<size_t>(device.controller.queue), times_.banks()),
      writes_(static_cast<size_t>(device.controller.queue), times_.banks()),
      active_of_bank_(static_cast<size_t>(times_.banks())),
      active_of_pseudo_channel_(static_cast<size_t>(device.organization.pseudo_channels)),
      accesses_(static_cast<size_t>(times_.banks())),
      close_queued_(static_cast<size_t>(times_.banks())) {
  refresh_interval_ = device.ticks_of(per_bank_refresh_ ? "tREFISB" : "tREFI");
  if (device.controller.refresh != "none") refresh_at_ = refresh_interval_;
  next_ = refresh_at_ == never ? never : refresh_at_ - 1;
  for (size_t c = 0; c < command_count; ++c)
    if (fmt::format(" {} ", device.half_clock_commands).find(fmt::format(" {} ", command_names[c])) !=
        std::string::npos)
      half_clock_ |= 1U << c;
}

bool SharedQueues::is_idle() const { return reads_.size() == 0 && writes_.size() == 0 && active_.empty(); }

bool SharedQueues::push(const Request& request, Tick at) {
  // A write that is still queued answers reads of its address, and takes over writes to it.
  if (writes_.size() > 0 && writes_.holds(request)) {
    if (request.write) {
      completions.push_back({request.tag, true, at, at});
    } else {
      last_return_ = std::max(last_return_, at + 1);
      completions.push_back({request.tag, false, last_return_, last_return_});
    }
    return true;
  }
  RequestQueue& into = queue(request.write);
  if (into.full()) return false;
  into.add(request, at);
  next_ = std::min(next_, at);
  return true;
}

// A tick's number counts the clocks that have passed; the clock it begins is one more.
void SharedQueues::run(Tick at) {
  const Tick now = at + 1;
  wake_ = wake_on_clock_ = never;
  on_clock_ = is_clock(now);
  if (!on_clock_ && maintenance_.empty() && now != refresh_at_ && cap_ == 0 && !has_misses()) {
    choose_mode();
    next_ = at + 1;  // Between clocks rows may close, but none needs to.
    return;
  }
  queue_refreshes(now);
  if (cap_ > 0) queue_closes(now);
  const bool column = on_clock_ && column_slot(now);
  if (!on_clock_ && !is_idle()) wake_on_clock_ = now + 1;
  const bool row = !(one_bus_ && column) && row_slot(now);
  if (wake_on_clock_ != never)
    while (!is_clock(wake_on_clock_)) ++wake_on_clock_;
  next_ = (column || row ? now + 1 : std::min({wake_, wake_on_clock_, refresh_at_})) - 1;
}

bool SharedQueues::is_ready(Command command, int bank, Tick now) {
  const Tick ready = times_.ready(command, bank);
  const bool clocked = !may_begin_half_clock(command);
  if (ready <= now && (on_clock_ || !clocked) && !is_paired_off(command, bank, now)) return true;
  Tick& wake = clocked ? wake_on_clock_ : wake_;
  wake = std::min(wake, std::max(ready, now + 1));
  return false;
}

bool SharedQueues::is_paired_off(Command command, int bank, Tick now) const {
  if (!pairing_ || now != pair_.tick || (command != pre && command != prea)) return false;
  if (times_.pseudo_channel_of(bank) != times_.pseudo_channel_of(pair_.bank)) return false;
  return pair_.all_banks || command == prea || bank == pair_.bank;
}

void SharedQueues::issue(Command command, int bank, Tick now, int32_t row) {
  times_.issue(command, bank, now, row);
  if (pairing_ && !is_column(command) && on_clock_)
    pair_ = {now + (command == act ? 3 : 1), bank, command == prea || command == ref};
  if (command == act || command == pre || command == rda || command == wra) row_changed(bank);
  if (command == prea) {
    const int first = times_.first_bank_of(times_.pseudo_channel_of(bank));
    for (int b = first; b < first + times_.banks_of_pseudo_channel(); ++b) row_changed(b);
  }
  if ((command == rd || command == wr) && cap_ > 0) ++accesses_[static_cast<size_t>(bank)];
}

void SharedQueues::row_changed(int bank) {
  const int32_t open = times_.open_row(bank);
  reads_.row_changed(bank, open);
  writes_.row_changed(bank, open);
  if (open >= 0) return;
  accesses_[static_cast<size_t>(bank)] = 0;
  close_queued_[static_cast<size_t>(bank)] = false;
}

// Refresh and the row policy ---------------------------------------------------------------------------------------

void SharedQueues::rest(Tick until) {
  if (refresh_at_ == never || !is_idle() || !maintenance_.empty() || times_.open_banks() > 0) return;
  const Tick whole = (until - refresh_at_) / refresh_interval_ - 1;
  if (whole <= 0) return;
  refresh_at_ += whole * refresh_interval_;
  if (per_bank_refresh_) refresh_bank_ = static_cast<int>((refresh_bank_ + whole) % times_.banks_of_pseudo_channel());
  next_ = refresh_at_ - 1;
}

void SharedQueues::queue_refreshes(Tick now) {
  if (now != refresh_at_) return;
  refresh_at_ += refresh_interval_;
  if (per_bank_refresh_) {
    // The same bank of every pseudo-channel, one after another.
    for (int bank = refresh_bank_; bank < times_.banks(); bank += times_.banks_of_pseudo_channel())
      maintenance_.push_back({refb, bank});
    refresh_bank_ = (refresh_bank_ + 1) % times_.banks_of_pseudo_channel();
    return;
  }
  for (int bank = 0; bank < times_.banks(); bank += times_.banks_of_pseudo_channel())
    maintenance_.push_back({ref, bank});
}

void SharedQueues::queue_closes(Tick now) {
  for (int bank = 0; bank < times_.banks(); ++bank) {
    const auto b = static_cast<size_t>(bank);
    if (accesses_[b] < cap_ || close_queued_[b]) continue;
    const Tick ready = times_.ready(pre, bank);
    if (ready <= now) {
      maintenance_.push_back({pre, bank});
      close_queued_[b] = true;
    } else {
      wake_ = std::min(wake_, ready);
    }
  }
}

bool SharedQueues::row_of_maintenance(Tick now) {
  const Maintenance head = maintenance_.front();
  const int pseudo_channel = times_.pseudo_channel_of(head.bank);
  Command command = head.command;
  if (command == ref && times_.open_banks_of(pseudo_channel) > 0) command = prea;
  if (command == refb && times_.open_row(head.bank) >= 0) command = pre;
  // A row is not closed under a request that has opened it.
  if (command == prea && active_of_pseudo_channel_[static_cast<size_t>(pseudo_channel)] > 0) return false;
  if (command == pre && active_of_bank_[static_cast<size_t>(head.bank)] > 0) return false;
  if (!is_ready(command, head.bank, now)) return false;
  issue(command, head.bank, now);
  if (command == head.command) maintenance_.pop_front();
  return true;
}

// Column commands --------------------------------------------------------------------------------------------------

bool SharedQueues::column_slot(Tick now) {
  if (column_of_active(now)) return true;
  if (!maintenance_.empty()) return false;
  return column_of_queue(now);
}

bool SharedQueues::column_of_active(Tick now) {
  size_t best = active_.size();
  for (size_t i = 0; i < active_.size(); ++i) {
    const Request& request = active_[i].request;
    if (times_.open_row(request.location.bank) != request.location.row) continue;
    if (!is_ready(request.write ? wr : rd, request.location.bank, now)) continue;
    if (best == active_.size() || active_[i].arrived < active_[best].arrived) best = i;
  }
  if (best == active_.size()) return false;
  const Active entry = active_[best];
  active_.erase(active_.begin() + static_cast<ptrdiff_t>(best));
  --active_of_bank_[static_cast<size_t>(entry.request.location.bank)];
  --active_of_pseudo_channel_[static_cast<size_t>(times_.pseudo_channel_of(entry.request.location.bank))];
  finish_column(entry, now);
  return true;
}

bool SharedQueues::column_of_queue(Tick now) {
  choose_mode();
  RequestQueue& from = queue(write_mode_);
  const Command command = write_mode_ ? wr : rd;
  if (const Tick earliest = times_.earliest(command); earliest > now) {
    if (from.size() > 0) wake_on_clock_ = std::min(wake_on_clock_, earliest);
    return false;
  }
  int32_t best = -1;
  Tick wake = never;
  // A bank's other hits are no sooner than its oldest.
  for (int32_t e = from.oldest(); e >= 0 && best < 0; e = from[e].newer) {
    const int bank = from[e].request.location.bank;
    if (from.hit(bank) != e) continue;
    const Tick ready = times_.ready(command, bank);
    if (ready <= now) best = e;
    wake = std::min(wake, ready);
  }
  if (best < 0) {
    wake_on_clock_ = std::min(wake_on_clock_, wake);
    return false;
  }
  const Active entry = from[best];
  from.remove(best);
  finish_column(entry, now);
  return true;
}

void SharedQueues::finish_column(const Active& entry, Tick now) {
  const Request& request = entry.request;
  const int bank = request.location.bank;
  Command command = request.write ? wr : rd;
  if (cap_ > 0 && accesses_[static_cast<size_t>(bank)] >= cap_) {
    const Command closing = request.write ? wra : rda;
    if (times_.ready(closing, bank) <= now) command = closing;
  }
  issue(command, bank, now);
  Tick done = now;
  if (!request.write) done = last_return_ = std::max(last_return_, now + read_latency_);
  completions.push_back({request.tag, request.write, done, done});
}

/// Reads or writes: the mode changes where the fill of the write queue says so, or one queue has nothing.
void SharedQueues::choose_mode() {
  const auto writes = static_cast<float>(writes_.size());
  if (!write_mode_)
    write_mode_ = writes > high_ || reads_.size() == 0;
  else if (writes < low_ && reads_.size() != 0)
    write_mode_ = false;
}

// Row commands -----------------------------------------------------------------------------------------------------

bool SharedQueues::row_slot(Tick now) { return maintenance_.empty() ? row_of_queue(now) : row_of_maintenance(now); }

SharedQueues::Choice SharedQueues::best_row_command(const RequestQueue& from, Tick now) {
  Choice best;
  for (const int bank : from.busy()) {
    const int32_t miss = from.miss(bank);
    if (miss < 0 || from[miss].order > best.order) continue;
    Command command = act;
    if (times_.open_row(bank) >= 0) {
      command = pre;
      if (active_of_bank_[static_cast<size_t>(bank)] > 0) continue;
      const int32_t hit = from.hit(bank);
      if (keep_hits_ && hit >= 0 && from[hit].arrived <= from[miss].arrived) continue;
    }
    if (is_ready(command, bank, now)) best = {miss, from[miss].order, command};
  }
  return best;
}

bool SharedQueues::row_of_queue(Tick now) {
  choose_mode();
  RequestQueue& from = queue(write_mode_);
  if (!from.has_misses()) return false;
  const Choice best = best_row_command(from, now);
  if (best.entry < 0) return false;
  const Active entry = from[best.entry];
  const int bank = entry.request.location.bank;
  if (best.command == act) {
    from.remove(best.entry);
    active_.push_back(entry);
    ++active_of_bank_[static_cast<size_t>(bank)];
    ++active_of_pseudo_channel_[static_cast<size_t>(times_.pseudo_channel_of(bank))];
  }
  issue(best.command, bank, now, entry.request.location.row);
  return true;
}

}  // namespace hadal::memory

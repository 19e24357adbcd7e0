#include "memory/rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

namespace hadal::memory {

RowTimes RowTimes::of(const Device& device, double unit) {
  const auto ticks = [&](std::string_view parameter) { return static_cast<double>(device.ticks_of(parameter)); };
  const auto time = [&](double duration) { return std::llround(duration * unit); };
  const double burst = std::max(ticks("tBL"), ticks("tCCDS"));
  const double read = ticks("tCL") + ticks("tBL"), write = ticks("tCWL") + ticks("tBL");
  const double to_write = ticks("tRTW") > 0 ? ticks("tRTW") : read + ticks("tRTRS") - ticks("tCWL");
  return {.burst = time(burst),
          .group_burst = time(std::max(burst, ticks("tCCDL"))),
          .activate = time(std::max(ticks("tRRDS"), ticks("tFAW") / 4)),
          .row_to_read = time(ticks("tRCDRD")),
          .row_to_write = time(ticks("tRCDWR")),
          .precharge = time(ticks("tRP")),
          .row_open = time(ticks("tRAS")),
          .row_cycle = time(ticks("tRC")),
          .read_to_precharge = time(ticks("tRTP")),
          .write_to_precharge = time(write + ticks("tWR")),
          .read_latency = time(read),
          .turnaround = time(to_write - burst + write + ticks("tWTRS") - burst),
          .refresh_interval = std::max<int64_t>(1, time(ticks("tREFI"))),
          .refresh = time(ticks("tRFC"))};
}

Layout Layout::of(const Device& device, int64_t granule) {
  const RowTimes times = RowTimes::of(device, 1);
  Layout layout{.granule = granule};
  while (layout.groups < most_groups && layout.groups * times.burst < times.group_burst &&
         device.organization.bank_groups % (2 * layout.groups) == 0)
    layout.groups *= 2;
  return layout;
}

std::string Layout::mapping(bool turned) const {
  const auto low_bits = [](std::string_view field, int64_t size) {
    return size > 1 ? fmt::format("{}:{} ", field, std::bit_width(static_cast<uint64_t>(size)) - 1) : "";
  };
  return low_bits("column", granule) + "channel pseudo_channel " + (turned ? "turn " : "") +
         low_bits("bank_group", groups) + "column bank_group bank^row row";
}

RowModel::RowModel(const Device& device, const RowTimes& times, int64_t channels, const Layout& layout)
    : times_(times),
      groups_(device.organization.bank_groups),
      granule_(std::min(layout.granule, device.organization.columns())),
      alternating_(layout.groups),
      stripe_(device.organization.columns() * layout.groups),
      stripes_(device.organization.bank_groups / layout.groups),
      banks_(device.organization.banks),
      queue_part_(std::max<int64_t>(1, device.controller.queue / queue_parts)),
      queue_(device.controller.queue),
      drained_(std::max<int64_t>(1, std::llround((device.controller.write_high - device.controller.write_low) *
                                                 static_cast<double>(device.controller.queue)))),
      channels_(static_cast<size_t>(channels)) {
  for (Channel& channel : channels_) {
    channel.banks.resize(static_cast<size_t>(banks_.value() * groups_));
    channel.groups.resize(static_cast<size_t>(groups_));
    channel.next_refresh = times_.refresh_interval;
  }
}

RowModel::Service RowModel::serve(size_t number, int64_t first, int64_t bursts, bool write, int64_t at) {
  Channel& channel = channels_[number];
  Service service{at, write ? at : INT64_MAX, at};
  for (int64_t from = first; from < first + bursts;) {
    const Run run = run_of(from, first + bursts);
    if (write)
      this->write(channel, run, service);
    else
      read(channel, run, service);
    from += run.bursts;
  }
  return service;
}

/// What lies in one stripe, and of it no more than a part of the queue.
RowModel::Run RowModel::run_of(int64_t first, int64_t end) const {
  const int64_t stripe = stripe_.quotient(first), over = stripes_.quotient(stripe);
  const int64_t row = banks_.quotient(over), bank = banks_.remainder(over ^ row);
  const int64_t group = stripes_.remainder(stripe) * alternating_.value();
  const int64_t part = (queue_part_.quotient(first) + 1) * queue_part_.value();
  const int64_t until = std::min({end, (stripe + 1) * stripe_.value(), part});
  Run run{.row = row, .bursts = until - first};
  int64_t granule = granule_.quotient(first), number = 0;
  for (int64_t at = first; at < until; ++granule, ++number) {
    const int64_t bursts = std::min(until, (granule + 1) * granule_.value()) - at;
    if (number < alternating_.value()) {
      const int64_t in = group + alternating_.remainder(granule);
      run.parts[run.count++] = {static_cast<uint32_t>(bank * groups_ + in), static_cast<uint32_t>(in),
                                static_cast<int32_t>(at - first), static_cast<int32_t>(bursts)};
    } else {
      run.parts[static_cast<size_t>(alternating_.remainder(number))].bursts += static_cast<int32_t>(bursts);
    }
    at += bursts;
  }
  return run;
}

/// When all rows are open, each for its first burst, for what came at `at`.
int64_t RowModel::open(Channel& channel, const Run& run, bool write, int64_t at) const {
  int64_t ready = at;
  for (const Part& part : run.groups())
    ready =
        std::max(ready, open_bank(channel, channel.banks[part.bank], run.row, write, at) - part.before * times_.burst);
  return ready;
}

/// When the row is open for what came at `at`.
int64_t RowModel::open_bank(Channel& channel, Bank& bank, int64_t row, bool write, int64_t at) const {
  if (bank.row == row) return bank.columns_from;
  if (bank.last_row == row && at < bank.closed) return bank.last_columns_from;
  int64_t closed = 0;
  if (bank.row >= 0) {
    closed = std::max(at, bank.close_from);
    bank.open_from = std::max(bank.open_from, closed + times_.precharge);
  }
  const int64_t activation =
      channel.activations.free_from(std::max({at, bank.open_from, channel.rows_from}), times_.activate);
  channel.activations.take(activation, times_.activate);
  bank = {.row = row,
          .columns_from = activation + (write ? times_.row_to_write : times_.row_to_read),
          .close_from = activation + times_.row_open,
          .open_from = activation + times_.row_cycle,
          .last_row = bank.row,
          .last_columns_from = bank.columns_from,
          .closed = closed};
  return bank.columns_from;
}

/// When bus and bank groups are all free, from `at` on.
int64_t RowModel::gap(Channel& channel, const Run& run, int64_t at) const {
  int64_t start = at;
  for (int64_t bus = -1; bus != start;) {
    start = bus = channel.bus.free_from(start, run.bursts * times_.burst);
    for (const Part& part : run.groups()) {
      const int64_t before = part.before * times_.burst;
      start = channel.groups[part.group].free_from(start + before, part.bursts * times_.group_burst) - before;
    }
  }
  return start;
}

/// What is a queue's length behind enters as these leave.
void RowModel::leave(Channel& channel, int64_t bursts, int64_t at) const {
  const auto part = [&]() -> int64_t& {
    return channel.left[static_cast<size_t>(queue_part_.quotient(channel.reads)) % queue_parts];
  };
  while (bursts > 0) {
    const int64_t here = std::min(bursts, queue_part_.value() - queue_part_.remainder(channel.reads));
    part() += queue_part_.quotient(at) * here;
    channel.reads += here;
    bursts -= here;
    if (queue_part_.remainder(channel.reads) == 0) channel.enters_from = std::exchange(part(), 0);
  }
}

void RowModel::read(Channel& channel, const Run& run, Service& service) const {
  const int64_t entered = std::max(service.taken, channel.enters_from);
  refresh(channel, entered + 1);

  const int64_t length = run.bursts * times_.burst;
  const auto first = [&] { return gap(channel, run, open(channel, run, false, entered)); };
  int64_t start = first();
  if (refresh(channel, start + length)) start = first();  // It closed the row again.
  channel.bus.take(start, length);
  int64_t last = length - times_.burst;
  for (const Part& part : run.groups()) {
    const int64_t taken = part.bursts * times_.group_burst;
    channel.groups[part.group].take(start + part.before * times_.burst, taken);
    last = std::max(last, taken - times_.group_burst);
    int64_t& close_from = channel.banks[part.bank].close_from;
    close_from = std::max(close_from, start + last + times_.read_to_precharge);
  }
  channel.writing = false;
  leave(channel, run.bursts, start + last / 2);
  service.taken = entered;
  service.begin = std::min(service.begin, start + times_.read_latency);
  service.end = std::max(service.end, start + last + times_.read_latency);
}

/// A write is done when its queue has it; what the queue holds above its high mark is drained. One drain after another
/// turns the bus once.
void RowModel::write(Channel& channel, const Run& run, Service& service) const {
  const int64_t room = std::max<int64_t>(0, queue_ - channel.gathered - run.bursts);
  const int64_t entered =
      room >= drained_ ? service.taken : std::max(service.taken, channel.drained_until - room * times_.burst);
  refresh(channel, entered + 1);
  const int64_t ready = open(channel, run, true, entered);
  channel.gathered += run.bursts;
  channel.gathered_ready = std::max(channel.gathered_ready, ready);
  for (const Part& part : run.groups()) {
    int64_t& close_from = channel.banks[part.bank].close_from;
    close_from = std::max(close_from, ready + part.bursts * times_.group_burst + times_.write_to_precharge);
  }
  while (channel.gathered > drained_) {
    const int64_t length = drained_ * times_.burst + (channel.writing ? 0 : times_.turnaround);
    channel.gathered -= drained_;
    channel.writing = true;
    const int64_t start = channel.bus.free_from(std::max(entered, channel.gathered_ready), length);
    channel.bus.take(start, length);
    channel.drained_until = start + length;
  }
  service.taken = service.end = entered;
}

/// The refreshes that are due before `until`. Of those that found nothing to do, the last one alone counts.
bool RowModel::refresh(Channel& channel, int64_t until) const {
  if (channel.next_refresh >= until) return false;
  const auto refreshes = [&](int64_t time) { return (time - channel.next_refresh) / times_.refresh_interval; };
  const int64_t idle = refreshes(until - 1) - std::max<int64_t>(0, refreshes(channel.bus.busy_until()) + 1);
  if (idle > 0) channel.next_refresh += idle * times_.refresh_interval;
  for (; channel.next_refresh < until; channel.next_refresh += times_.refresh_interval) {
    const int64_t length = times_.precharge + times_.refresh;
    const int64_t start = channel.bus.free_from(channel.next_refresh, length);
    channel.bus.take(start, length);
    channel.rows_from = start + length;
    for (Bank& bank : channel.banks) bank.row = bank.last_row = -1;
  }
  return true;
}

}  // namespace hadal::memory

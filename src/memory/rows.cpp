#include "memory/rows.h"

#include <algorithm>
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

RowModel::RowModel(const Device& device, const RowTimes& times, int64_t channels)
    : times_(times),
      groups_(device.organization.bank_groups),
      columns_(device.organization.columns()),
      banks_(device.organization.banks),
      queue_part_(std::max<int64_t>(1, device.controller.queue / queue_parts)),
      queue_(device.controller.queue),
      drained_(std::max<int64_t>(1, std::llround((device.controller.write_high - device.controller.write_low) *
                                                 static_cast<double>(device.controller.queue)))),
      channels_(static_cast<size_t>(channels)) {
  for (Channel& channel : channels_) {
    channel.banks.resize(static_cast<size_t>(banks_.value() * groups_.value()));
    channel.groups.resize(static_cast<size_t>(groups_.value()));
    channel.next_refresh = times_.refresh_interval;
  }
}

RowModel::Service RowModel::serve(size_t number, int64_t first, int64_t bursts, bool write, int64_t at) {
  Channel& channel = channels_[number];
  Service service{at, write ? at : INT64_MAX, at};
  for (int64_t from = first; from < first + bursts;) {
    const Run run = run_of(channel, from, first + bursts);
    if (write)
      this->write(channel, run, service);
    else
      read(channel, run, service);
    from += run.bursts;
  }
  return service;
}

/// What lies in one row, and of it no more than the part of the queue that is watched at a time.
RowModel::Run RowModel::run_of(Channel& channel, int64_t first, int64_t end) const {
  const int64_t rows = columns_.quotient(first), group = groups_.remainder(rows), over = groups_.quotient(rows);
  const int64_t row = banks_.quotient(over), bank = banks_.remainder(over ^ row);
  const int64_t part = first + queue_part_.value() - queue_part_.remainder(channel.reads);
  return {channel.banks[static_cast<size_t>(bank * groups_.value() + group)],
          channel.groups[static_cast<size_t>(group)], row,
          std::min({end, (rows + 1) * columns_.value(), part}) - first};
}

/// When the row is open for what came at `at`.
int64_t RowModel::open(Channel& channel, const Run& run, bool write, int64_t at) const {
  Bank& bank = run.bank;
  if (bank.row == run.row) return bank.columns_from;
  if (bank.last_row == run.row && at < bank.closed) return bank.last_columns_from;
  int64_t closed = 0;
  if (bank.row >= 0) {
    closed = std::max(at, bank.close_from);
    bank.open_from = std::max(bank.open_from, closed + times_.precharge);
  }
  const int64_t activation =
      channel.activations.free_from(std::max({at, bank.open_from, channel.rows_from}), times_.activate);
  channel.activations.take(activation, times_.activate);
  bank = {.row = run.row,
          .columns_from = activation + (write ? times_.row_to_write : times_.row_to_read),
          .close_from = activation + times_.row_open,
          .open_from = activation + times_.row_cycle,
          .last_row = bank.row,
          .last_columns_from = bank.columns_from,
          .closed = closed};
  return bank.columns_from;
}

void RowModel::read(Channel& channel, const Run& run, Service& service) const {
  // It enters as those leave that are a queue's length ahead.
  int64_t& left = channel.left[static_cast<size_t>(queue_part_.quotient(channel.reads)) % queue_parts];
  if (queue_part_.remainder(channel.reads) == 0) channel.enters_from = std::exchange(left, 0);
  const int64_t entered = std::max(service.taken, channel.enters_from);
  refresh(channel, entered + 1);

  const int64_t length = run.bursts * times_.burst, last = (run.bursts - 1) * times_.group_burst;
  const int64_t group_length = last + times_.group_burst;
  const auto first = [&] {  // Bus and bank group are both free.
    int64_t start = std::max(entered, open(channel, run, false, entered));
    for (int64_t bus = -1; bus != start;) {
      bus = channel.bus.free_from(start, length);
      start = run.group.free_from(bus, group_length);
    }
    return start;
  };
  int64_t start = first();
  if (refresh(channel, start + length)) start = first();  // It closed the row again.
  channel.bus.take(start, length);
  run.group.take(start, group_length);
  channel.writing = false;
  channel.reads += run.bursts;
  left += queue_part_.quotient(start + last / 2) * run.bursts;
  run.bank.close_from = std::max(run.bank.close_from, start + last + times_.read_to_precharge);
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
  const int64_t ready = std::max(entered, open(channel, run, true, entered));
  channel.gathered += run.bursts;
  channel.gathered_ready = std::max(channel.gathered_ready, ready);
  run.bank.close_from =
      std::max(run.bank.close_from, ready + run.bursts * times_.group_burst + times_.write_to_precharge);
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

#include "memory/bank_times.h"

#include <algorithm>
#include <numeric>

namespace hadal::memory {

BankTimes::BankTimes(const Device& device)
    : banks_of_pseudo_channel_(static_cast<int>(device.organization.bank_groups * device.organization.banks)) {
  const Organization& o = device.organization;
  const auto pseudo_channels = static_cast<uint32_t>(o.pseudo_channels);
  const auto groups = static_cast<uint32_t>(o.pseudo_channels * o.bank_groups);
  const auto banks = static_cast<uint32_t>(o.banks_of_channel());
  first_node_ = {0, 1, 1 + pseudo_channels, 1 + pseudo_channels + groups};
  for (uint32_t bank = 0; bank < banks; ++bank)
    nodes_.push_back({0, first_node_[1] + bank / static_cast<uint32_t>(banks_of_pseudo_channel_),
                      first_node_[2] + bank / static_cast<uint32_t>(o.banks), first_node_[3] + bank});
  ready_.resize(first_node_[3] + banks);
  open_row_.assign(banks, -1);
  open_count_.assign(pseudo_channels, 0);

  for (const Constraint& constraint : device.constraints) {
    if (!device.uses(constraint.from) || !device.uses(constraint.to)) continue;
    const auto scope = static_cast<size_t>(constraint.scope);
    if (constraint.count > 1) {
      windows_.push_back({constraint.scope,
                          constraint.from,
                          constraint.to,
                          constraint.delay,
                          static_cast<size_t>(constraint.count),
                          {},
                          {}});
      windows_.back().begun.assign(ready_.size() * windows_.back().count, -1);
      windows_.back().next.assign(ready_.size(), 0);
      continue;
    }
    std::vector<Rule>& rules = rules_[scope][static_cast<size_t>(constraint.from)];
    const auto same = std::find_if(rules.begin(), rules.end(), [&](const Rule& r) { return r.to == constraint.to; });
    if (same == rules.end())
      rules.push_back({constraint.to, constraint.delay});
    else
      same->delay = std::max(same->delay, constraint.delay);
  }
}

int BankTimes::open_banks() const { return std::accumulate(open_count_.begin(), open_count_.end(), 0); }

void BankTimes::close(int bank) {
  int32_t& row = open_row_[static_cast<size_t>(bank)];
  if (row >= 0) --open_count_[static_cast<size_t>(pseudo_channel_of(bank))];
  row = -1;
}

void BankTimes::note(Window& window, uint32_t node, Tick at) {
  size_t& next = window.next[node];
  Tick* const begun = &window.begun[node * window.count];
  begun[next] = at;
  next = next + 1 == window.count ? 0 : next + 1;
  const Tick oldest = begun[next];
  Tick& ready = ready_[node][static_cast<size_t>(window.to)];
  if (oldest >= 0) ready = std::max(ready, oldest + window.delay);
}

void BankTimes::issue(Command command, int bank, Tick at, int32_t row) {
  const auto c = static_cast<size_t>(command);
  const bool all = command == Command::prea || command == Command::ref;
  const size_t scopes = all ? 2 : scope_count;
  for (size_t scope = 0; scope < scopes; ++scope) {
    auto& ready = ready_[nodes_[static_cast<size_t>(bank)][scope]];
    for (const Rule& rule : rules_[scope][c]) {
      Tick& tick = ready[static_cast<size_t>(rule.to)];
      tick = std::max(tick, at + rule.delay);
    }
  }
  for (Window& window : windows_)
    if (window.from == command) note(window, nodes_[static_cast<size_t>(bank)][static_cast<size_t>(window.scope)], at);

  if (command == Command::act) {
    open_row_[static_cast<size_t>(bank)] = row;
    ++open_count_[static_cast<size_t>(pseudo_channel_of(bank))];
  } else if (command == Command::pre || command == Command::rda || command == Command::wra) {
    close(bank);
  } else if (command == Command::prea) {
    const int first = first_bank_of(pseudo_channel_of(bank));
    for (int b = first; b < first + banks_of_pseudo_channel_; ++b) close(b);
  }
}

}  // namespace hadal::memory

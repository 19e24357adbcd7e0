#include "memory/device.h"

#include <charconv>

#include "memory/mapping.h"

namespace hadal::memory {

int64_t Controller::cap() const {
  constexpr std::string_view prefix = "closedcap";
  if (!std::string_view(row_policy).starts_with(prefix)) return 0;
  int64_t value = 0;
  std::from_chars(row_policy.data() + prefix.size(), row_policy.data() + row_policy.size(), value);
  return value;
}

Tick Device::ticks_of(std::string_view parameter) const {
  const auto found = timing.find(parameter);
  return found == timing.end() ? 0 : found->second * ticks;
}

bool Device::uses(Command command) const {
  if (command == Command::rda || command == Command::wra) return controller.row_policy != "open";
  if (command == Command::ref || command == Command::prea) return controller.refresh == "all-bank";
  return command != Command::refb || controller.refresh == "per-bank";
}

double Device::peak_bytes_per_tick() const {
  const int64_t bytes = organization.channels * organization.pseudo_channels * organization.burst_bytes;
  return static_cast<double>(bytes) / static_cast<double>(ticks_of("tBL"));
}

namespace {

Error together(std::string field, std::string message, std::string remedy) {
  return {"memory.together", std::move(message), std::move(field), std::move(remedy)};
}

Status check_organization(const Organization& organization) {
  if (organization.row_bytes % organization.burst_bytes != 0)
    return together(
        "organization.row_bytes",
        fmt::format("a row of {} B splits a burst of {} B", organization.row_bytes, organization.burst_bytes),
        "a multiple of organization.burst_bytes");
  if (organization.banks_of_channel() > 1024)
    return together("organization.banks", fmt::format("{} banks a channel", organization.banks_of_channel()),
                    "pseudo-channels x groups x banks are at most 1024");
  return {};
}

/// `first` must not be below `second`.
Status check_order(const Device& device, std::string_view first, std::string_view second) {
  if (device.ticks_of(first) >= device.ticks_of(second)) return {};
  return together(fmt::format("timing.{}", first),
                  fmt::format("{} is {} clocks, but {} is {}", first, device.timing.find(first)->second, second,
                              device.timing.find(second)->second),
                  fmt::format("{} is at least {}", first, second));
}

Status check_timing(const Device& device) {
  HADAL_CHECK(check_order(device, "tRAS", "tRCDRD"));
  HADAL_CHECK(check_order(device, "tRC", "tRAS"));
  HADAL_CHECK(check_order(device, "tCCDL", "tCCDS"));
  HADAL_CHECK(check_order(device, "tRRDL", "tRRDS"));
  HADAL_CHECK(check_order(device, "tWTRL", "tWTRS"));
  HADAL_CHECK(check_order(device, "tREFI", "tRFC"));
  for (const char* name : {"tBL", "tCL", "tREFI"})
    if (device.ticks_of(name) == 0)
      return together(fmt::format("timing.{}", name), fmt::format("{} is 0", name), "at least one clock");
  return {};
}

/// Every pair without which the data sheet's timing is not kept at all.
Status check_constraints(const Device& device) {
  using enum Command;
  std::vector<std::pair<Command, Command>> pairs{{act, rd}, {act, wr}, {act, pre}, {act, act}, {pre, act}, {rd, pre},
                                                 {wr, pre}, {rd, rd},  {wr, wr},   {rd, wr},   {wr, rd}};
  if (device.controller.refresh == "all-bank") pairs.insert(pairs.end(), {{ref, act}, {pre, ref}});
  if (device.controller.refresh == "per-bank") pairs.insert(pairs.end(), {{refb, act}, {pre, refb}});
  if (device.controller.row_policy != "open") pairs.insert(pairs.end(), {{rda, act}, {wra, act}});
  for (const auto& [from, to] : pairs) {
    bool found = false;
    for (const Constraint& constraint : device.constraints)
      found |= constraint.from == from && constraint.to == to && constraint.text != "command bus";
    if (!found) {
      const auto text = fmt::format("{} -> {}", command_names[size_t(from)], command_names[size_t(to)]);
      return Error{"memory.missing", fmt::format("no constraint says \"{}\"", text), "constraints",
                   "give it under [constraints.bank] or wider"};
    }
  }
  return {};
}

Status check_controller(const Device& device) {
  const Controller& controller = device.controller;
  const bool per_bank = controller.scheduler == "FRFCFS-perbank";
  const bool known =
      controller.row_policy == "open" || (per_bank ? controller.row_policy == "closed" : controller.cap() > 0);
  if (!known)
    return Error{"memory.type",
                 fmt::format("no row policy \"{}\" of {}", printable(controller.row_policy), controller.scheduler),
                 "controller.row_policy", per_bank ? "open or closed" : "open, or closedcapN with N at least 1"};
  if (controller.write_low > controller.write_high)
    return together("controller.write_low", "writes end above where they begin", "at most write_high");
  if (controller.refresh == "per-bank" &&
      (per_bank || device.ticks_of("tREFISB") == 0 || device.ticks_of("tRFCSB") == 0))
    return together("controller.refresh", "refresh of single banks needs tREFISB and tRFCSB, and a shared queue",
                    "give them in [timing], or all-bank");
  const auto mapping = device.mappings.find(controller.mapping);
  if (mapping == device.mappings.end())
    return Error{"memory.mapping", fmt::format("there is no mapping \"{}\"", printable(controller.mapping)),
                 "controller.mapping", "one of the names in [mapping]"};
  if (auto made = Mapping::make(mapping->second, device.organization); !made)
    return std::move(made).error().at("mapping." + controller.mapping);
  return {};
}

}  // namespace

Status check_device(const Device& device) {
  HADAL_CHECK(check_organization(device.organization));
  HADAL_CHECK(check_timing(device));
  HADAL_CHECK(check_constraints(device));
  return check_controller(device);
}

}  // namespace hadal::memory

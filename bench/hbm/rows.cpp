#include "bench/hbm/rows.h"

#include <algorithm>

namespace hadal::bench {

namespace {

constexpr int64_t most = int64_t{1} << 50;

Error uncovered(std::string what) { return {"bench.uncovered", std::move(what), {}, {}}; }

/// What the reference files call the kinds of refresh.
std::string refresh_of(const std::string& name) {
  if (name == "AllBank" || name == "RANK_LEVEL_STAGGERED" || name == "RANK_LEVEL_SIMULTANEOUS") return "all-bank";
  if (name == "PerBank") return "per-bank";
  return name;
}

/// A whole number, or `otherwise` where the cell is empty: the pattern does not use it.
Result<int64_t> whole_or(const Row& row, std::string_view column, int64_t otherwise) {
  HADAL_TRY(const auto given, row.optional_number(column));
  if (!given) return otherwise;
  return row.integer(column, 0, most);
}

Result<memory::Device> device_of(const Row& row, const std::vector<memory::Device>& devices) {
  HADAL_TRY(const std::string simulator, row.text("sim"));
  HADAL_TRY(const std::string preset, row.text("preset"));
  const auto found = std::find_if(devices.begin(), devices.end(), [&](const memory::Device& device) {
    return device.stands_for == simulator + " " + preset;
  });
  if (found == devices.end()) return uncovered(fmt::format("no memory stands for {} {}", simulator, preset));
  memory::Device device = *found;
  HADAL_TRY(device.organization.channels, row.integer("channels", 1, most));
  HADAL_TRY(device.organization.pseudo_channels, row.integer("pseudo_channels", 1, most));
  HADAL_TRY(device.controller.queue, row.integer("queue", 1, most));
  HADAL_TRY(device.controller.mapping, row.text("mapping"));
  HADAL_TRY(device.controller.scheduler, row.text("scheduler"));
  HADAL_TRY(device.controller.row_policy, row.text("row_policy"));
  HADAL_TRY(const std::string refresh, row.text("refresh"));
  device.controller.refresh = refresh_of(refresh);
  if (const auto status = memory::check_device(device); !status.ok()) return uncovered(status.error().message);
  return device;
}

}  // namespace

Result<Case> case_of(const Row& row, const std::vector<memory::Device>& devices) {
  Case found;
  HADAL_TRY(found.device, device_of(row, devices));
  memory::Traffic& traffic = found.traffic;
  HADAL_TRY(traffic.pattern, row.text("pattern"));
  HADAL_TRY(traffic.requests, row.integer("requests", 1, most));
  traffic.region = (int64_t{256} << 20) * found.device.organization.channels;
  HADAL_TRY(traffic.granule, whole_or(row, "granule_B", 64));
  HADAL_TRY(traffic.stride, whole_or(row, "stride_B", 0));
  HADAL_TRY(traffic.read_burst, whole_or(row, "read_burst", 0));
  HADAL_TRY(traffic.write_burst, whole_or(row, "write_burst", 0));
  HADAL_TRY(traffic.streams, whole_or(row, "streams", 0));
  HADAL_TRY(traffic.chunk, whole_or(row, "chunk_B", 0));
  HADAL_TRY(traffic.window, whole_or(row, "window", 0));
  HADAL_TRY(const auto load, row.optional_number("offered_load"));
  traffic.offered_load = load.value_or(0);
  HADAL_TRY(const int64_t seed, whole_or(row, "seed", 1));
  traffic.seed = static_cast<uint64_t>(seed);
  if (const auto pattern = memory::Pattern::make(traffic); !pattern.ok()) return uncovered(pattern.error().message);
  HADAL_TRY(found.measured_cycles, row.number("cycles", 1, static_cast<double>(most)));
  HADAL_TRY(const auto latency, row.optional_number("mean_latency_ns"));
  found.measured_latency_ns = latency.value_or(0);
  return found;
}

}  // namespace hadal::bench

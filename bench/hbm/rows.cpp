#include "rows.h"

#include <cmath>

#include "base/files.h"
#include "base/units.h"

namespace hadal::bench {

namespace {

std::vector<std::string> split(std::string_view text, char at) {
  std::vector<std::string> parts(1);
  for (const char c : text)
    if (c == at)
      parts.emplace_back();
    else if (c != '\r')
      parts.back() += c;
  return parts;
}

Error uncovered(std::string what) { return {"bench.uncovered", std::move(what), {}, {}}; }

/// What the reference files call the kinds of refresh.
std::string refresh_of(const std::string& name) {
  if (name == "AllBank" || name == "RANK_LEVEL_STAGGERED" || name == "RANK_LEVEL_SIMULTANEOUS") return "all-bank";
  if (name == "PerBank") return "per-bank";
  return name;
}

const std::string& text_of(const Row& row, std::string_view column) {
  static const std::string none;
  const auto found = row.find(column);
  return found == row.end() ? none : found->second;
}

}  // namespace

Result<std::vector<Row>> read_rows(const std::string& file) {
  HADAL_TRY(const std::vector<std::byte> bytes, read_file(file, 1 << 28));
  const std::vector<std::string> lines = split({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, '\n');
  const std::vector<std::string> columns = split(lines.front(), ',');
  std::vector<Row> rows;
  for (size_t i = 1; i < lines.size(); ++i) {
    if (lines[i].empty()) continue;
    const std::vector<std::string> values = split(lines[i], ',');
    if (values.size() != columns.size())
      return Error{"csv.columns",
                   fmt::format("{} values, but {} columns", values.size(), columns.size()),
                   fmt::format("{}:{}", file, i + 1),
                   {}};
    Row row;
    for (size_t c = 0; c < columns.size(); ++c) row[columns[c]] = values[c];
    rows.push_back(std::move(row));
  }
  return rows;
}

double number_of(const Row& row, std::string_view column, double none) {
  const auto value = parse_quantity(text_of(row, column), Unit::number);
  return value.ok() ? value.value() : none;
}

Result<Case> case_of(const Row& row, const std::vector<memory::Device>& devices) {
  Case found;
  const std::string preset = fmt::format("{} {}", text_of(row, "sim"), text_of(row, "preset"));
  for (const memory::Device& device : devices)
    if (device.stands_for == preset) found.device = device;
  memory::Device& device = found.device;
  if (device.stands_for.empty()) return uncovered("no memory stands for " + preset);

  const auto whole = [&](std::string_view column) { return std::llround(number_of(row, column)); };
  device.organization.channels = whole("channels");
  device.organization.pseudo_channels = whole("pseudo_channels");
  device.controller.queue = whole("queue");
  device.controller.mapping = text_of(row, "mapping");
  device.controller.scheduler = text_of(row, "scheduler");
  device.controller.row_policy = text_of(row, "row_policy");
  device.controller.refresh = refresh_of(text_of(row, "refresh"));
  if (const auto status = memory::check_device(device); !status.ok()) return uncovered(status.error().message);

  memory::Traffic& traffic = found.traffic;
  traffic.pattern = text_of(row, "pattern");
  traffic.requests = whole("requests");
  traffic.region = (int64_t{256} << 20) * device.organization.channels;
  traffic.granule = std::llround(number_of(row, "granule_B", 64));
  traffic.stride = whole("stride_B");
  traffic.read_burst = whole("read_burst");
  traffic.write_burst = whole("write_burst");
  traffic.streams = whole("streams");
  traffic.chunk = whole("chunk_B");
  traffic.window = whole("window");
  traffic.offered_load = number_of(row, "offered_load");
  traffic.seed = static_cast<uint64_t>(number_of(row, "seed", 1));
  if (const auto pattern = memory::Pattern::make(traffic); !pattern.ok()) return uncovered(pattern.error().message);
  return found;
}

}  // namespace hadal::bench

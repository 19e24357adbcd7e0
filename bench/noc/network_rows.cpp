// Steady-state runs of BookSim 2 on meshes and tori.
#include <numeric>

#include "bench/noc/rows.h"
#include "network/flit_network.h"
#include "network/flow_network.h"
#include "network/measure.h"

namespace hadal::bench {

namespace {

using namespace network;

/// The setting of a row. BookSim's tori are folded: their links are twice as long.
struct Setting {
  FlitConfig network;
  std::string traffic;
  uint32_t packet_flits = 1;
  double offered = 0;
};

/// "8" for 8 x 8 nodes, or "8x4".
Result<Grid> grid_of(const Row& row, bool torus) {
  HADAL_TRY(const std::string k, row.text("k"));
  const size_t cross = k.find('x');
  constexpr double most = 1024;
  const auto columns = parse_number(std::string_view(k).substr(0, cross));
  const auto rows = cross == std::string::npos ? columns : parse_number(std::string_view(k).substr(cross + 1));
  for (const auto& size : {columns, rows}) {
    if (!size || *size < 1 || *size > most || *size != static_cast<int32_t>(*size)) {
      return Error{"table.number", fmt::format("\"{}\" is no size of a grid", printable(k)), row.place() + ", column k",
                   "write 8 for 8 x 8 nodes, or 8x4"};
    }
  }
  return Grid{static_cast<int32_t>(*columns), static_cast<int32_t>(*rows), torus};
}

Result<Setting> setting_of(const Row& row) {
  Setting setting;
  HADAL_TRY(const std::string topology, row.text("topology"));
  const bool torus = topology == "torus";
  HADAL_TRY(setting.network.grid, grid_of(row, torus));
  setting.network.link_cycles = torus ? 2 : 1;
  HADAL_TRY(const int64_t vcs, row.integer("num_vcs", 1, Router::most_vcs));
  setting.network.vcs = static_cast<uint32_t>(vcs);
  HADAL_TRY(const int64_t places, row.integer("vc_buf_size", 1, 1 << 16));
  setting.network.buffer_flits = static_cast<uint32_t>(places);
  HADAL_TRY(setting.traffic, row.text("traffic"));
  HADAL_TRY(const int64_t flits, row.integer("packet_size_flits", 1, 1 << 16));
  setting.packet_flits = static_cast<uint32_t>(flits);
  HADAL_TRY(setting.offered, row.number("offered_flits_per_node_cycle", 0, static_cast<double>(flits)));
  return setting;
}

Result<Measured> run_flits(const Setting& setting, Load load) {
  HADAL_TRY(FlitNetwork network, FlitNetwork::make(setting.network));
  LoadedFlitNetwork loaded(std::move(network), std::move(load));
  return measure(loaded, setting.network.grid.nodes());
}

/// The same routers for whole messages: the head passes four stages of a cycle and a link a hop.
Result<Measured> run_flow(const Setting& setting, Load load) {
  constexpr int64_t ticks = 64, stages = 4, terminal_cycles = 1;  // Ticks a cycle: shares of links need fractions.
  const FlitConfig& flits = setting.network;
  FlowConfig config;
  config.topology = FlowConfig::Topology::grid;
  config.grid = flits.grid;
  config.router_of_node.resize(flits.grid.nodes());
  std::iota(config.router_of_node.begin(), config.router_of_node.end(), Node{0});
  config.terminal_links = true;
  config.ticks_per_byte = ticks;
  config.entry_ticks = ticks * (terminal_cycles + stages);
  config.hop_ticks = ticks * (flits.link_cycles + stages);
  config.exit_ticks = ticks * (terminal_cycles + 1);
  config.vcs = flits.vcs;
  config.buffer_bytes = flits.buffer_flits;
  config.head_ticks = ticks * 2;
  config.credit_ticks =
      ticks * (2 * flits.link_cycles + 3 + flits.credit_cycles);  // Switch, link, switch, link, credit.
  HADAL_TRY(FlowNetwork network, FlowNetwork::make(std::move(config)));
  LoadedFlowNetwork loaded(std::move(network), flits.grid.nodes(), std::move(load), ticks);
  return measure(loaded, flits.grid.nodes());
}

Result<Measured> run(const Setting& setting, Level level) {
  HADAL_TRY(Traffic traffic, Traffic::named(setting.traffic, setting.network.grid));
  Load load{std::move(traffic), setting.packet_flits, setting.offered};
  return level == Level::flit ? run_flits(setting, std::move(load)) : run_flow(setting, std::move(load));
}

/// Latency below saturation, accepted rate at saturation and just below it, where latencies have not converged.
Result<std::optional<Comparison>> compare(const Row& row, const Measured& measured) {
  constexpr double converged_latency = 150;
  HADAL_TRY(const auto latency, row.optional_number("packet_latency_cycles"));
  HADAL_TRY(const auto accepted, row.optional_number("accepted_flits_per_node_cycle"));
  if (latency && *latency > 0 && *latency <= converged_latency) {
    return std::optional{Comparison{"latency", measured.packet_latency, *latency}};
  }
  if (accepted && *accepted > 0) return std::optional{Comparison{"accepted", measured.accepted, *accepted}};
  return std::optional<Comparison>{};
}

}  // namespace

Result<Outcome> predict_network(const Row& row, Level level) {
  HADAL_TRY(const std::string topology, row.text("topology"));
  HADAL_TRY(const std::string routing, row.text("routing"));
  HADAL_TRY(const std::string traffic, row.text("traffic"));
  HADAL_TRY(const std::string k, row.text("k"));
  Outcome outcome{fmt::format("{} {} {}", topology, k, traffic)};
  if (topology != "mesh" && topology != "torus") outcome.skipped = fmt::format("topology {}", printable(topology));
  if (routing != "dor" && routing != "dim_order") outcome.skipped = fmt::format("routing {}", printable(routing));
  if (!outcome.skipped.empty()) return outcome;

  HADAL_TRY(const Setting setting, setting_of(row));
  auto result = run(setting, level);
  if (!result) return std::move(result).error().at(row.place());
  const Measured& measured = *result;
  if (!measured.saturated) {
    outcome.predicted = {{"mean_latency_cycles", measured.packet_latency},
                         {"network_latency_cycles", measured.network_latency}};
  }
  outcome.predicted.emplace_back("accepted_flits_per_node_cycle", measured.accepted);
  outcome.predicted.emplace_back("hops", measured.routers);
  outcome.predicted.emplace_back("saturated", measured.saturated ? 1 : 0);
  HADAL_TRY(outcome.comparison, compare(row, measured));
  if (outcome.comparison) outcome.group += ", " + outcome.comparison->field;
  return outcome;
}

}  // namespace hadal::bench

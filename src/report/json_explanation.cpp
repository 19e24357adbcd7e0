#include <nlohmann/json.hpp>

#include "isa/table.h"
#include "report/explanation.h"
#include "report/json_number.h"

namespace hadal::report {

namespace {

using Json = nlohmann::ordered_json;

Json path_json(const PathCycles& path) {
  Json out = Json::object();
  for (size_t kind = 0; kind < path.size(); ++kind)
    out[std::string(machine::name_of(static_cast<machine::Spent>(kind)))] = path[kind];
  return out;
}

Json queues_json(const std::vector<QueueShare>& queues) {
  Json out = Json::array();
  for (const QueueShare& queue : queues) {
    Json waits = Json::array();
    for (const QueueShare::Wait& wait : queue.waits)
      waits.push_back({{"semaphore", wait.semaphore}, {"share", wait.share}});
    out.push_back({{"queue", isa::name_of(queue.queue)},
                   {"busy", queue.busy},
                   {"waiting", queue.waiting},
                   {"waits", std::move(waits)}});
  }
  return out;
}

}  // namespace

std::string json_of(const Explanation& explanation, const runtime::Outcome& outcome, const Facts& facts) {
  Json levers = Json::array(), layers = Json::array();
  for (const runtime::Lever& lever : explanation.levers)
    levers.push_back(
        {{"field", lever.field}, {"before", lever.before}, {"after", lever.after}, {"cycles", lever.cycles}});
  for (size_t i = 0; i < facts.layers.size(); ++i) {
    const LayerFacts& layer = facts.layers[i];
    layers.push_back({{"name", layer.layer->name},
                      {"op", layer.layer->op},
                      {"nodes", layer.layer->nodes},
                      {"roofline_cycles", finite(layer.roofline_cycles)},
                      {"path", path_json(explanation.layers[i])}});
  }
  const Json out{{"schema", "hadal.explain/1"},
                 {"model", outcome.program.model},
                 {"chip", outcome.chip.name},
                 {"precision", hadal::name_of(outcome.precision)},
                 {"cycles", explanation.cycles},
                 {"seconds", *facts.seconds},
                 {"roofline_cycles", finite(facts.roofline_cycles)},
                 {"path", path_json(explanation.path)},
                 {"queues", queues_json(explanation.queues)},
                 {"levers", std::move(levers)},
                 {"layers", std::move(layers)}};
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace hadal::report

#include <nlohmann/json.hpp>

#include "report/json.h"

namespace hadal::report {

namespace {

using Json = nlohmann::ordered_json;

/// What is compared may be infinite, or no number.
Json number(double value) { return std::isfinite(value) ? Json(value) : Json(fmt::format("{}", value)); }

Json json_of(const debug::Difference& difference, const isa::Layer& layer) {
  return {{"layer", layer.name},
          {"op", layer.op},
          {"nodes", layer.nodes},
          {"value", difference.value},
          {"stored", difference.stored},
          {"error", number(difference.error)},
          {"bound", difference.tolerance},
          {"beyond", difference.beyond},
          {"elements", difference.elements},
          {"index", difference.index},
          {"expected", number(difference.expected)},
          {"got", number(difference.got)}};
}

}  // namespace

std::string json_of(const debug::Bisection& bisection, const isa::Program& program) {
  Json differences = Json::array(), failure;
  for (const debug::Difference& difference : bisection.differences)
    differences.push_back(json_of(difference, program.layers[difference.layer]));
  if (const auto& error = bisection.failure)
    failure = {{"code", error->code}, {"message", error->message}, {"place", error->place}, {"remedy", error->remedy}};
  const Json out{{"layers", bisection.layers},
                 {"values", bisection.values},
                 {"failure", std::move(failure)},
                 {"differences", std::move(differences)}};
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace hadal::report

#include "report/json.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "isa/encode.h"
#include "isa/table.h"
#include "report/json_number.h"
#include "runtime/resources.h"

namespace hadal::report {

namespace {

using Json = nlohmann::ordered_json;

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json resolved(const runtime::Request& request, const runtime::Outcome& outcome) {
  Json chip = Json::object();
  for (const chip::FieldRow& row : chip::describe(outcome.chip)) chip[row.name] = row.value;
  const runtime::Source& source = request.source;
  Json shapes = Json::object();
  for (const isa::Port& port : outcome.program.inputs) shapes[port.name] = port.shape;
  Json flags{{"chip", outcome.chip.file.empty() ? outcome.chip.name : outcome.chip.file},
             {"precision", source.precision ? Json(hadal::name_of(*source.precision)) : Json(nullptr)},
             {"shapes", std::move(shapes)},
             {"values", request.values},
             {"timing", request.timing},
             {"numerics", request.exact ? "exact" : "fast"},
             {"memory", request.exact_memory ? "exact" : "fast"},
             {"extrapolation", request.extrapolate},
             {"threads", request.threads},
             {"seed", request.seed},
             {"memory_limit_bytes", source.memory_limit},
             {"tolerance", or_null(request.tolerance)},
             {"repeat", request.repeat},
             {"deadline_seconds", or_null(request.deadline_seconds)}};
  return {{"chip", std::move(chip)}, {"flags", std::move(flags)}};
}

Json outputs(const runtime::Outcome& outcome) {
  Json out = Json::array();
  const auto& ports = outcome.program.outputs;
  for (size_t i = 0; i < ports.size(); ++i)
    out.push_back({{"name", ports[i].name},
                   {"dtype", hadal::name_of(ports[i].dtype)},
                   {"stored", hadal::name_of(ports[i].stored)},
                   {"shape", i < outcome.outputs.size() ? outcome.outputs[i].shape : ports[i].shape},
                   {"file", i < outcome.output_files.size() ? Json(outcome.output_files[i]) : Json(nullptr)}});
  return out;
}

Json expected(const runtime::Outcome& outcome) {
  Json out = Json::array();
  for (const runtime::Comparison& c : outcome.expected)
    out.push_back({{"name", c.name}, {"error", finite(c.error)}, {"ok", c.ok}, {"tolerance", c.tolerance}});
  return out;
}

Json layers(const runtime::Outcome& outcome, const Facts& facts) {
  if (!outcome.timing) return nullptr;
  Json out = Json::array();
  for (const LayerFacts& facts_of_layer : facts.layers) {
    const isa::Layer& layer = *facts_of_layer.layer;
    const machine::LayerTime none, &time = facts_of_layer.time ? *facts_of_layer.time : none;
    out.push_back({{"name", layer.name},
                   {"nodes", layer.nodes},
                   {"op", layer.op},
                   {"engine", name_of(facts_of_layer.engine)},
                   {"cycles", time.cycles},
                   {"macs", layer.macs},
                   {"bytes_read", time.bytes_read},
                   {"bytes_written", time.bytes_written},
                   {"bound", machine::name_of(time.bound)},
                   {"roofline_cycles", finite(facts_of_layer.roofline_cycles)},
                   {"precision", hadal::name_of(layer.precision)},
                   {"begin_cycle", time.begin},
                   {"end_cycle", time.end},
                   {"busy_cycles",
                    {{"matrix", time.matrix_busy},
                     {"vector", time.vector_busy},
                     {"memory", time.memory_busy},
                     {"host", time.host_busy}}}});
  }
  return out;
}

Json instructions(const Facts& facts) {
  uint64_t total = 0;
  Json by_class = Json::object();
  for (const auto& [op, count] : facts.executed) {
    const isa::Row* row = isa::row_of(op);
    by_class[row ? std::string(row->name) : fmt::format("opcode {}", static_cast<int>(op))] = count;
    total += count;
  }
  return {{"executed", total}, {"by_class", std::move(by_class)}, {"machines_agree", or_null(facts.counts_agree)}};
}

Json host(const runtime::Outcome& outcome, const Facts& facts) {
  Json ops = Json::array();
  for (const HostOp& op : facts.host_ops)
    ops.push_back({{"function", op.function},
                   {"layer", op.layer->name},
                   {"nodes", op.layer->nodes},
                   {"seconds", or_null(op.seconds)}});
  const auto& timing = outcome.timing;
  return {{"seconds", timing ? Json(timing->host_seconds) : Json(nullptr)},
          {"link_bytes", timing ? Json(timing->host_bytes) : Json(nullptr)},
          {"ops", std::move(ops)},
          {"macs_share", facts.host_macs_share}};
}

Json spread(const std::optional<runtime::Spread>& s) {
  if (!s) return nullptr;
  return {{"median_seconds", s->median}, {"p50_seconds", s->p50}, {"p99_seconds", s->p99}};
}

Json repeat(const runtime::Outcome& outcome) {
  if (!outcome.repeats) return nullptr;
  const runtime::Repeats& r = *outcome.repeats;
  Json chip = spread(r.chip), functional = spread(r.functional);
  if (r.chip) {
    chip["frames_per_second"] = r.frames_per_second;
    chip["deadline_met"] = or_null(r.deadline_met);
  }
  if (r.functional) functional["kernel_share"] = r.kernel_share;
  return {{"runs", r.runs}, {"chip", std::move(chip)}, {"functional", std::move(functional)}};
}

Json checked(const runtime::Outcome& outcome) {
  if (!outcome.checked) return nullptr;
  return {{"instructions", outcome.checked->instructions}, {"accesses", outcome.checked->accesses}};
}

Json simulator(const runtime::Request& request, const runtime::Outcome& outcome) {
  const auto when = [](bool on, double seconds) { return on ? Json(seconds) : Json(nullptr); };
  return {{"compile_seconds", when(outcome.compiled, outcome.import_seconds + outcome.compile_seconds)},
          {"check_seconds", when(request.check, outcome.check_seconds)},
          {"functional_seconds", when(request.values, outcome.functional_seconds)},
          {"timing_seconds", when(request.timing, outcome.timing_seconds)},
          {"extrapolated_instructions", outcome.timing ? Json(outcome.timing->extrapolated) : Json(nullptr)},
          {"peak_memory_bytes", runtime::peak_memory()},
          {"import_seconds", outcome.import_seconds},
          {"packing_seconds", outcome.values ? Json(outcome.values->packing_seconds) : Json(nullptr)},
          {"kernel_seconds", outcome.values ? Json(outcome.values->kernel_seconds) : Json(nullptr)}};
}

}  // namespace

std::string json_of(const runtime::Request& request, const runtime::Outcome& outcome, const Facts& facts) {
  const auto& timing = outcome.timing;
  const Json report{
      {"schema", "hadal.run/1"},
      {"model", request.source.file.string()},
      {"chip", outcome.chip.name},
      {"precision", hadal::name_of(outcome.precision)},
      {"cores", outcome.program.limits.cores},
      {"resolved", resolved(request, outcome)},
      {"notes", outcome.notes},
      {"cycles", timing ? Json(timing->cycles) : Json(nullptr)},
      {"seconds", or_null(facts.seconds)},
      {"macs", facts.macs},
      {"outputs", outputs(outcome)},
      {"expected", expected(outcome)},
      {"matrix_utilization", or_null(facts.matrix_utilization)},
      {"memory",
       {{"bytes_read", timing ? Json(timing->bytes_read) : Json(nullptr)},
        {"bytes_written", timing ? Json(timing->bytes_written) : Json(nullptr)},
        {"bandwidth_utilization", or_null(facts.bandwidth_utilization)}}},
      {"roofline_cycles", finite(facts.roofline_cycles)},
      {"layers", layers(outcome, facts)},
      {"instructions", instructions(facts)},
      {"code_bytes", isa::code_bytes(outcome.program)},
      {"events", timing ? Json(timing->events) : Json(nullptr)},
      {"host", host(outcome, facts)},
      {"repeat", repeat(outcome)},
      {"check", checked(outcome)},
      {"simulator", simulator(request, outcome)},
  };
  return report.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string json_of(const std::vector<std::string>& names) { return Json(names).dump(); }

std::string json_of(const std::vector<chip::FieldRow>& fields) {
  Json rows = Json::array();
  for (const chip::FieldRow& field : fields)
    rows.push_back({{"name", field.name},
                    {"unit", field.unit},
                    {"meaning", field.meaning},
                    {"value", field.value},
                    {"source", field.source}});
  return rows.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace hadal::report

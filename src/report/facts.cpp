#include "report/facts.h"

#include <algorithm>
#include <set>

#include "isa/table.h"
#include "rules/roofline.h"

namespace hadal::report {

namespace {

/// What a layer's instructions tell about it.
struct Content {
  std::set<isa::Queue> queues;
  std::set<isa::Opcode> ops;
  std::vector<std::string> host_functions;
};

std::string function_of(const isa::Program& program, const isa::Instruction& in) {
  const isa::Row* row = isa::row_of(in.op);
  for (size_t i = 0; row && i < row->field_count() && i < in.fields.size(); ++i)
    if (row->fields[i].kind == isa::FieldKind::function && in.fields[i].value >= 0 &&
        static_cast<size_t>(in.fields[i].value) < program.functions.size())
      return program.functions[static_cast<size_t>(in.fields[i].value)];
  return {};
}

std::vector<Content> contents_of(const isa::Program& program) {
  std::vector<Content> out(program.layers.size());
  for (size_t i = 0; i < program.code.size() && i < program.source.size(); ++i) {
    if (program.source[i] >= out.size()) continue;
    const isa::Instruction& in = program.code[i];
    Content& content = out[program.source[i]];
    if (in.op == isa::Opcode::sync) continue;
    content.queues.insert(in.queue);
    content.ops.insert(in.op);
    if (in.op == isa::Opcode::host_call) content.host_functions.push_back(function_of(program, in));
  }
  return out;
}

Engine engine_of(const Content& content) {
  if (content.queues.contains(isa::Queue::matrix)) return Engine::matrix;
  if (content.queues.contains(isa::Queue::host)) return Engine::host;
  if (content.queues.contains(isa::Queue::vector)) return Engine::vector;
  return Engine::dma;
}

/// A layer's MACs as the roofline counts them: depthwise where nothing but a depthwise convolution multiplies.
rules::Macs macs_of(const isa::Layer& layer, const Content& content) {
  const auto has = [&](isa::Opcode op) { return content.ops.contains(op); };
  const bool depthwise = has(isa::Opcode::conv_depthwise) && !has(isa::Opcode::conv) && !has(isa::Opcode::matmul) &&
                         !has(isa::Opcode::conv_transpose);
  return {layer.precision, static_cast<double>(layer.macs), depthwise};
}

/// Without the sequencer's own instructions, which are no work of an engine.
std::map<isa::Opcode, uint64_t> of_engines(const std::map<isa::Opcode, uint64_t>& counts) {
  std::map<isa::Opcode, uint64_t> out;
  for (const auto& [op, count] : counts) {
    const isa::Row* row = isa::row_of(op);
    const bool control = row && row->queues == isa::on(isa::Queue::sequencer);
    if (count > 0 && !control) out[op] = count;
  }
  return out;
}

void add_layers(const runtime::Outcome& outcome, const std::vector<Content>& contents, Facts& facts) {
  std::vector<rules::Macs> all, on_array;
  double bytes = 0;
  uint64_t host_macs = 0;
  for (size_t i = 0; i < outcome.program.layers.size(); ++i) {
    const isa::Layer& layer = outcome.program.layers[i];
    const rules::Macs macs = macs_of(layer, contents[i]);
    const auto compulsory = static_cast<double>(layer.compulsory_bytes);
    const bool timed = outcome.timing && i < outcome.timing->layers.size();
    facts.layers.push_back({&layer, timed ? &outcome.timing->layers[i] : nullptr, engine_of(contents[i]),
                            rules::roofline_cycles(outcome.chip, std::span(&macs, 1), compulsory)});
    facts.macs += layer.macs;
    bytes += compulsory;
    all.push_back(macs);
    if (rules::engine_of(outcome.chip, macs) == rules::Engine::matrix) {
      on_array.push_back(macs);
      facts.matrix_macs += macs.count;
    }
    for (const std::string& function : contents[i].host_functions) {
      HostOp op{function, &layer, {}};
      if (timed)
        op.seconds = outcome.chip.seconds(static_cast<double>(outcome.timing->layers[i].host_busy)) /
                     static_cast<double>(contents[i].host_functions.size());
      facts.host_ops.push_back(std::move(op));
    }
    if (!contents[i].host_functions.empty()) host_macs += layer.macs;
  }
  facts.roofline_cycles = rules::roofline_cycles(outcome.chip, all, bytes);
  facts.roofline_matrix_cycles = rules::roofline_cycles(outcome.chip, on_array, 0);
  facts.roofline_memory_cycles = rules::roofline_cycles(outcome.chip, {}, bytes);
  facts.host_macs_share = facts.macs > 0 ? static_cast<double>(host_macs) / static_cast<double>(facts.macs) : 0;
}

}  // namespace

std::string_view name_of(Engine engine) {
  switch (engine) {
    case Engine::matrix:
      return "matrix";
    case Engine::vector:
      return "vector";
    case Engine::host:
      return "host";
    case Engine::dma:
      return "dma";
  }
  return "";
}

Facts facts_of(const runtime::Outcome& outcome) {
  Facts facts;
  add_layers(outcome, contents_of(outcome.program), facts);
  if (outcome.timing) {
    const machine::Timing& timing = *outcome.timing;
    facts.seconds = outcome.chip.seconds(static_cast<double>(timing.cycles));
    const double moved = static_cast<double>(timing.bytes_read) + static_cast<double>(timing.bytes_written);
    const double possible = *facts.seconds * outcome.chip.memory.bytes_per_second;
    facts.matrix_utilization =
        timing.cycles > 0 ? facts.roofline_matrix_cycles / static_cast<double>(timing.cycles) : 0;
    facts.bandwidth_utilization = possible > 0 ? moved / possible : 0;
  }
  if (outcome.timing)
    facts.executed = of_engines(outcome.timing->executed);
  else if (outcome.values)
    facts.executed = of_engines(outcome.values->executed);
  if (outcome.timing && outcome.values) facts.counts_agree = facts.executed == of_engines(outcome.values->executed);
  return facts;
}

}  // namespace hadal::report

#include "debug/layers.h"

#include <algorithm>

#include "base/suggest.h"
#include "isa/table.h"
#include "machine/check/walk.h"

namespace hadal::debug {

namespace {

bool writes_memory(const isa::Program& program, const isa::Instruction& in) {
  const isa::Row& row = *isa::row_of(in.op);
  for (size_t i = 0; i < in.operands.size(); ++i)
    if (in.operands[i] != isa::no_view && row.operands[i].written &&
        program.tensors[program.views[in.operands[i]].tensor].space != isa::Space::scratchpad)
      return true;
  return false;
}

}  // namespace

Result<size_t> layer_named(const isa::Program& program, const std::string& name) {
  std::vector<std::string_view> names;
  for (size_t i = 0; i < program.layers.size(); ++i) {
    const isa::Layer& layer = program.layers[i];
    if (layer.name == name || std::ranges::count(layer.nodes, name) > 0) return i;
    names.push_back(layer.name);
    names.insert(names.end(), layer.nodes.begin(), layer.nodes.end());
  }
  return Error{"debug.name",
               fmt::format("no layer or node is called \"{}\"", printable(name, 80)),
               {},
               did_you_mean(name, names)};
}

std::optional<size_t> layer_of(const isa::Program& program, size_t instruction) {
  if (instruction >= program.source.size() || program.source[instruction] >= program.layers.size()) return std::nullopt;
  return program.source[instruction];
}

Result<Layers> Layers::of(const isa::Program& program, size_t cores) {
  Layers layers;
  layers.program_ = &program;
  layers.list_.resize(program.layers.size());
  for (const isa::Instruction& in : program.code) layers.stores_.push_back(writes_memory(program, in));
  HADAL_TRY(const isa::Walk walk, isa::Walk::of(program));
  const machine::CheckOptions options;
  const machine::check::Trace trace =
      machine::check::walk_program(walk, cores, options, [](uint32_t, const auto&, const auto&, const auto&) {});
  if (trace.too_long)
    return Error{"run.budget", fmt::format("more than {} instructions are executed", options.instruction_budget)};
  for (const machine::check::Step& step : trace.steps)
    if (const auto layer = layer_of(program, step.instruction)) {
      ++layers.list_[*layer].steps;
      if (layers.stores_[step.instruction]) ++layers.list_[*layer].stores;
    }
  return layers;
}

void Layers::count(const machine::Executed& executed) {
  const auto number = layer_of(*program_, executed.instruction);
  if (!number) return;
  Layer& layer = list_[*number];
  ++layer.done;
  if (stores_[executed.instruction]) ++layer.stored;
  if (executed.in->queue != isa::Queue::prefetch) layer.begun = true;
}

std::optional<size_t> Layers::open() const {
  for (size_t i = 0; i < list_.size(); ++i)
    if (!ended(i)) return i;
  return std::nullopt;
}

}  // namespace hadal::debug

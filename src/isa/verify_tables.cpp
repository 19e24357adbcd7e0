#include <algorithm>
#include <set>

#include "isa/findings.h"
#include "isa/table.h"
#include "isa/verify.h"

namespace hadal::isa {

namespace {

constexpr uint64_t most_bytes = uint64_t{1} << 44;  ///< Of any space: keeps addresses far from overflow.
constexpr uint64_t most_scratchpad = uint64_t{1} << 32;

void verify_limits(const Program& p, Findings& found) {
  const Limits& limits = p.limits;
  const std::string place = "limits";
  found.require(limits.cores >= 1 && limits.cores <= 65536, "place.C1", "cores are 1 to 65536", place);
  found.require(limits.scratchpad_bytes <= most_scratchpad && limits.accumulator_bytes <= most_scratchpad, "place.C1",
                "scratchpad and accumulator are at most 4 GiB", place);
  found.require(limits.shared_bytes_per_core <= most_scratchpad && limits.memory_bytes <= most_bytes, "place.C1",
                "the shared space is at most 4 GiB a core, memory at most 16 TiB", place);
  const std::set<DType> distinct(limits.matrix_types.begin(), limits.matrix_types.end());
  found.require(distinct.size() == limits.matrix_types.size(), "place.C1", "matrix types are named once", place);
  found.require(
      p.tensors.size() <= 65535 && p.views.size() <= 65535 && p.chains.size() <= 65535 && p.tables.size() <= 65535 &&
          p.regions.size() <= 65535 && p.functions.size() <= 65535 && p.semaphores.size() <= isa::semaphores,
      "place.C1", "at most 65535 tensors, views, chains, tables, regions and functions, and 64 semaphores", place);
}

void verify_parameters(const Program& p, Findings& found) {
  std::set<std::string> names;
  std::set<uint8_t> destinations;
  for (const Parameter& parameter : p.parameters) {
    const std::string place = "parameter " + printable(parameter.name);
    found.require(is_register(parameter.destination), "param.C1", "there are 64 registers", place);
    found.require(names.insert(parameter.name).second && destinations.insert(parameter.destination).second, "param.C1",
                  "its name or register is another parameter's", place);
    found.require(parameter.minimum <= parameter.maximum, "param.C1", "its minimum is above its maximum", place);
    const int64_t cores = p.limits.cores;
    const auto holds = [&](int64_t least, int64_t most) {
      return parameter.minimum <= least && most <= parameter.maximum;
    };
    found.require(parameter.name != "core_id" || holds(0, cores - 1), "param.C1", "its range leaves out cores", place);
    found.require(parameter.name != "core_count" || holds(cores, cores), "param.C1",
                  "its range leaves out the number of cores", place);
  }
}

void verify_regions(const Program& p, Findings& found) {
  if (p.regions.size() > 65535) return;  // place.C1 tells
  uint64_t memory = 0, shared = 0;
  for (const Region& region : p.regions) {
    if (region.bytes > most_bytes)
      return found.add("place.C1", "a region passes 16 TiB", "region " + printable(region.name));
    const bool is_shared = region.kind == RegionKind::shared;
    const uint64_t page = region.page_bytes;
    if (is_shared ? page < 64 || page > most_scratchpad || page % 64 != 0 : page != usual_page_bytes)
      return found.add("place.C1", "a page of a shared region is a multiple of 64 bytes",
                       "region " + printable(region.name));
    (is_shared ? shared : memory) += region.bytes;
  }
  found.require(memory <= p.limits.memory_bytes, "place.C1",
                fmt::format("the regions take {} bytes of memory; the limit is {}", memory, p.limits.memory_bytes),
                "regions");
  found.require(shared <= p.limits.shared_bytes_per_core * p.limits.cores, "place.C1",
                fmt::format("the regions take {} bytes of the shared space; the limit is {} a core", shared,
                            p.limits.shared_bytes_per_core),
                "regions");
}

void verify_weights(const Program& p, Findings& found) {
  const auto is_weight = [](const Region& r) { return r.kind == RegionKind::weight; };
  const auto count = std::count_if(p.regions.begin(), p.regions.end(), is_weight);
  found.require(count <= 1, "region.C1", "there is more than one region of weights", "regions");
  const auto region = std::find_if(p.regions.begin(), p.regions.end(), is_weight);
  const uint64_t bytes = region == p.regions.end() ? 0 : region->bytes;
  uint64_t end = 0;
  for (const WeightEntry& weight : p.weights) {
    const std::string place = "weight " + printable(weight.name);
    const bool inside = weight.size <= bytes && weight.offset <= bytes - weight.size && weight.offset >= end;
    if (!inside)
      return found.add("region.C1", "it does not lie in the region of weights, behind the weight before", place);
    found.require(weight.bytes.view.empty() || weight.bytes.view.size() == weight.size, "region.C1",
                  "its bytes are not its size", place);
    end = weight.offset + weight.size;
  }
}

/// Returns whether the numbers are those of ports.
bool verify_states(const Program& p, Findings& found) {
  std::set<uint16_t> inputs, outputs;
  for (const State& state : p.states) {
    if (state.input >= p.inputs.size() || state.output >= p.outputs.size()) {
      found.add("state.C1", "its input or its output does not exist", "states");
      return false;
    }
    const Port &in = p.inputs[state.input], &out = p.outputs[state.output];
    const std::string place = "state " + printable(in.name);
    found.require(inputs.insert(state.input).second && outputs.insert(state.output).second, "state.C1",
                  "its input or its output is another state's", place);
    found.require(in.dtype == out.dtype && in.stored == out.stored && in.shape == out.shape && !out.count, "state.C1",
                  "input and output differ in type or shape", place);
  }
  return true;
}

void verify_ports(const Program& p, Findings& found) {
  const bool has_states = verify_states(p, found);
  std::set<uint16_t> taken;
  for (const auto* ports : {&p.inputs, &p.outputs})
    for (const Port& port : *ports) {
      const std::string place = (ports == &p.inputs ? "input " : "output ") + printable(port.name);
      if (port.region >= p.regions.size()) {
        found.add("region.C1", "its region does not exist", place);
        continue;
      }
      const Region& region = p.regions[port.region];
      const int64_t bytes = checked_bytes(port.shape, bytes_of(port.stored));
      const bool kept = has_states && p.keeps(port.region);
      found.require(region.kind == (ports == &p.inputs && !kept ? RegionKind::input : RegionKind::output), "region.C1",
                    "its region is of another kind", place);
      found.require(bytes >= 0 && static_cast<uint64_t>(bytes) <= region.bytes, "region.C1",
                    "its bytes do not fit its region", place);
      if (!kept || ports == &p.inputs)  // Its output's is the same.
        found.require(taken.insert(port.region).second, "region.C1", "its region is another port's", place);
      if (!port.count) continue;
      const bool counts = ports == &p.outputs && port.count->axis < port.shape.size() &&
                          port.count->region < p.regions.size() && taken.insert(port.count->region).second &&
                          p.regions[port.count->region].kind == RegionKind::output &&
                          p.regions[port.count->region].bytes >= sizeof(int64_t);
      found.require(counts, "region.C1", "its count is not an i64 in an output region, for an axis of an output",
                    place);
    }
}

void verify_fixed(const Program& p, Findings& found) {
  std::set<std::string> names;
  for (const Port& port : p.inputs) names.insert(port.name);
  for (const FixedInput& input : p.fixed) {
    const std::string place = "fixed input " + printable(input.name);
    const int64_t bytes = checked_bytes(input.shape, bytes_of(input.dtype));
    found.require(bytes >= 0 && static_cast<uint64_t>(bytes) == input.bytes.size(), "fixed.C1",
                  "its bytes are not those of its type and shape", place);
    found.require(names.insert(input.name).second, "fixed.C1", "its name is another input's", place);
  }
}

void verify_chain(const Chain& chain, const std::string& place, Findings& found) {
  const size_t count = chain.steps.size();
  found.require(chain.compute == DType::f32 || chain.compute == DType::f64 || chain.compute == DType::i64, "chain.C1",
                "a chain computes in f32, f64 or i64", place);
  if (count < 1 || count > chain_steps || chain.inputs > chain_inputs)
    return found.add(
        "chain.C1", fmt::format("{} inputs and {} steps; at most 8 and 32, and at least one step", chain.inputs, count),
        place);
  std::array<bool, chain_inputs + chain_steps> used{};
  for (size_t i = 0; i < count; ++i) {
    const ChainStep& step = chain.steps[i];
    if (step.op >= chain_ops().size()) return found.add("chain.C1", fmt::format("step {} has no operation", i), place);
    const int operands = chain_ops()[step.op].operands;
    for (int k = 0; k < 3; ++k) {
      const uint8_t operand = step.operands[static_cast<size_t>(k)];
      const bool legal = k >= operands            ? operand == 0
                         : operand < chain_inputs ? operand < chain.inputs
                                                  : operand - chain_inputs < static_cast<int>(i);
      if (!legal) return found.add("chain.C1", fmt::format("operand {} of step {} is {}", k, i, operand), place);
      if (k < operands) used[operand] = true;
    }
  }
  for (size_t i = 0; i < chain.inputs; ++i)
    found.require(used[i], "chain.C1", fmt::format("input {} is not used", i), place);
  for (size_t i = 0; i + 1 < count; ++i)
    found.require(used[chain_inputs + i], "chain.C1", fmt::format("step {} is not used", i), place);
}

void verify_table(const ResampleTable& table, const std::string& place, Findings& found) {
  const bool legal =
      table.taps >= 1 && table.indices.size() == table.weights.size() && table.indices.size() % table.taps == 0;
  found.require(legal, "resample.C1", "indices and weights are not one a tap and output", place);
}

}  // namespace

void verify_tables(const Program& p, Findings& found) {
  verify_limits(p, found);
  verify_parameters(p, found);
  verify_regions(p, found);
  verify_weights(p, found);
  verify_ports(p, found);
  verify_fixed(p, found);
  for (size_t i = 0; i < p.chains.size() && !found.full(); ++i)
    verify_chain(p.chains[i], fmt::format("chain {}", i), found);
  for (const ResampleTable& table : p.tables) verify_table(table, "table " + printable(table.name), found);
  for (const std::string& name : p.functions)
    found.require(std::find(host_functions.begin(), host_functions.end(), name) != host_functions.end(), "host.C1",
                  "the host does not know this function", "function " + printable(name));
  for (const Semaphore& s : p.semaphores) {
    const std::string place = "semaphore " + printable(s.name);
    found.require(s.initial >= 0 && s.initial <= 32767, "sync.C5", "counts are 0 to 32767", place);
    found.require(s.waiter != Queue::sequencer, "sync.C2", "the sequencer does not wait", place);
  }
  const bool mapped =
      p.source.size() == p.code.size() && (p.lines.empty() || p.lines.size() == p.code.size()) &&
      std::all_of(p.source.begin(), p.source.end(), [&](uint32_t layer) { return layer < p.layers.size(); });
  found.require(mapped, "source.C1", "the source map does not name a layer for each instruction", "source");
}

}  // namespace hadal::isa

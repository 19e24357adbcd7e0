#include "machine/timing/statistics.h"

#include <algorithm>

#include "rules/cycles.h"

namespace hadal::machine::timing {

Statistics::Statistics(const isa::Program& program, const chip::Chip& chip)
    : program_(&program),
      chip_(&chip),
      clock_{chip.clock.hertz},
      layers_(std::max<size_t>(1, program.layers.size())),
      busy_(layers_.size() * static_cast<size_t>(chip.cores)) {}

void Statistics::ran(uint32_t layer, Time begin, Time end) {
  layers_[layer].begin = std::min(layers_[layer].begin, begin);
  layers_[layer].end = std::max(layers_[layer].end, end);
  end_ = std::max(end_, end);
}

void Statistics::worked(uint32_t core, uint32_t layer, isa::Queue queue, const Cost& cost, bool emits) {
  Busy& busy = busy_[size_t{layer} * static_cast<size_t>(chip_->cores) + core];
  layers_[layer].macs += cost.macs;
  macs_[static_cast<size_t>(cost.type)] += cost.macs;
  counts_.vector_operations += cost.vector_operations;
  counts_.accumulated += cost.accumulated;
  counts_.sram_read += cost.sram_read;
  counts_.sram_written += cost.sram_written;
  counts_.host += cost.host_read + cost.host_written;
  if (queue == isa::Queue::host) {
    busy.host += cost.cycles;
    host_cycles_ += cost.cycles;
  } else if (queue == isa::Queue::vector || cost.on_lanes) {
    busy.lanes += cost.cycles;
  } else {
    busy.array += cost.cycles;
  }
  if (!emits) return;
  busy.output += cost.emit;
  counts_.sram_read += cost.emit_read;
  counts_.sram_written += cost.emit_written;
  counts_.accumulated += cost.accumulated;  // Read once more.
}

void Statistics::copied(const Transfer& transfer) {
  (transfer.write ? counts_.sram_read : counts_.sram_written) += static_cast<uint64_t>(transfer.local);
  ++counts_.transfers;
}

void Statistics::moved(uint32_t layer, const Transfer& transfer) {
  const auto bytes = static_cast<uint64_t>(transfer.moved);
  if (transfer.shared) {
    (transfer.write ? counts_.shared_written : counts_.shared_read) += bytes;
    return;
  }
  (transfer.write ? counts_.hbm_written : counts_.hbm_read) += bytes;
  (transfer.write ? layers_[layer].written : layers_[layer].read) += bytes;
}

LayerTime Statistics::layer_time(size_t number, int64_t cycles) const {
  const Layer& layer = layers_[number];
  LayerTime time{.cycles = cycles, .macs = layer.macs, .bytes_read = layer.read, .bytes_written = layer.written};
  const auto cores = static_cast<size_t>(chip_->cores);
  for (size_t core = 0; core < cores; ++core) {
    const Busy& busy = busy_[number * cores + core];
    time.matrix_busy = std::max({time.matrix_busy, busy.array, busy.output});
    time.vector_busy = std::max(time.vector_busy, busy.lanes);
    time.host_busy = std::max(time.host_busy, busy.host);
  }
  const double rate = chip_->memory.bytes_per_second * chip_->memory.efficiency / chip_->clock.hertz;
  time.memory_busy = rules::whole_cycles(static_cast<double>(layer.read + layer.written) / rate);

  const std::array<std::pair<int64_t, Bound>, 4> busy{{{time.matrix_busy, Bound::matrix},
                                                       {time.vector_busy, Bound::vector},
                                                       {time.memory_busy, Bound::memory},
                                                       {time.host_busy, Bound::host}}};
  const auto most =
      *std::max_element(busy.begin(), busy.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  time.bound = most.first > 0 && most.first * 2 >= cycles ? most.second : Bound::latency;
  return time;
}

/// Puts in what a layer takes over from another one, which comes before it.
void Statistics::resolve(Layer& layer) {
  if (layer.like.later == 0) return;
  const Layer& other = layers_[layer.like.layer];
  if (other.begin == never) return;
  layer.begin = std::min(layer.begin, other.begin + layer.like.later);
  layer.end = std::max(layer.end, other.end + layer.like.later);
}

Timing Statistics::timing(Time launch, uint64_t hop_bytes) {
  for (Layer& layer : layers_) resolve(layer);
  Timing timing;
  timing.cycles = clock_.until(std::max(launch, end_));
  timing.launch_cycles = clock_.until(launch);
  int64_t before = 0;
  for (size_t i = 0; i < program_->layers.size(); ++i) {
    const Layer& layer = layers_[i];
    const bool is_last =
        i + 1 == program_->layers.size();  // Takes what no layer's instruction accounts for: a launch alone.
    const int64_t end = std::max(before, is_last ? timing.cycles : clock_.until(layer.end));
    LayerTime time = layer_time(i, end - before);
    time.begin = layer.begin == never ? end : clock_.until(layer.begin);
    time.end = before = end;
    timing.macs += time.macs;
    timing.layers.push_back(time);
  }
  if (timing.layers.empty()) timing.macs = layers_[0].macs;

  timing.bytes_read = counts_.hbm_read;
  timing.bytes_written = counts_.hbm_written;
  timing.host_bytes = counts_.host;
  const auto bytes_of_port = [](const isa::Port& port) {
    return static_cast<uint64_t>(elements(port.shape) * bytes_of(port.stored));
  };
  for (const auto* ports : {&program_->inputs, &program_->outputs})
    for (const isa::Port& port : *ports) timing.host_bytes += bytes_of_port(port);
  for (const isa::State& state : program_->states)  // They stay in the chip's memory.
    timing.host_bytes -= bytes_of_port(program_->inputs[state.input]) + bytes_of_port(program_->outputs[state.output]);
  timing.host_seconds = chip_->seconds(static_cast<double>(host_cycles_));

  uint64_t instructions = 0;
  for (size_t op = 0; op < executed_.size(); ++op) {
    if (executed_[op] > 0) timing.executed[static_cast<isa::Opcode>(op)] = executed_[op];
    instructions += executed_[op];
  }
  for (size_t type = 0; type < macs_.size(); ++type)
    if (macs_[type] > 0) timing.events["macs." + std::string(name_of(static_cast<DType>(type)))] = macs_[type];
  timing.events["instructions"] = instructions;
  timing.events["vector.operations"] = counts_.vector_operations;
  timing.events["sram.read_bytes"] = counts_.sram_read;
  timing.events["sram.write_bytes"] = counts_.sram_written;
  timing.events["accumulator.bytes"] = counts_.accumulated;
  timing.events["hbm.read_bytes"] = counts_.hbm_read;
  timing.events["hbm.write_bytes"] = counts_.hbm_written;
  timing.events["hbm.bursts"] =
      (counts_.hbm_read + counts_.hbm_written) / static_cast<uint64_t>(chip_->dma.burst_bytes);
  timing.events["shared.read_bytes"] = counts_.shared_read;
  timing.events["shared.write_bytes"] = counts_.shared_written;
  timing.events["dma.transfers"] = counts_.transfers;
  timing.events["noc.hop_bytes"] = hop_bytes;
  timing.events["host.bytes"] = timing.host_bytes;
  return timing;
}

}  // namespace hadal::machine::timing

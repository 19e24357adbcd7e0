#include "machine/functional/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

namespace hadal::machine {

namespace {

/// First byte, and one past the last, that a descriptor names within its region.
std::pair<__int128, __int128> range_of(const isa::TensorDescriptor& tensor) {
  __int128 low = tensor.offset, high = tensor.offset;
  for (size_t i = 0; i < tensor.rank; ++i) {
    if (tensor.extents[i] == 0) return {low, low};
    const __int128 reach = static_cast<__int128>(tensor.extents[i] - 1) * tensor.strides[i];
    (reach < 0 ? low : high) += reach;
  }
  return {low, high + std::max<__int128>(bytes_of(tensor.dtype), tensor.rank == 0 ? tensor.bytes : 0)};
}

Error outside(const isa::TensorDescriptor& tensor, const std::string& whole, uint64_t bytes) {
  return {"region.C1",
          fmt::format("tensor {} passes the {} bytes of {}", printable(tensor.name), bytes, printable(whole))};
}

Tensor new_output(const isa::Port& port, uint64_t region_bytes) {
  std::byte* data = nullptr;
  const Tensor whole = Tensor::zeros(DType::u8, {static_cast<int64_t>(region_bytes)}, data);
  Tensor out{port.stored, port.shape, whole.bytes};
  out.bytes.view = out.bytes.view.first(static_cast<size_t>(elements(port.shape) * bytes_of(port.stored)));
  return out;
}

}  // namespace

void Unmap::operator()(std::byte* p) const { munmap(p, bytes); }

Result<Mapping> Mapping::of(uint64_t bytes) {
  Mapping mapping;
  const size_t size = std::max<uint64_t>(bytes, 1);
  void* data = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data == MAP_FAILED)
    return Error{"machine.memory", fmt::format("the host has no {} bytes of address space", size)};
  if (size >= size_t{4} << 20) madvise(data, size, MADV_HUGEPAGE);
  mapping.data_ = {static_cast<std::byte*>(data), Unmap{size}};
  return mapping;
}

Result<Memory> Memory::of(const isa::Program& program, int64_t cores) {
  Memory memory;
  memory.program_ = &program;
  for (int64_t i = 0; i < cores; ++i) {
    HADAL_TRY(Mapping scratchpad, Mapping::of(program.limits.scratchpad_bytes));
    HADAL_TRY(Mapping accumulators, Mapping::of(program.limits.accumulator_bytes));
    memory.scratchpads_.push_back(std::move(scratchpad));
    memory.accumulators_.push_back(std::move(accumulators));
  }
  for (const isa::Region& region : program.regions) {
    Mapping mapping;
    if (region.kind == isa::RegionKind::scratch || region.kind == isa::RegionKind::shared) {
      HADAL_TRY(mapping, Mapping::of(region.bytes));
    }
    memory.bases_.push_back(mapping.data());
    memory.regions_.push_back(std::move(mapping));
  }
  for (const isa::WeightEntry& entry : program.weights)  // Programs only read their weights (region.C2).
    memory.bases_.push_back(const_cast<std::byte*>(entry.bytes.view.data()));
  memory.places_.resize(program.tensors.size());
  for (size_t i = 0; i < program.tensors.size(); ++i) HADAL_CHECK(memory.place_tensor(i));
  for (const isa::Port& port : program.outputs) {
    if (port.count && (port.count->axis >= port.shape.size() || port.count->region >= program.regions.size() ||
                       program.regions[port.count->region].bytes < sizeof(int64_t)))
      return Error{"region.C1", fmt::format("the count of output {} is nowhere", printable(port.name))};
    if (checked_bytes(port.shape, bytes_of(port.stored)) < 0 ||
        static_cast<uint64_t>(checked_bytes(port.shape, bytes_of(port.stored))) > program.regions[port.region].bytes)
      return Error{"region.C1", fmt::format("output {} is larger than its region", printable(port.name))};
  }
  return memory;
}

Status Memory::place_tensor(size_t number) {
  const isa::TensorDescriptor& tensor = program_->tensors[number];
  Place& place = places_[number];
  if (tensor.space == isa::Space::scratchpad) {
    const uint64_t room = program_->limits.scratchpad_bytes;
    if (tensor.offset > room || tensor.bytes > room - tensor.offset) return outside(tensor, "the scratchpad", room);
    return {};
  }
  if (tensor.region >= program_->regions.size())
    return Error{"region.C1", fmt::format("tensor {} lies in no region", printable(tensor.name))};
  const isa::Region& region = program_->regions[tensor.region];
  const auto [low, high] = range_of(tensor);
  const uint64_t bytes = room(tensor.region);
  if (low < 0 || high > static_cast<__int128>(bytes)) return outside(tensor, region.name, bytes);
  place.base = &bases_[tensor.region];
  if (region.kind != isa::RegionKind::weight || low == high) return {};
  return place_in_weights(tensor, place, static_cast<int64_t>(low), static_cast<int64_t>(high));
}

/// Bytes of a region that are really there: inputs and outputs have those of their tensors.
uint64_t Memory::room(uint16_t region) const {
  uint64_t bytes = program_->regions[region].bytes;
  for (const auto* ports : {&program_->inputs, &program_->outputs})
    for (const isa::Port& port : *ports)
      if (port.region == region)
        bytes = std::min(bytes,
                         static_cast<uint64_t>(std::max<int64_t>(checked_bytes(port.shape, bytes_of(port.stored)), 0)));
  return bytes;
}

Status Memory::place_in_weights(const isa::TensorDescriptor& tensor, Place& place, int64_t low, int64_t high) const {
  const auto& weights = program_->weights;
  const auto after = std::upper_bound(
      weights.begin(), weights.end(), low,
      [](int64_t at, const isa::WeightEntry& entry) { return at < static_cast<int64_t>(entry.offset); });
  if (after == weights.begin())
    return Error{"region.C1", fmt::format("tensor {} lies in no weight", printable(tensor.name))};
  const isa::WeightEntry& entry = *(after - 1);
  if (high > static_cast<int64_t>(entry.offset + entry.bytes.view.size()))
    return outside(tensor, entry.name, entry.bytes.view.size());
  const auto number = static_cast<size_t>(after - weights.begin()) - 1;
  place = {&bases_[program_->regions.size() + number], -static_cast<int64_t>(entry.offset), true};
  return {};
}

Status Memory::bind(const std::vector<Tensor>& inputs) {
  if (inputs.size() != program_->inputs.size())
    return Error{"run.input",
                 fmt::format("{} inputs are given; the program has {}", inputs.size(), program_->inputs.size())};
  for (size_t i = 0; i < inputs.size(); ++i) {
    const isa::Port& port = program_->inputs[i];
    if (inputs[i].dtype != port.stored || inputs[i].shape != port.shape ||
        inputs[i].bytes.view.size() < room(port.region))
      return Error{"run.input",
                   fmt::format("input {} is {} {} with {} bytes; the program takes {} {} with {}", printable(port.name),
                               name_of(inputs[i].dtype), text_of(inputs[i].shape), inputs[i].bytes.view.size(),
                               name_of(port.stored), text_of(port.shape), room(port.region))};
    // Programs only read their inputs (region.C2), but for those that are kept, whose bytes are the caller's to change.
    bases_[port.region] = const_cast<std::byte*>(inputs[i].bytes.view.data());
  }
  inputs_ = inputs;
  outputs_.clear();
  kept_.resize(program_->outputs.size());
  for (size_t i = 0; i < program_->outputs.size(); ++i) {
    const isa::Port& port = program_->outputs[i];
    if (program_->keeps(port.region)) {  // The input's bytes, which the run changes.
      outputs_.push_back(input_in(port.region));
      continue;
    }
    Tensor& kept = kept_[i];  // The last run's bytes serve again once nobody else holds them.
    if (!kept.bytes.owner || kept.bytes.owner.use_count() > 1)
      kept = new_output(port, program_->regions[port.region].bytes);
    bases_[port.region] = const_cast<std::byte*>(kept.bytes.view.data());
    outputs_.push_back(kept);
  }
  for (size_t i = 0; i < program_->regions.size(); ++i)
    if (!bases_[i] && program_->regions[i].kind != isa::RegionKind::weight) {
      HADAL_TRY(regions_[i], Mapping::of(program_->regions[i].bytes));  // An input or output region without a port.
      bases_[i] = regions_[i].data();
    }
  return {};
}

const Tensor& Memory::input_in(uint16_t region) const {
  return inputs_[static_cast<size_t>(std::ranges::find(program_->inputs, region, &isa::Port::region) -
                                     program_->inputs.begin())];
}

std::vector<Tensor> Memory::outputs() const {
  std::vector<Tensor> out = outputs_;
  for (size_t i = 0; i < out.size(); ++i) {
    const auto& count = program_->outputs[i].count;
    if (!count) continue;
    int64_t most = 0;
    std::memcpy(&most, bases_[count->region], sizeof most);
    out[i] = first_of(out[i], count->axis, std::clamp<int64_t>(most, 0, out[i].shape[count->axis]));
  }
  return out;
}

void Memory::release() {
  inputs_.clear();
  outputs_.clear();
}

}  // namespace hadal::machine

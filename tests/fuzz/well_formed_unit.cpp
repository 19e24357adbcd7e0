#include "fuzz/well_formed_unit.h"

#include <algorithm>
#include <bit>

#include "isa/fields.h"

namespace hadal::fuzz {

namespace {

using isa::Instruction;
using isa::Opcode;
using isa::Queue;
namespace at = isa::at;

/// Types that hold what is loaded as this tile; a load converts.
DType stored_type(Random& random, const Tile& tile) {
  if (!random.one_in(4) || tile.dtype == DType::f8e8m0 || tile.dtype == DType::boolean) return tile.dtype;
  if (is_float(tile.dtype)) return random.pick({DType::f32, DType::f64, DType::bf16, DType::f16});
  const bool is_narrow = tile.range && tile.range->first >= -128 && tile.range->second <= 127;
  return is_narrow ? random.pick({DType::i64, DType::i32, DType::i16, DType::f32}) : tile.dtype;
}

class Unit {
 public:
  Unit(Making& making, uint32_t layer)
      : m_(making),
        random_(making.random),
        builder_(making.builder),
        layer_(layer),
        before_(making),
        steps_(making),
        nest_(making.random, making.cores) {}
  void make();

 private:
  // Views.
  [[nodiscard]] isa::Origin place(int64_t rows, bool of_core) const;
  [[nodiscard]] Shape placed(const Shape& shape, bool of_core) const;
  uint16_t tile_view(size_t buffer, bool cut);
  uint16_t part_view(uint16_t tensor, bool of_core, bool cut);
  [[nodiscard]] bool is_cut(const Sample& sample, size_t operand) const {
    return nest_.extent() && std::ranges::find(sample.batched, operand) != sample.batched.end();
  }

  // Steps.
  Instruction made(Opcode op, const std::vector<uint16_t>& operands,
                   const machine::ProgramBuilder::Fields& fields = {});
  size_t load(const Tile& tile, bool cut);
  void set_fill(Instruction& in, int64_t value);
  void set_share(Instruction& in, bool of_core);
  void store(size_t buffer, bool cut);
  void fill_before(uint16_t tensor, const Tile& tile, Queue writer);
  uint16_t written_memory(const Sample& sample, size_t operand, Queue queue);
  size_t written_buffer(const Sample& sample, size_t operand, const std::vector<size_t>& buffers);
  void instruction(const Sample& sample);
  void add_parts(Instruction in, const std::vector<size_t>& reads, const std::vector<size_t>& writes);
  size_t exchanged(size_t buffer);
  void barrier();
  std::optional<Sample> next_sample();

  Making& m_;
  Random& random_;
  machine::ProgramBuilder& builder_;
  uint32_t layer_;
  Steps before_, steps_;  ///< Once before the loops, and in each trip.
  Nest nest_;
  int64_t slots_ = 1;
  std::vector<size_t> results_;  ///< Buffers that instructions wrote and that hold their results still.
  int samples_ = 0;
};

/// Where a trip's rows lie along the first axis: those of (core * trips + trip).
isa::Origin Unit::place(int64_t rows, bool of_core) const {
  const auto trips = static_cast<int32_t>(nest_.trips() * rows), trip = static_cast<int32_t>(rows);
  const bool by_core = of_core && m_.cores > 1;
  if (!nest_.loops()) return by_core ? isa::Origin{0, trips, 0, core_id} : isa::Origin{};
  if (!by_core) return {0, trip, 0, nest_.trip()};
  return {0, trips, trip, core_id, nest_.trip()};
}

Shape Unit::placed(const Shape& shape, bool of_core) const {
  Shape all{nest_.trips() * (of_core ? m_.cores : 1)};
  all.insert(all.end(), shape.begin(), shape.end());
  return all;
}

uint16_t Unit::tile_view(size_t buffer, bool cut) {
  const uint16_t number = builder_.view(steps_.at(buffer).tensor, steps_.at(buffer).tile.shape);
  isa::View& view = builder_.program.views[number];
  if (cut) view.extents[0].source = *nest_.extent();
  if (slots_ == 1) return number;
  view.ring_register = nest_.trip();
  view.ring_shift = static_cast<int16_t>(layer_ % 3);
  view.slots = static_cast<uint16_t>(slots_);
  view.slot_bytes = static_cast<uint32_t>(builder_.program.tensors[view.tensor].bytes / static_cast<uint64_t>(slots_));
  return number;
}

/// A trip's part of a tensor whose first axis is that of all places.
uint16_t Unit::part_view(uint16_t tensor, bool of_core, bool cut) {
  const uint16_t number = builder_.whole(tensor);
  isa::View& view = builder_.program.views[number];
  view.extents[0].size = 1;
  view.origins[0] = place(1, of_core);
  if (cut) view.extents[1].source = *nest_.extent();
  return number;
}

Instruction Unit::made(Opcode op, const std::vector<uint16_t>& operands,
                       const machine::ProgramBuilder::Fields& fields) {
  Instruction in = builder_.add(op, operands, fields);
  builder_.program.code.pop_back();
  builder_.program.source.pop_back();
  return in;
}

/// The box begins or ends outside: its tensor is one shorter along an axis.
void Unit::set_fill(Instruction& in, int64_t value) {
  isa::View& view = builder_.program.views[in.operands[1]];
  isa::TensorDescriptor& tensor = builder_.program.tensors[view.tensor];
  const auto axis = 1 + random_.below(view.rank - size_t{1});
  if (tensor.extents[axis] < 2) return;
  --tensor.extents[axis];
  if (random_.one_in(2)) view.origins[axis].base = -1;
  in.fields[at::load_fill].value = 1;
  in.fields[at::load_value].value = std::bit_cast<uint32_t>(static_cast<float>(value));
}

void Unit::set_share(Instruction& in, bool of_core) {
  if (of_core || !nest_.is_uniform() || m_.cores < 2 || !random_.one_in(2)) return;
  in.fields[at::load_share].value = random_.between(2, m_.cores);
  if (m_.cores == 4 && random_.one_in(3)) in.fields[at::load_share].value = in.fields[at::load_step].value = 2;
}

size_t Unit::load(const Tile& tile, bool cut) {
  const bool of_core = m_.cores > 1 && random_.one_in(2);
  const uint16_t memory = draw_memory(m_, tile, stored_type(random_, tile), placed(tile.shape, of_core));
  const size_t buffer = steps_.buffer(tile, slots_, samples_);
  Instruction in = made(Opcode::load, {tile_view(buffer, cut), part_view(memory, of_core, cut)});
  if (random_.one_in(3)) in.queue = Queue::prefetch;
  if (!cut && random_.one_in(6)) set_fill(in, tile.range ? 0 : random_.between(0, 1));
  set_share(in, of_core);
  if (nest_.predicate()) in.predicate = *nest_.predicate();
  steps_.at(buffer).writers.push_back(steps_.add(std::move(in)));
  return buffer;
}

/// Values for what no trip may come to write, before the loops; `writer` writes there next.
void Unit::fill_before(uint16_t tensor, const Tile& tile, Queue writer) {
  const isa::TensorDescriptor& to = builder_.program.tensors[tensor];
  Shape part(to.extents.begin(), to.extents.begin() + to.rank);
  part[0] /= m_.cores;
  Tile all{tile.dtype, {elements(part)}, Trust::grid};
  if (!is_float(tile.dtype)) all.range = {0, 1};
  const size_t buffer = before_.buffer(all, 1);
  const uint16_t flat = builder_.view(before_.at(buffer).tensor, all.shape), box = builder_.view(tensor, part);
  if (m_.cores > 1) builder_.program.views[box].origins[0] = {0, static_cast<int32_t>(part[0]), 0, core_id};
  const uint16_t from = draw_memory(m_, all, all.dtype, all.shape);
  before_.at(buffer).writers.push_back(before_.add(made(Opcode::load, {flat, builder_.whole(from)})));
  const size_t last = before_.add(made(Opcode::store, {box, flat}));
  before_.at(buffer).readers.push_back(last);
  if (writer == Queue::store) return;
  const isa::Sync filled{builder_.semaphore(0, writer), 1};
  before_.step(last).signals.push_back(filled);
  Instruction wait = made(Opcode::sync, {});
  wait.queue = writer;
  before_.step(before_.add(std::move(wait))).waits.push_back(filled);
}

void Unit::store(size_t buffer, bool cut) {
  Tile tile = steps_.at(buffer).tile;
  if (tile.trust != Trust::close && is_float(tile.dtype) && random_.one_in(4))
    tile.dtype = random_.pick({DType::f32, DType::f16, DType::i8});
  const uint16_t to = draw_output(m_, tile, placed(tile.shape, true));
  if (!nest_.is_complete()) fill_before(to, tile, Queue::store);
  Instruction in = made(Opcode::store, {part_view(to, true, cut), tile_view(buffer, cut)});
  if (nest_.predicate()) in.predicate = *nest_.predicate();
  steps_.at(buffer).readers.push_back(steps_.add(std::move(in)));
}

/// Each core stores its tile, waits for all, and loads that of the next.
size_t Unit::exchanged(size_t buffer) {
  const Tile tile = steps_.at(buffer).tile;
  const uint16_t memory = builder_.scratch(tile.dtype, placed(tile.shape, true));
  isa::TensorDescriptor& tensor = builder_.program.tensors[memory];
  if (random_.one_in(2)) {
    isa::Region& region = builder_.program.regions[tensor.region];
    region.kind = isa::RegionKind::shared;
    region.page_bytes = 64 * static_cast<uint64_t>(random_.between(1, 4));
    tensor.space = isa::Space::shared;
  }
  const isa::Sync all{builder_.semaphore(0, Queue::load), 1, true};
  const size_t store = steps_.add(made(Opcode::store, {part_view(memory, true, false), tile_view(buffer, false)}));
  steps_.at(buffer).readers.push_back(store);
  steps_.step(store).signals.push_back(all);
  const uint8_t next = nest_.take_register();
  steps_.add(let(next, Let::add, in_register(core_id), constant(1)));
  steps_.add(let(next, Let::mod, in_register(next), constant(m_.cores)));
  const uint16_t from = builder_.whole(memory);
  builder_.program.views[from].extents[0].size = 1;
  builder_.program.views[from].origins[0] = {0, 1, 0, next};
  const size_t to = steps_.buffer(tile, 1);
  const size_t load = steps_.add(made(Opcode::load, {tile_view(to, false), from}));
  steps_.at(to).writers.push_back(load);
  steps_.step(load).waits.push_back({all.id, static_cast<uint8_t>(m_.cores)});
  return to;
}

/// One queue more waits for another.
void Unit::barrier() {
  constexpr std::array queues{Queue::load, Queue::prefetch, Queue::store, Queue::matrix, Queue::vector, Queue::host};
  Instruction signals = made(Opcode::sync, {}), waits = signals;
  signals.queue = queues[random_.below(queues.size())];
  waits.queue = queues[random_.below(queues.size())];
  const isa::Sync count{builder_.semaphore(0, waits.queue), static_cast<uint8_t>(random_.between(1, 3))};
  steps_.step(steps_.add(std::move(signals))).signals.push_back(count);
  steps_.step(steps_.add(std::move(waits))).waits.push_back(count);
}

/// Memory that the instruction itself writes: a new output, whose part of a trip has the operand's first extent.
uint16_t Unit::written_memory(const Sample& sample, size_t operand, Queue queue) {
  const Tile& tile = *sample.operands[operand];
  Shape all = tile.shape;
  all[0] *= nest_.trips() * m_.cores;
  const uint16_t tensor = draw_output(m_, tile, all);
  if (!nest_.is_complete() || isa::row_of(sample.op)->operands[operand].kept) fill_before(tensor, tile, queue);
  const uint16_t number = builder_.view(tensor, tile.shape);
  builder_.program.views[number].origins[0] = place(tile.shape[0], true);
  return number;
}

/// A new buffer, or that of an operand that the row lets be written over, where its queue wrote it and nobody else
/// reads it.
size_t Unit::written_buffer(const Sample& sample, size_t operand, const std::vector<size_t>& buffers) {
  const Tile& out = *sample.operands[operand];
  const isa::Row& row = *isa::row_of(sample.op);
  if (operand == 0 && sample.previous && row.operands[*sample.previous].in_place && !nest_.extent()) {
    const size_t buffer = buffers[*sample.previous];
    Steps::Buffer& old = steps_.at(buffer);
    const bool same_queue = (row.queues & isa::on(steps_.step(old.writers.front()).in.queue)) != 0;
    if (old.tile.dtype == out.dtype && old.tile.shape == out.shape && same_queue && random_.one_in(2)) {
      old.tile = out;
      std::erase(results_, buffer);
      return buffer;
    }
  }
  return steps_.buffer(out, slots_);
}

/// Partial sums of one to three equal parts: in a loop of its own, or one instruction that emits at once.
void Unit::add_parts(Instruction in, const std::vector<size_t>& reads, const std::vector<size_t>& writes) {
  const auto note = [&](size_t step) {
    for (const size_t buffer : reads) steps_.at(buffer).readers.push_back(step);
    for (const size_t buffer : writes) steps_.at(buffer).writers.push_back(step);
  };
  const bool is_matrix = in.queue == Queue::matrix;
  if (!is_matrix || !random_.one_in(3)) return note(steps_.add(std::move(in)));
  const int64_t parts = random_.between(1, most_parts);
  const uint8_t index = nest_.take_register(), not_first = nest_.take_register(), last = nest_.take_register();
  Instruction sync = made(Opcode::sync, {});
  sync.queue = in.queue;
  note(steps_.add(sync));
  steps_.add(loop(index, constant(parts), parts));
  steps_.add(let(not_first, Let::less, constant(0), in_register(index)));
  steps_.add(let(last, Let::eq, in_register(index), constant(parts - 1)));
  in.fields[at::accumulate] = in_register(not_first);
  in.fields[at::emit] = in_register(last);
  steps_.add(std::move(in));
  steps_.add(end());
  note(steps_.add(std::move(sync)));
}

void Unit::instruction(const Sample& sample) {
  const isa::Row& row = *isa::row_of(sample.op);
  std::vector<uint16_t> views(sample.operands.size(), isa::no_view);
  std::vector<size_t> buffers(sample.operands.size()), reads, writes;
  const auto queue = static_cast<Queue>(std::countr_zero(row.queues));
  for (size_t i = row.written_count(); i < sample.operands.size(); ++i) {
    if (!sample.operands[i]) continue;
    if ((row.operands[i].spaces & isa::in_scratchpad) == 0) {  // Memory: a table, an operand of the host.
      views[i] =
          builder_.whole(draw_memory(m_, *sample.operands[i], sample.operands[i]->dtype, sample.operands[i]->shape));
      continue;
    }
    buffers[i] = sample.previous == i ? results_.back() : load(*sample.operands[i], is_cut(sample, i));
    views[i] = tile_view(buffers[i], is_cut(sample, i));
    reads.push_back(buffers[i]);
  }
  for (size_t i = 0; i < row.written_count(); ++i) {
    if (!sample.operands[i]) continue;
    if ((row.operands[i].spaces & isa::in_scratchpad) == 0) {
      views[i] = written_memory(sample, i, queue);
      continue;
    }
    buffers[i] = written_buffer(sample, i, buffers);
    views[i] = tile_view(buffers[i], is_cut(sample, i));
    writes.push_back(buffers[i]);
  }
  Instruction in = made(sample.op, views, sample.fields);
  if (nest_.predicate()) in.predicate = *nest_.predicate();
  add_parts(std::move(in), reads, writes);
  results_.insert(results_.end(), writes.begin(), writes.end());
  if (writes.size() > 1) std::swap(results_.back(), results_[results_.size() - 2]);  // Values follow indices.
  ++samples_;
}

/// The first of any kind; others read the result of the one before.
std::optional<Sample> Unit::next_sample() {
  const Tile* previous = results_.empty() ? nullptr : &steps_.at(results_.back()).tile;
  for (int tries = 0; tries < 6; ++tries) {
    Source source{random_, builder_, previous};
    auto sample = draw(m_.opcodes[random_.below(m_.opcodes.size())], source);
    if (samples_ == 0 || sample->previous) return sample;
  }
  return std::nullopt;
}

void Unit::make() {
  slots_ = nest_.loops() ? random_.between(1, 3) : 1;
  const auto first = next_sample();
  const int64_t rows = first->batched.empty() ? 0 : first->operands[first->batched[0]]->shape[0];
  nest_.draw_guards(rows);
  if (random_.one_in(6)) barrier();
  instruction(*first);
  for (int64_t more = nest_.extent() || results_.empty() ? 0 : random_.between(0, 2); more > 0; --more)
    if (const auto sample = next_sample()) instruction(*sample);
  const bool may_exchange = m_.cores > 1 && !nest_.loops() && nest_.is_complete();
  for (const size_t buffer : results_) {
    const bool exchanges = may_exchange && random_.one_in(3);
    store(exchanges ? exchanged(buffer) : buffer, nest_.extent() && is_cut(*first, 0));
  }
  before_.link(1, false);
  before_.write(layer_);
  for (const Instruction& in : nest_.head()) write(m_, in, layer_);
  steps_.link(slots_, nest_.loops() || random_.one_in(2));
  steps_.write(layer_);
  for (const Instruction& in : nest_.tail()) write(m_, in, layer_);
}

}  // namespace

void make_unit(Making& making, uint32_t layer) { Unit(making, layer).make(); }

}  // namespace hadal::fuzz

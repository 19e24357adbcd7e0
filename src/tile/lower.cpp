// Tile program to instructions. One pass over the phases, in order:
//  - an expression becomes registers (registers.h);
//  - a tile becomes a slot of its ring: taking it waits for a free slot, filling it signals its readers, the last
//    reader gives the slot back (two semaphores a ring, for the whole program: loads of the next phase run ahead
//    as far as there are slots);
//  - a phase that reads what an earlier one stored waits until all cores have stored it;
//  - prefetches stand ahead of their phases (ahead.h);
//  - in what is written by hand stand the semaphores that it names. A tile of which only one end is there is waited for
//    before all of it, and signalled after.
#include "tile/lower.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "tile/ahead.h"
#include "tile/describe.h"
#include "tile/registers.h"
#include "tile/uses.h"

namespace hadal::tile {

namespace {

using isa::Instruction;
using isa::Opcode;
using isa::Queue;
using isa::Sync;

class Lowering {
 public:
  Lowering(const Program& program, const Target& target, PhaseOrder order, Placement placement)
      : in_(program),
        target_(target),
        order_(std::move(order)),
        placement_(std::move(placement)),
        registers_(code_, target.cores) {}

  Result<isa::Program> run();

 private:
  // Semaphores.
  /// Whether a ring has any tiles.
  [[nodiscard]] bool flows(size_t ring) const { return placement_.slot_bytes[ring] > 0; }
  void declare_semaphores();
  uint8_t ready_semaphore(size_t phase);
  void attach(std::array<Sync, 3>& to, std::vector<Sync> syncs, Queue queue, bool before);
  void sync(Queue queue, const std::vector<Sync>& waits, const std::vector<Sync>& signals);

  // Code.
  void body(const std::vector<Statement>& statements, std::vector<Sync> awaited = {});
  bool must_follow_waits(const Statement& statement);
  void wait_for(const std::vector<Sync>& phases);
  void host_instruction(const Statement& statement);
  void loop(const Statement& statement);
  void instruction(const Statement& statement, const std::vector<Sync>& waits, const std::vector<Sync>& signals);
  void take(const Statement& statement);
  uint16_t view(const Operand& operand, Queue queue);
  void phase(size_t p);
  void step(const Step& step);

  const Program& in_;
  const Target& target_;
  PhaseOrder order_;
  Placement placement_;
  Code code_;
  Registers registers_;
  const Phase* phase_ = nullptr;
  Slice slice_ = Slice::all;             ///< Of the phase, what is being written.
  std::vector<uint8_t> ring_register_;   ///< Tiles taken of each ring; by its consumer, where its producer is ahead:
  std::vector<uint8_t> ahead_register_;  ///< then this counts the producer's.
  std::vector<int64_t> ring_taken_;      ///< Tiles taken in the text of this phase so far: slots count from the newest.
  std::vector<int64_t> tile_taken_;      ///< Of each tile of the phase: the ring's count when it was taken.
  std::vector<uint8_t> free_semaphore_, full_semaphore_;
  size_t first_by_hand_ = 0;
  std::vector<int> ready_of_phase_;  ///< Semaphore of a phase that some phase waits for.
  std::vector<int> ready_owner_;     ///< Last phase that had each ready semaphore.
  size_t first_ready_ = 0;
  size_t last_signal_ = 0;      ///< Last phase whose stores are waited for.
  std::optional<Sync> waited_;  ///< Counts the waits for phases that the load queue is past; the store queue takes it.
  int waits_passed_ = 0;        ///< Of those, how many the store queue has not taken.
  std::optional<Sync> stored_;  ///< From the load queue, which knows what is stored, to prefetches by hand.
  Sync call_, called_;  ///< From the load queue, which knows what is stored, to the host's; thence to the store queue.
};

void Lowering::declare_semaphores() {
  for (const Ring& ring : in_.rings) {
    const auto id = static_cast<uint8_t>(code_.program.semaphores.size());
    const auto index = static_cast<size_t>(&ring - in_.rings.data());
    free_semaphore_.push_back(id);
    full_semaphore_.push_back(static_cast<uint8_t>(id + 1));
    if (ring.producer == ring.consumer || !flows(index)) continue;
    code_.program.semaphores.push_back({ring.name + ".free", placement_.slots[index], ring.producer});
    code_.program.semaphores.push_back({ring.name + ".full", 0, ring.consumer});
  }
  if (!in_.functions.empty()) {
    call_ = Sync{static_cast<uint8_t>(code_.program.semaphores.size()), 1, false};
    called_ = Sync{static_cast<uint8_t>(call_.id + 1), 1, false};
    code_.program.semaphores.push_back({"call", 0, Queue::host});
    code_.program.semaphores.push_back({"called", 0, Queue::store});
  }
  for (size_t p = 0; p < in_.phases.size(); ++p)
    if (order_.joined_at[p] >= 0) last_signal_ = p;
  if (target_.cores > 1) {
    waited_ = Sync{static_cast<uint8_t>(code_.program.semaphores.size()), 1, false};
    code_.program.semaphores.push_back({"waited", 0, Queue::store});
  }
  const auto prefetches = [](const Phase& phase) { return prefetches_by_hand(phase.body); };
  if (std::ranges::any_of(in_.phases, prefetches)) {
    stored_ = Sync{static_cast<uint8_t>(code_.program.semaphores.size()), 1, false};
    code_.program.semaphores.push_back({"stored", 0, Queue::prefetch});
  }
  first_by_hand_ = code_.program.semaphores.size();
  code_.program.semaphores.insert(code_.program.semaphores.end(), in_.semaphores.begin(), in_.semaphores.end());
  first_ready_ = code_.program.semaphores.size();
  if (first_ready_ > isa::semaphores)
    code_.fail("lower.semaphores",
               fmt::format("its rings between queues take {} semaphores, {} are made by hand; there are {}",
                           first_by_hand_, in_.semaphores.size(), isa::semaphores));
}

/// A semaphore for "all cores have stored phase p". One may serve again when all cores are known to have waited on it:
/// its waiting phase q is itself waited for, by a phase not after p.
uint8_t Lowering::ready_semaphore(size_t p) {
  for (size_t i = 0; i < ready_owner_.size(); ++i) {
    const int q = order_.joined_at[static_cast<size_t>(ready_owner_[i])];
    const int passed = q < 0 ? -1 : order_.joined_at[static_cast<size_t>(q)];
    if (passed < 0 || passed > static_cast<int>(p)) continue;
    ready_owner_[i] = static_cast<int>(p);
    return static_cast<uint8_t>(first_ready_ + i);
  }
  ready_owner_.push_back(static_cast<int>(p));
  const size_t id = first_ready_ + ready_owner_.size() - 1;
  if (id >= isa::semaphores) {
    code_.fail("lower.semaphores", fmt::format("more than {} results are awaited at once",
                                               isa::semaphores - static_cast<int>(first_ready_)));
    return static_cast<uint8_t>(first_ready_);
  }
  code_.program.semaphores.push_back({fmt::format("ready.{}", ready_owner_.size() - 1), 0, Queue::load});
  return static_cast<uint8_t>(id);
}

void Lowering::sync(Queue queue, const std::vector<Sync>& waits, const std::vector<Sync>& signals) {
  for (size_t i = 0; i < std::max(waits.size(), signals.size()); i += 3) {
    Instruction in;
    in.op = Opcode::sync;
    in.queue = queue;
    for (size_t j = i; j < std::min(i + 3, waits.size()); ++j) in.waits[j - i] = waits[j];
    for (size_t j = i; j < std::min(i + 3, signals.size()); ++j) in.signals[j - i] = signals[j];
    code_.emit(std::move(in));
  }
}

uint16_t Lowering::view(const Operand& operand, Queue queue) {
  if (std::holds_alternative<std::monostate>(operand)) return isa::no_view;
  isa::View view;
  if (const auto* window = std::get_if<Window>(&operand)) {
    view.tensor = static_cast<uint16_t>(window->tensor);
    view.rank = static_cast<uint8_t>(window->extents.size());
    for (size_t i = 0; i < window->extents.size(); ++i) {
      view.origins[i] = registers_.origin(window->origins[i]);
      view.extents[i] = registers_.extent(window->extents[i]);
    }
  } else {
    const auto& tile = std::get<TileView>(operand);
    const Tile& declared = phase_->tiles[static_cast<size_t>(tile.tile)];
    const auto ring = static_cast<size_t>(declared.ring);
    // One descriptor a ring and type, behind those of the tensors.
    view.tensor = static_cast<uint16_t>(in_.tensors.size() + ring * dtype_count + static_cast<size_t>(declared.dtype));
    view.rank = static_cast<uint8_t>(tile.extents.size());
    if (placement_.slots[ring] > 1) {  // A single slot is a plain buffer.
      if (in_.rings[ring].by_hand) {
        view.ring_register = registers_.register_of(tile.slot);
      } else {
        view.ring_register = (queue == Queue::prefetch ? ahead_register_ : ring_register_)[ring];
        view.ring_shift = static_cast<int16_t>(tile_taken_[static_cast<size_t>(tile.tile)] - ring_taken_[ring]);
      }
      view.slots = static_cast<uint16_t>(placement_.slots[ring]);
      view.slot_bytes = static_cast<uint32_t>(placement_.slot_bytes[ring]);
    }
    for (size_t i = 0; i < tile.extents.size(); ++i) view.extents[i] = registers_.extent(tile.extents[i]);
  }
  if (code_.program.views.size() >= isa::no_view) {
    code_.fail("lower.views", "the program needs more than 65,535 views");
    return 0;
  }
  code_.program.views.push_back(view);
  return static_cast<uint16_t>(code_.program.views.size() - 1);
}

/// Adds equal semaphores' counts, so that one entry serves them.
std::vector<Sync> merged(const std::vector<Sync>& syncs) {
  std::vector<Sync> out;
  for (const Sync& sync : syncs) {
    const auto same = std::find_if(out.begin(), out.end(),
                                   [&](const Sync& s) { return s.id == sync.id && s.everywhere == sync.everywhere; });
    if (same == out.end())
      out.push_back(sync);
    else
      same->count = static_cast<uint8_t>(same->count + sync.count);
  }
  return out;
}

void Lowering::instruction(const Statement& statement, const std::vector<Sync>& waits,
                           const std::vector<Sync>& signals) {
  Instruction in;
  in.op = statement.op;
  in.queue = statement.queue;
  for (const Operand& operand : statement.operands) in.operands.push_back(view(operand, in.queue));
  for (const Expr& field : statement.fields) in.fields.push_back(registers_.number(field));
  const auto with_own = [&](std::vector<Sync> syncs, const std::vector<Sync>& own) {
    for (Sync sync : own) {
      sync.id = static_cast<uint8_t>(first_by_hand_ + sync.id);
      syncs.push_back(sync);
    }
    return merged(syncs);
  };
  const std::vector<Sync> all_waits = with_own(waits, statement.waits),
                          all_signals = with_own(signals, statement.signals);
  if (all_waits.size() > 3) sync(in.queue, {all_waits.begin() + 3, all_waits.end()}, {});
  for (size_t i = 0; i < std::min<size_t>(3, all_waits.size()); ++i) in.waits[i] = all_waits[i];
  for (size_t i = 0; i < std::min<size_t>(3, all_signals.size()); ++i) in.signals[i] = all_signals[i];
  const Queue queue = in.queue;
  code_.emit(std::move(in));
  if (all_signals.size() > 3) sync(queue, {}, {all_signals.begin() + 3, all_signals.end()});
}

void Lowering::loop(const Statement& statement) {
  const isa::Field count = registers_.number(statement.count);
  registers_.open_scope();
  const uint8_t index = registers_.take_register();
  registers_.name(statement.index, index);
  Instruction in;
  in.op = Opcode::loop;
  in.fields = {{index, false}, count, {std::max<int64_t>(statement.count.highest(), 0), false}};
  code_.emit(std::move(in));
  body(statement.body);
  code_.line = statement.line;
  in = {};
  in.op = Opcode::end;
  code_.emit(std::move(in));
  registers_.close_scope();
}

/// Whether a statement reads what the phase waits for, or stores: others may read what is overwritten until then.
bool Lowering::must_follow_waits(const Statement& statement) {
  const auto inner = [&](const Statement& s) { return must_follow_waits(s); };
  if (std::any_of(statement.body.begin(), statement.body.end(), inner)) return true;
  if (statement.kind != Statement::Kind::instruction) return false;
  const isa::Row& row = *isa::row_of(statement.op);
  for (size_t i = 0; i < statement.operands.size(); ++i) {
    const auto* window = std::get_if<Window>(&statement.operands[i]);
    if (!window) continue;
    const int storage = in_.tensors[static_cast<size_t>(window->tensor)].storage;
    if (row.operands[i].written || order_.awaited[code_.layer].contains(storage)) return true;
  }
  return false;
}

void Lowering::wait_for(const std::vector<Sync>& phases) {
  sync(Queue::load, phases, {});
  auto& signals = code_.program.code.back().signals;
  if (waited_ && code_.layer <= last_signal_) {
    signals[0] = *waited_;
    ++waits_passed_;
  }
  if (!prefetches_by_hand(phase_->body)) return;
  signals[1] = *stored_;
  sync(Queue::prefetch, {*stored_}, {});
}

void Lowering::host_instruction(const Statement& statement) {
  sync(Queue::load, {}, {call_});
  instruction(statement, {call_}, {called_});
  sync(Queue::store, {called_}, {});
}

/// Counts a tile, on both sides of its ring as far as they are written here.
void Lowering::take(const Statement& statement) {
  const auto ring = static_cast<size_t>(phase_->tiles[static_cast<size_t>(statement.tile)].ring);
  tile_taken_[static_cast<size_t>(statement.tile)] = ++ring_taken_[ring];
  const auto count = [&](uint8_t number) { registers_.let(number, Op::add, {number, true}, {1, false}); };
  if (ring_register_[ring] == isa::no_register) return;
  const bool apart = ahead_register_[ring] != ring_register_[ring];
  if (apart && has(slice_, Queue::prefetch)) count(ahead_register_[ring]);
  if (!apart || has(slice_, in_.rings[ring].consumer)) count(ring_register_[ring]);
}

/// `awaited`: what must be waited for before the first statement that needs it.
void Lowering::body(const std::vector<Statement>& statements, std::vector<Sync> awaited) {
  if (!awaited.empty() && updates(statements)) wait_for(std::exchange(awaited, {}));
  std::map<int, Uses> uses;
  for (size_t i = 0; i < statements.size(); ++i) find_uses(in_, *phase_, statements[i], static_cast<int>(i), uses);
  struct Syncs {
    std::map<Queue, std::vector<Sync>> waits, signals;
  };
  std::vector<Syncs> syncs(statements.size());
  for (const Statement& statement : statements) {
    if (statement.kind != Statement::Kind::tile) continue;
    const Tile& tile = phase_->tiles[static_cast<size_t>(statement.tile)];
    const Ring& ring = in_.rings[static_cast<size_t>(tile.ring)];
    const auto r = static_cast<size_t>(tile.ring);
    const Uses& use = uses[statement.tile];
    // Within one queue an instruction may write two tiles, of which one is read.
    const bool apart = ring.producer != ring.consumer;
    if (use.first_write < 0 || (apart && use.first_read < 0))
      code_.fail("lower.tile", fmt::format("tile {} is written or read nowhere", tile.name));
    for (int i = std::max(use.first_write, 0); i <= std::max(use.last_read, use.last_write); ++i)
      if (statements[static_cast<size_t>(i)].kind == Statement::Kind::loop &&
          takes(*phase_, statements[static_cast<size_t>(i)], tile.ring))
        code_.fail("lower.ring", fmt::format("tile {} lives across a loop that takes further slots of ring {}",
                                             tile.name, ring.name));
    if (code_.error || !apart) continue;
    syncs[static_cast<size_t>(use.first_write)].waits[ring.producer].push_back({free_semaphore_[r], 1, false});
    syncs[static_cast<size_t>(use.last_write)].signals[ring.producer].push_back({full_semaphore_[r], 1, false});
    syncs[static_cast<size_t>(use.first_read)].waits[ring.consumer].push_back({full_semaphore_[r], 1, false});
    syncs[static_cast<size_t>(use.last_read)].signals[ring.consumer].push_back({free_semaphore_[r], 1, false});
  }
  for (size_t i = 0; i < statements.size() && !code_.error; ++i) {
    const Statement& statement = statements[i];
    if (!has(slice_, in_, *phase_, statement)) continue;
    code_.line = statement.line;
    if (!awaited.empty() && must_follow_waits(statement)) wait_for(std::exchange(awaited, {}));
    if (statement.kind == Statement::Kind::tile) {
      take(statement);
    } else if (statement.queue == Queue::host) {
      host_instruction(statement);
    } else if (statement.kind == Statement::Kind::instruction) {
      instruction(statement, syncs[i].waits[statement.queue], syncs[i].signals[statement.queue]);
    } else {
      for (const auto& [queue, waits] : syncs[i].waits)
        if (has(slice_, queue)) sync(queue, merged(waits), {});
      if (statement.kind == Statement::Kind::loop)
        loop(statement);
      else
        body(statement.body);
      code_.line = statement.line;
      for (const auto& [queue, signals] : syncs[i].signals)
        if (has(slice_, queue)) sync(queue, {}, merged(signals));
    }
  }
}

void Lowering::step(const Step& step) {
  phase_ = &in_.phases[step.phase];
  slice_ = step.slice;
  code_.layer = static_cast<uint32_t>(step.phase);
  code_.line.clear();
  ring_taken_.assign(in_.rings.size(), 0);
  tile_taken_.assign(phase_->tiles.size(), 0);
  registers_.open_scope();
  if (slice_ == Slice::ahead)
    body(phase_->body);
  else
    phase(step.phase);
  registers_.close_scope();
}

void Lowering::phase(size_t p) {
  const auto everyone = static_cast<uint8_t>(target_.cores);
  std::vector<Sync> waits;
  for (const int earlier : order_.waits[p])
    waits.push_back({static_cast<uint8_t>(ready_of_phase_[static_cast<size_t>(earlier)]), everyone, false});
  body(phase_->body, std::move(waits));
  code_.line.clear();
  if (order_.joined_at[p] < 0 && waits_passed_ < 255) return;
  // A core without work in a phase would signal for it, and for later ones, before others have done earlier ones: "all
  // cores have stored" would count such signals twice.
  std::vector<Sync> passed;
  if (waits_passed_ > 0) passed.push_back({waited_->id, static_cast<uint8_t>(waits_passed_), false});
  waits_passed_ = 0;
  if (order_.joined_at[p] < 0) return sync(Queue::store, passed, {});
  ready_of_phase_[p] = ready_semaphore(p);
  sync(Queue::store, passed, {{static_cast<uint8_t>(ready_of_phase_[p]), 1, true}});
}

Result<isa::Program> Lowering::run() {
  describe(in_, target_, placement_, code_.program);
  declare_semaphores();
  ready_of_phase_.assign(in_.phases.size(), -1);
  const std::vector<Step> steps = steps_of(in_, placement_, target_.ahead);
  const bool apart = std::ranges::any_of(steps, [](const Step& step) { return step.slice == Slice::ahead; });
  for (const Ring& ring : in_.rings) {
    const auto index = static_cast<size_t>(&ring - in_.rings.data());
    const bool single = placement_.slots[index] == 1;
    // In plain buffers nothing is counted.
    if (ring.by_hand || !flows(index) || (single && ring.producer == ring.consumer)) {
      ring_register_.push_back(isa::no_register);
      ahead_register_.push_back(isa::no_register);
      continue;
    }
    ring_register_.push_back(registers_.take_register());
    const bool two = apart && ring.producer == Queue::prefetch;
    ahead_register_.push_back(two ? registers_.take_register() : ring_register_.back());
  }
  for (const Step& each : steps)
    if (!code_.error) step(each);
  if (code_.error) return *code_.error;
  code_.line.clear();
  code_.emit({});
  if (std::ranges::all_of(code_.program.lines, &std::string::empty)) code_.program.lines.clear();
  drop_unseen(code_.program);
  state_needs(code_.program);
  return std::move(code_.program);
}

}  // namespace

Expr core_id(int64_t cores) { return Expr::variable("core", 0, cores - 1).within(0, cores - 1); }

Result<isa::Program> lower(const Program& program, const Target& target, Placement* placed) {
  if (target.cores < 1 || target.cores > 255)
    return Error{"lower.cores", fmt::format("{} cores; a program counts 1 to 255", target.cores)};
  PhaseOrder order = order_phases(program);
  HADAL_TRY(Placement placement, place(program, order, target));
  if (placed) *placed = placement;
  return Lowering(program, target, std::move(order), std::move(placement)).run();
}

}  // namespace hadal::tile

// Tile program to instructions. One pass over the phases, in order:
//  - an expression becomes registers, computed by `let` where it is first needed and shared within its loop;
//  - a tile becomes a slot of its ring: taking it waits for a free slot, filling it signals its readers, the last
//    reader gives the slot back (two semaphores a ring, for the whole program: loads of the next phase run ahead
//    as far as there are slots);
//  - a phase that reads what an earlier one stored waits until all cores have stored it.
#include "tile/lower.h"

#include <algorithm>
#include <climits>
#include <map>
#include <optional>
#include <utility>

namespace hadal::tile {

namespace {

using isa::Instruction;
using isa::Opcode;
using isa::Queue;
using isa::Sync;

constexpr uint8_t core_register = 0;

/// A sum of coefficient * atom, plus a constant; atoms are variables or what is not linear.
struct Linear {
  int64_t constant = 0;
  std::map<std::string, std::pair<Expr, int64_t>> terms;
};

void add_linear(const Expr& e, int64_t factor, Linear& sum) {
  if (e.is_constant()) {
    sum.constant += factor * e.constant();
  } else if (e.op() == Op::add || e.op() == Op::sub) {
    add_linear(e.left(), factor, sum);
    add_linear(e.right(), e.op() == Op::add ? factor : -factor, sum);
  } else if (e.op() == Op::mul && (e.left().is_constant() || e.right().is_constant())) {
    const bool left = e.left().is_constant();
    add_linear(left ? e.right() : e.left(), factor * (left ? e.left() : e.right()).constant(), sum);
  } else {
    auto& term = sum.terms.try_emplace(e.text(), e, 0).first->second;
    term.second += factor;
    if (term.second == 0) sum.terms.erase(e.text());
  }
}

class Lowering {
 public:
  Lowering(const Program& program, const Target& target, PhaseOrder order, Placement placement)
      : in_(program), target_(target), order_(std::move(order)), placement_(std::move(placement)) {}

  Result<isa::Program> run();

 private:
  // Registers.
  void open_scope() { scopes_.emplace_back(); }
  void close_scope();
  uint8_t take_register();
  uint8_t register_of(const Expr& e);
  isa::Field number(const Expr& e);
  isa::Origin origin(const Expr& e);
  isa::Extent extent(const Expr& e);

  // Semaphores.
  void declare_semaphores();
  uint8_t ready_semaphore(size_t phase);
  void attach(std::array<Sync, 3>& to, std::vector<Sync> syncs, Queue queue, bool before);
  void sync(Queue queue, const std::vector<Sync>& waits, const std::vector<Sync>& signals);

  // Code.
  void emit(Instruction in);
  void let(uint8_t target, Op op, const isa::Field& a, const isa::Field& b);
  void body(const std::vector<Statement>& statements, std::vector<Sync> awaited = {});
  bool must_follow_waits(const Statement& statement);
  void wait_for(const std::vector<Sync>& phases);
  void loop(const Statement& statement);
  void instruction(const Statement& statement, const std::vector<Sync>& waits, const std::vector<Sync>& signals);
  uint16_t view(const Operand& operand);
  void phase(size_t p);
  void describe();
  void state_needs();
  void fail(std::string code, std::string message, std::string remedy = "") {
    if (!error_)
      error_ = Error{std::move(code), std::move(message),
                     fmt::format("layer {}", printable(phase_ ? phase_->layer.name : "")), std::move(remedy)};
  }

  const Program& in_;
  const Target& target_;
  PhaseOrder order_;
  Placement placement_;
  isa::Program out_;
  std::optional<Error> error_;
  const Phase* phase_ = nullptr;
  uint32_t layer_ = 0;

  struct Scope {
    std::map<std::string, uint8_t> values;
    std::vector<uint8_t> taken;
  };
  std::vector<Scope> scopes_;
  std::vector<uint8_t> free_registers_;
  std::vector<uint8_t> ring_register_;
  std::vector<int64_t>
      ring_taken_;  ///< Tiles taken so far in the text of this phase: for slots relative to the newest.
  std::vector<int64_t> tile_taken_;  ///< Of each tile of the phase: the ring's count when it was taken.
  std::vector<uint8_t> free_semaphore_, full_semaphore_;
  std::vector<int> ready_of_phase_;  ///< Semaphore of a phase that some phase waits for.
  std::vector<int> ready_owner_;     ///< Last phase that had each ready semaphore.
  size_t first_ready_ = 0;
  size_t last_signal_ = 0;      ///< Last phase whose stores are waited for.
  std::optional<Sync> waited_;  ///< Counts the waits for phases that the load queue is past; the store queue takes it.
  int waits_passed_ = 0;        ///< Of those, how many the store queue has not taken.
};

uint8_t Lowering::take_register() {
  if (free_registers_.empty()) {
    fail("lower.registers", fmt::format("more than {} registers are live", isa::registers));
    return 1;
  }
  const uint8_t taken = free_registers_.back();
  free_registers_.pop_back();
  scopes_.back().taken.push_back(taken);
  return taken;
}

void Lowering::close_scope() {
  for (const uint8_t taken : scopes_.back().taken) free_registers_.push_back(taken);
  scopes_.pop_back();
}

void Lowering::emit(Instruction in) {
  out_.code.push_back(std::move(in));
  out_.source.push_back(layer_);
}

void Lowering::let(uint8_t target, Op op, const isa::Field& a, const isa::Field& b) {
  Instruction in;
  in.op = Opcode::let;
  in.fields = {{target, false}, {static_cast<int64_t>(op) - static_cast<int64_t>(Op::add), false}, a, b};
  emit(std::move(in));
}

uint8_t Lowering::register_of(const Expr& e) {
  for (const Scope& scope : scopes_)
    if (const auto found = scope.values.find(e.text()); found != scope.values.end()) return found->second;
  if (e.op() == Op::constant) {
    const uint8_t target = take_register();
    let(target, Op::add, {e.constant(), false}, {0, false});
    scopes_.back().values[e.text()] = target;
    return target;
  }
  if (e.op() == Op::variable) {
    fail("lower.variable", fmt::format("{} is used outside its loop", e.text()));
    return 0;
  }
  const isa::Field a = number(e.left()), b = number(e.right());
  const uint8_t target = take_register();
  let(target, e.op(), a, b);
  scopes_.back().values[e.text()] = target;
  return target;
}

isa::Field Lowering::number(const Expr& e) {
  if (e.is_constant()) return {e.constant(), false};
  return {register_of(e), true};
}

isa::Origin Lowering::origin(const Expr& e) {
  Linear sum;
  add_linear(e, 1, sum);
  if (sum.terms.size() > 2 ||
      std::any_of(sum.terms.begin(), sum.terms.end(), [](auto& t) { return std::abs(t.second.second) > INT32_MAX; }))
    return {0, 1, 0, register_of(e), isa::no_register};
  isa::Origin out;
  out.base = static_cast<int32_t>(sum.constant);
  for (const auto& [text, term] : sum.terms) {
    const bool first = out.register_a == isa::no_register;
    (first ? out.register_a : out.register_b) = register_of(term.first);
    (first ? out.scale_a : out.scale_b) = static_cast<int32_t>(term.second);
  }
  return out;
}

isa::Extent Lowering::extent(const Expr& e) {
  if (e.highest() > UINT32_MAX) fail("lower.extent", fmt::format("an extent of {} passes 32 bits", e.highest()));
  const auto most = static_cast<uint32_t>(std::max<int64_t>(e.highest(), 0));
  if (e.is_constant()) return {most, isa::no_register};
  return {most, register_of(e)};
}

void Lowering::declare_semaphores() {
  for (const Ring& ring : in_.rings) {
    const auto id = static_cast<uint8_t>(out_.semaphores.size());
    const auto index = static_cast<size_t>(&ring - in_.rings.data());
    free_semaphore_.push_back(id);
    full_semaphore_.push_back(static_cast<uint8_t>(id + 1));
    if (ring.producer == ring.consumer) continue;
    out_.semaphores.push_back({ring.name + ".free", placement_.slots[index], ring.producer});
    out_.semaphores.push_back({ring.name + ".full", 0, ring.consumer});
  }
  for (size_t p = 0; p < in_.phases.size(); ++p)
    if (order_.joined_at[p] >= 0) last_signal_ = p;
  if (target_.cores > 1) {
    waited_ = Sync{static_cast<uint8_t>(out_.semaphores.size()), 1, false};
    out_.semaphores.push_back({"waited", 0, Queue::store});
  }
  first_ready_ = out_.semaphores.size();
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
    fail("lower.semaphores",
         fmt::format("more than {} results are awaited at once", isa::semaphores - static_cast<int>(first_ready_)));
    return static_cast<uint8_t>(first_ready_);
  }
  out_.semaphores.push_back({fmt::format("ready.{}", ready_owner_.size() - 1), 0, Queue::load});
  return static_cast<uint8_t>(id);
}

void Lowering::sync(Queue queue, const std::vector<Sync>& waits, const std::vector<Sync>& signals) {
  for (size_t i = 0; i < std::max(waits.size(), signals.size()); i += 3) {
    Instruction in;
    in.op = Opcode::sync;
    in.queue = queue;
    for (size_t j = i; j < std::min(i + 3, waits.size()); ++j) in.waits[j - i] = waits[j];
    for (size_t j = i; j < std::min(i + 3, signals.size()); ++j) in.signals[j - i] = signals[j];
    emit(std::move(in));
  }
}

uint16_t Lowering::view(const Operand& operand) {
  if (std::holds_alternative<std::monostate>(operand)) return isa::no_view;
  isa::View view;
  if (const auto* window = std::get_if<Window>(&operand)) {
    view.tensor = static_cast<uint16_t>(window->tensor);
    view.rank = static_cast<uint8_t>(window->extents.size());
    for (size_t i = 0; i < window->extents.size(); ++i) {
      view.origins[i] = origin(window->origins[i]);
      view.extents[i] = extent(window->extents[i]);
    }
  } else {
    const auto& tile = std::get<TileView>(operand);
    const Tile& declared = phase_->tiles[static_cast<size_t>(tile.tile)];
    const auto ring = static_cast<size_t>(declared.ring);
    // One descriptor a ring and type, behind those of the tensors.
    view.tensor = static_cast<uint16_t>(in_.tensors.size() + ring * dtype_count + static_cast<size_t>(declared.dtype));
    view.rank = static_cast<uint8_t>(tile.extents.size());
    view.ring_register = ring_register_[ring];
    view.ring_shift = static_cast<int16_t>(tile_taken_[static_cast<size_t>(tile.tile)] - ring_taken_[ring]);
    view.slots = static_cast<uint16_t>(placement_.slots[ring]);
    view.slot_bytes = static_cast<uint32_t>(placement_.slot_bytes[ring]);
    for (size_t i = 0; i < tile.extents.size(); ++i) view.extents[i] = extent(tile.extents[i]);
  }
  if (out_.views.size() >= isa::no_view) {
    fail("lower.views", "the program needs more than 65,535 views");
    return 0;
  }
  out_.views.push_back(view);
  return static_cast<uint16_t>(out_.views.size() - 1);
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
  for (const Operand& operand : statement.operands) in.operands.push_back(view(operand));
  for (const Expr& field : statement.fields) in.fields.push_back(number(field));
  const std::vector<Sync> all_waits = merged(waits), all_signals = merged(signals);
  if (all_waits.size() > 3) sync(in.queue, {all_waits.begin() + 3, all_waits.end()}, {});
  for (size_t i = 0; i < std::min<size_t>(3, all_waits.size()); ++i) in.waits[i] = all_waits[i];
  for (size_t i = 0; i < std::min<size_t>(3, all_signals.size()); ++i) in.signals[i] = all_signals[i];
  const Queue queue = in.queue;
  emit(std::move(in));
  if (all_signals.size() > 3) sync(queue, {}, {all_signals.begin() + 3, all_signals.end()});
}

void Lowering::loop(const Statement& statement) {
  const isa::Field count = number(statement.count);
  open_scope();
  const uint8_t index = take_register();
  scopes_.back().values[statement.index.text()] = index;
  Instruction in;
  in.op = Opcode::loop;
  in.fields = {{index, false}, count, {std::max<int64_t>(statement.count.highest(), 0), false}};
  emit(std::move(in));
  body(statement.body);
  in = {};
  in.op = Opcode::end;
  emit(std::move(in));
  close_scope();
}

/// First and last statement of a body that writes, and that reads, a tile.
struct Uses {
  int first_write = -1, last_write = -1, first_read = -1, last_read = -1;
};

void find_uses(const Statement& statement, int position, std::map<int, Uses>& uses) {
  for (const Statement& inner : statement.body) find_uses(inner, position, uses);
  if (statement.kind != Statement::Kind::instruction) return;
  const isa::Row& row = *isa::row_of(statement.op);
  for (size_t i = 0; i < statement.operands.size(); ++i) {
    const auto* view = std::get_if<TileView>(&statement.operands[i]);
    if (!view) continue;
    Uses& use = uses[view->tile];
    int& first = row.operands[i].written ? use.first_write : use.first_read;
    int& last = row.operands[i].written ? use.last_write : use.last_read;
    if (first < 0) first = position;
    last = position;
  }
}

/// Whether a loop takes slots of a ring: then a slot taken before it has no fixed distance to the newest.
bool takes(const Phase& phase, const Statement& statement, int ring) {
  if (statement.kind == Statement::Kind::tile) return phase.tiles[static_cast<size_t>(statement.tile)].ring == ring;
  return std::any_of(statement.body.begin(), statement.body.end(),
                     [&](const Statement& inner) { return takes(phase, inner, ring); });
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
    if (row.operands[i].written || order_.awaited[layer_].contains(storage)) return true;
  }
  return false;
}

void Lowering::wait_for(const std::vector<Sync>& phases) {
  sync(Queue::load, phases, {});
  if (!waited_ || layer_ > last_signal_) return;
  out_.code.back().signals[0] = *waited_;
  ++waits_passed_;
}

/// `awaited`: what must be waited for before the first statement that needs it.
void Lowering::body(const std::vector<Statement>& statements, std::vector<Sync> awaited) {
  std::map<int, Uses> uses;
  for (size_t i = 0; i < statements.size(); ++i) find_uses(statements[i], static_cast<int>(i), uses);
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
    if (use.first_write < 0 || use.first_read < 0)
      fail("lower.tile", fmt::format("tile {} is written or read nowhere", tile.name));
    for (int i = std::max(use.first_write, 0); i <= std::max(use.last_read, use.last_write); ++i)
      if (statements[static_cast<size_t>(i)].kind == Statement::Kind::loop &&
          takes(*phase_, statements[static_cast<size_t>(i)], tile.ring))
        fail("lower.ring",
             fmt::format("tile {} lives across a loop that takes further slots of ring {}", tile.name, ring.name));
    if (error_ || ring.producer == ring.consumer) continue;
    syncs[static_cast<size_t>(use.first_write)].waits[ring.producer].push_back({free_semaphore_[r], 1, false});
    syncs[static_cast<size_t>(use.last_write)].signals[ring.producer].push_back({full_semaphore_[r], 1, false});
    syncs[static_cast<size_t>(use.first_read)].waits[ring.consumer].push_back({full_semaphore_[r], 1, false});
    syncs[static_cast<size_t>(use.last_read)].signals[ring.consumer].push_back({free_semaphore_[r], 1, false});
  }
  for (size_t i = 0; i < statements.size() && !error_; ++i) {
    const Statement& statement = statements[i];
    if (!awaited.empty() && must_follow_waits(statement)) wait_for(std::exchange(awaited, {}));
    if (statement.kind == Statement::Kind::tile) {
      const auto ring = static_cast<size_t>(phase_->tiles[static_cast<size_t>(statement.tile)].ring);
      tile_taken_[static_cast<size_t>(statement.tile)] = ++ring_taken_[ring];
      let(ring_register_[ring], Op::add, {ring_register_[ring], true}, {1, false});
    } else if (statement.kind == Statement::Kind::instruction) {
      instruction(statement, syncs[i].waits[statement.queue], syncs[i].signals[statement.queue]);
    } else {
      for (const auto& [queue, waits] : syncs[i].waits) sync(queue, merged(waits), {});
      loop(statement);
      for (const auto& [queue, signals] : syncs[i].signals) sync(queue, {}, merged(signals));
    }
  }
}

void Lowering::phase(size_t p) {
  phase_ = &in_.phases[p];
  layer_ = static_cast<uint32_t>(p);
  ring_taken_.assign(in_.rings.size(), 0);
  tile_taken_.assign(phase_->tiles.size(), 0);
  const auto everyone = static_cast<uint8_t>(target_.cores);
  std::vector<Sync> waits;
  for (const int earlier : order_.waits[p])
    waits.push_back({static_cast<uint8_t>(ready_of_phase_[static_cast<size_t>(earlier)]), everyone, false});
  open_scope();
  body(phase_->body, std::move(waits));
  close_scope();
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

/// Everything but the code.
void Lowering::describe() {
  out_.model = in_.model;
  out_.chip = in_.chip;
  out_.precision = in_.precision;
  out_.chains = in_.chains;
  out_.tables = in_.tables;
  out_.functions = in_.functions;
  out_.regions = placement_.regions;
  for (const Tensor& tensor : in_.tensors) {
    const auto s = static_cast<size_t>(tensor.storage);
    isa::TensorDescriptor out;
    out.name = tensor.name;
    out.region = placement_.region[s];
    out.space = out_.regions[out.region].kind == isa::RegionKind::shared ? isa::Space::shared : isa::Space::hbm;
    out.dtype = tensor.dtype;
    out.rank = static_cast<uint8_t>(tensor.extents.size());
    for (size_t i = 0; i < tensor.extents.size(); ++i) {
      out.extents[i] = static_cast<uint32_t>(tensor.extents[i]);
      out.strides[i] = tensor.strides[i];
    }
    out.offset = placement_.offset[s] + static_cast<uint64_t>(tensor.offset);
    out_.tensors.push_back(std::move(out));
  }
  for (size_t r = 0; r < in_.rings.size(); ++r)
    for (int t = 0; t < dtype_count; ++t) {
      isa::TensorDescriptor out;
      out.name = fmt::format("{}.{}", in_.rings[r].name, name_of(static_cast<DType>(t)));
      out.space = isa::Space::scratchpad;
      out.dtype = static_cast<DType>(t);
      out.offset = placement_.ring_offset[r];
      out.bytes = placement_.slot_bytes[r] * static_cast<uint64_t>(placement_.slots[r]);
      out_.tensors.push_back(std::move(out));
    }
  const auto ports = [&](const std::vector<isa::Port>& from, std::vector<isa::Port>& to) {
    for (isa::Port port : from) {
      port.region = placement_.region[port.region];
      to.push_back(std::move(port));
    }
  };
  ports(in_.inputs, out_.inputs);
  ports(in_.outputs, out_.outputs);
  out_.weights = in_.weights;
  for (const Phase& phase : in_.phases) out_.layers.push_back(phase.layer);
  out_.parameters.push_back({"core_id", core_register, 0, target_.cores - 1});
  out_.limits.cores = static_cast<uint32_t>(target_.cores);
  out_.limits.scratchpad_bytes = placement_.scratchpad_bytes;
  out_.limits.shared_bytes_per_core = placement_.shared_bytes_per_core;
  out_.limits.memory_bytes = placement_.memory_bytes;
  out_.limits.accumulator_bytes = static_cast<uint64_t>(target_.accumulator_bytes);
}

/// What the chip must have, from the code.
void Lowering::state_needs() {
  std::vector<DType>& types = out_.limits.matrix_types;
  for (const Instruction& in : out_.code) {
    out_.limits.vector_unit |= in.queue == Queue::vector && in.op != Opcode::sync;
    if (in.queue != Queue::matrix || in.op == Opcode::sync) continue;
    const DType type = out_.tensors[out_.views[in.operands[isa::at::a]].tensor].dtype;
    if (std::find(types.begin(), types.end(), type) == types.end()) types.push_back(type);
  }
  std::sort(types.begin(), types.end());
}

Result<isa::Program> Lowering::run() {
  describe();
  declare_semaphores();
  ready_of_phase_.assign(in_.phases.size(), -1);
  for (int r = isa::registers - 1; r > 0; --r) free_registers_.push_back(static_cast<uint8_t>(r));
  open_scope();
  scopes_.back().values[core_id(target_.cores).text()] = core_register;
  for (size_t r = 0; r < in_.rings.size(); ++r) ring_register_.push_back(take_register());
  for (size_t p = 0; p < in_.phases.size() && !error_; ++p) phase(p);
  if (error_) return *error_;
  Instruction halt;
  emit(std::move(halt));
  state_needs();
  return std::move(out_);
}

}  // namespace

Expr core_id(int64_t cores) { return Expr::variable("core", 0, cores - 1).within(0, cores - 1); }

Result<isa::Program> lower(const Program& program, const Target& target) {
  if (target.cores < 1 || target.cores > 255)
    return Error{"lower.cores", fmt::format("{} cores; a program counts 1 to 255", target.cores)};
  PhaseOrder order = order_phases(program);
  HADAL_TRY(Placement placement, place(program, order, target));
  return Lowering(program, target, std::move(order), std::move(placement)).run();
}

}  // namespace hadal::tile

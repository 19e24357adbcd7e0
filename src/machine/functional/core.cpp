#include "machine/functional/core.h"

#include <algorithm>
#include <limits>

#include "isa/fields.h"
#include "isa/table.h"
#include "machine/functional/clock.h"
#include "machine/functional/events.h"

namespace hadal::machine {

using isa::Opcode;

void Semaphores::reset(const isa::Program& program) {
  for (size_t i = 0; i < counts_.size(); ++i)
    counts_[i] = i < program.semaphores.size() ? program.semaphores[i].initial : 0;
}

bool Semaphores::take(const std::array<isa::Sync, 3>& waits) {
  for (const isa::Sync& wait : waits)
    if (wait.count != 0 && counts_[wait.id].load() < wait.count) return false;
  for (const isa::Sync& wait : waits)
    if (wait.count != 0) counts_[wait.id].fetch_sub(wait.count);
  return true;
}

Core::Core(Shared& shared, size_t number, size_t cores)
    : shared_(shared),
      number_(number),
      sequencer_(shared.walk, static_cast<int64_t>(number), static_cast<int64_t>(cores)),
      semaphores_(*shared.semaphores[number]),
      bindings_(*shared.bindings[number]) {
  sequencer_.limit(shared.options.instruction_budget);  // Loops around nothing but `let` give no instruction to count.
}

Core::State Core::fail(Error error) {
  error_ = std::move(error);
  return State::failed;
}

/// False where the budget of all cores is spent. The shared count is touched rarely.
bool Core::count_instruction() {
  constexpr uint64_t step = 1024;
  uncounted_ += 1 + sequencer_.lets() + sequencer_.controls();
  executed_[static_cast<size_t>(Opcode::let)] += sequencer_.lets();
  if (uncounted_ < step) return true;
  const uint64_t before = shared_.executed.fetch_add(uncounted_);
  uncounted_ = 0;
  return before < shared_.options.instruction_budget;
}

Core::State Core::step(Worker& worker) {
  while (true)
    if (const State state = advance(worker); state != State::executed) return state;
}

Core::State Core::find_next() {
  if (waiting_) return State::executed;
  waiting_ = sequencer_.next();
  if (sequencer_.error()) return fail(*sequencer_.error());
  if (!count_instruction())
    return fail({"run.budget",
                 fmt::format("more than {} instructions are executed", shared_.options.instruction_budget),
                 isa::place_of(shared_.program, sequencer_.index())});
  return waiting_ ? State::executed : State::done;
}

Core::State Core::advance(Worker& worker) {
  if (const State state = find_next(); state != State::executed) return state;
  if (shared_.cancelled.load(std::memory_order_relaxed)) return fail({"run.cancelled", "the run was cancelled"});
  if (shared_.stop.load(std::memory_order_relaxed)) return State::stopped;
  const isa::Instruction& in = *waiting_;
  if (!semaphores_.take(in.waits)) return State::blocked;
  ++executed_[static_cast<size_t>(in.op)];
  if (in.op != Opcode::sync && !sequencer_.dropped(in))
    if (Status status = execute(in, worker); !status) return fail(std::move(status).error());
  signal(in);
  waiting_ = nullptr;
  return State::executed;
}

bool Core::ready() const {
  return std::all_of(waiting_->waits.begin(), waiting_->waits.end(), [&](const isa::Sync& wait) {
    return wait.count == 0 || semaphores_.count(wait.id) >= wait.count;
  });
}

Status Core::execute(const isa::Instruction& in, Worker& worker) {
  isa::resolve(sequencer_, in, boxes_);
  if (boxes_.idle) return {};
  HADAL_CHECK(isa::check(shared_.program, sequencer_, in, boxes_));
  release_memory(in);
  const auto held = bindings_.lock();
  Call call{shared_.program,
            with_numbers(sequencer_, in, numbers_),
            sequencer_.index(),
            shared_.options,
            {},
            shared_.memory.accumulators(number_),
            &worker};
  HADAL_CHECK(find_operands(call));
  if (in.op == Opcode::load && load_by_binding(call)) return {};
  overwrite_scratchpad(call);
  const Kernel kernel = kernel_of(in.op, shared_.options.exact);
  const uint64_t start = ticks_now();
  HADAL_CHECK(kernel(call));
  kernel_ticks_ += ticks_now() - start;
  macs_ += macs_of(call);
  return {};
}

/// Memory operands by their regions, operands of the scratchpad through the bindings. Reads only: a written operand of
/// the scratchpad is the scratchpad itself.
Status Core::find_operands(Call& call) {
  const size_t written = written_operands(call.in.op);
  for (size_t i = 0; i < boxes_.count; ++i) {
    if (call.in.operands[i] == isa::no_view) continue;
    isa::Box& box = boxes_.box[i];
    if (box.space != isa::Space::scratchpad) {
      call.operands[i] = {shared_.memory.at(box), &box, shared_.memory.is_weight(box)};
    } else if (i < written) {
      call.operands[i] = {shared_.memory.scratchpad(number_) + box.offset, &box, false};
    } else {
      call.operands[i] = bindings_.find(box, is_matrix(call.in.op) && i == isa::at::b);
    }
  }
  return {};
}

bool Core::load_by_binding(const Call& call) {
  if (shared_.options.exact || !shared_.options.bind_loads) return false;
  const Operand &to = call[0], &from = call[1];
  if (to.dtype() != from.dtype()) return false;
  const isa::TensorDescriptor& tensor = shared_.program.tensors[from.box->tensor];
  for (size_t i = 0; i < tensor.rank && call.flag(isa::at::load_fill); ++i)
    if (from.box->origins[i] < 0 || from.box->origins[i] + from.extent(i) > tensor.extents[i]) return false;
  if (!from.constant && !is_dense(from.rank(), from.extents(), from.box->strides, from.element_bytes())) return false;
  bindings_.bind(*to.box, *from.box, from.data, from.constant);
  return true;
}

/// Ends the bindings, of all cores, to memory that the instruction writes.
void Core::release_memory(const isa::Instruction& in) {
  for (size_t i = 0; i < std::min(boxes_.count, written_operands(in.op)); ++i) {
    const isa::Box& box = boxes_.box[i];
    if (in.operands[i] == isa::no_view || box.space == isa::Space::scratchpad) continue;
    const std::byte* low = shared_.memory.at(box);
    const std::byte* high = low + bytes_of(box.dtype);
    for (size_t axis = 0; axis < box.rank; ++axis) {
      const int64_t reach = (box.extents[axis] - 1) * box.strides[axis];
      (reach < 0 ? low : high) += reach;
    }
    for (const auto& bindings : shared_.bindings) bindings->release(low, high);
  }
}

/// Ends the bindings of scratchpad ranges that the instruction writes.
void Core::overwrite_scratchpad(const Call& call) {
  if (!writes(call.in)) return;
  for (size_t i = 0; i < written_operands(call.in.op); ++i) {
    if (!call[i]) continue;
    const isa::Box& box = *call[i].box;
    if (box.space == isa::Space::scratchpad) bindings_.overwrite(box.offset, box.offset + box.bytes());
  }
}

void Core::signal(const isa::Instruction& in) {
  bool others = false;
  for (const isa::Sync& sync : in.signals) {
    if (sync.count == 0) continue;
    if (!sync.everywhere) {
      semaphores_.signal(sync.id, sync.count);
      continue;
    }
    for (const auto& semaphores : shared_.semaphores) semaphores->signal(sync.id, sync.count);
    others = shared_.semaphores.size() > 1;
  }
  if (others) shared_.signalled();
}

Error Core::deadlock() const {
  for (const isa::Sync& wait : waiting_->waits) {
    if (wait.count == 0 || semaphores_.count(wait.id) >= wait.count) continue;
    const auto& list = shared_.program.semaphores;
    return {"sync.C1",
            fmt::format("core {} waits for {} of semaphore {}, whose count stays {}", number_, wait.count,
                        wait.id < list.size() ? printable(list[wait.id].name) : std::to_string(wait.id),
                        semaphores_.count(wait.id)),
            isa::place_of(shared_.program, sequencer_.index())};
  }
  return {"sync.C1", fmt::format("core {} waits", number_), isa::place_of(shared_.program, sequencer_.index())};
}

Status Core::check_balance() const {
  const auto& list = shared_.program.semaphores;
  for (size_t i = 0; i < list.size(); ++i)
    if (semaphores_.count(i) != list[i].initial)
      return Error{"sync.C4", fmt::format("semaphore {} of core {} ends with {}; it began with {}",
                                          printable(list[i].name), number_, semaphores_.count(i), list[i].initial)};
  return {};
}

void Core::add_to(ValueCounts& counts, double tick) const {
  for (size_t op = 0; op < executed_.size(); ++op)
    if (executed_[op] != 0) counts.executed[static_cast<Opcode>(op)] += executed_[op];
  ++counts.executed[Opcode::halt];
  counts.macs += macs_;
  counts.kernel_seconds += static_cast<double>(kernel_ticks_) * tick;
}

}  // namespace hadal::machine

#include "bench/mutants/mutate.h"

#include <algorithm>
#include <optional>

namespace hadal::bench {

using isa::Instruction;
using isa::Opcode;
using isa::Program;
using isa::Sync;

namespace {

bool is_control(const Instruction& in) {
  return in.op == Opcode::loop || in.op == Opcode::end || in.op == Opcode::halt;
}

/// The queue's next instruction, or the one before, in the same stretch of code without loops.
std::optional<size_t> neighbour(const Program& program, size_t index, int step) {
  for (auto i = static_cast<int64_t>(index) + step; i >= 0 && i < std::ssize(program.code); i += step) {
    const Instruction& in = program.code[static_cast<size_t>(i)];
    if (is_control(in)) return {};
    if (in.queue == program.code[index].queue) return static_cast<size_t>(i);
  }
  return {};
}

/// Whether `syncs` has room for one more, and none of the same semaphore.
bool takes(const std::array<Sync, 3>& syncs, const Sync& sync) {
  return syncs[2].count == 0 &&
         std::ranges::none_of(syncs, [&](const Sync& other) { return other.count > 0 && other.id == sync.id; });
}

void remove(std::array<Sync, 3>& syncs, size_t slot) {
  std::shift_left(syncs.begin() + static_cast<std::ptrdiff_t>(slot), syncs.end(), 1);
  syncs[2] = {};
}

void append(std::array<Sync, 3>& syncs, const Sync& sync) { *std::ranges::find(syncs, 0, &Sync::count) = sync; }

class Mutants {
 public:
  explicit Mutants(const Program& program) : program_(program) {}

  std::vector<Mutant> all() {
    for (size_t i = 0; i < program_.code.size(); ++i)
      for (size_t slot = 0; slot < 3; ++slot) {
        if (program_.code[i].waits[slot].count > 0) sync(i, slot, &Instruction::waits, "wait", +1);
        if (program_.code[i].signals[slot].count > 0) sync(i, slot, &Instruction::signals, "signal", -1);
      }
    for (size_t id = 0; id < program_.semaphores.size(); ++id) semaphore(id);
    return std::move(mutants_);
  }

 private:
  using Syncs = std::array<Sync, 3> Instruction::*;

  void add(std::string kind, size_t index, std::function<void(Program&)> change) {
    mutants_.push_back({std::move(kind), static_cast<uint32_t>(index), std::move(change)});
  }

  /// `away`: towards where the queue waits later, or signals earlier.
  void sync(size_t i, size_t slot, Syncs syncs, const std::string& what, int away) {
    const Sync sync = (program_.code[i].*syncs)[slot];
    add(what + " dropped", i, [=](Program& p) { remove(p.code[i].*syncs, slot); });
    if (sync.count > 1) add(what + " of one less", i, [=](Program& p) { --(p.code[i].*syncs)[slot].count; });
    if (sync.everywhere) add(what + " only here", i, [=](Program& p) { (p.code[i].*syncs)[slot].everywhere = false; });
    const auto to = neighbour(program_, i, away);
    if (!to || !takes(program_.code[*to].*syncs, sync)) return;
    add(what + (away > 0 ? " later" : " earlier"), i, [=, to = *to](Program& p) {
      remove(p.code[i].*syncs, slot);
      append(p.code[to].*syncs, sync);
    });
  }

  void semaphore(size_t id) {
    const auto waits = [&](const Instruction& in) {
      return std::ranges::any_of(in.waits, [&](const Sync& wait) { return wait.count > 0 && wait.id == id; });
    };
    const auto user = std::ranges::find_if(program_.code, waits);
    if (user == program_.code.end()) return;
    const auto index = static_cast<size_t>(user - program_.code.begin());
    add("one more at first", index, [=](Program& p) { ++p.semaphores[id].initial; });
    add("semaphore unused", index, [=](Program& p) {
      for (Instruction& in : p.code)
        for (auto* syncs : {&in.waits, &in.signals})
          for (size_t slot = 3; slot-- > 0;)
            if ((*syncs)[slot].count > 0 && (*syncs)[slot].id == id) remove(*syncs, slot);
    });
  }

  const Program& program_;
  std::vector<Mutant> mutants_;
};

}  // namespace

std::vector<Mutant> mutants_of(const Program& program) { return Mutants(program).all(); }

}  // namespace hadal::bench

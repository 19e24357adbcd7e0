#include "fuzz/shrink.h"

#include <algorithm>
#include <utility>

#include "isa/canonical.h"
#include "isa/fields.h"
#include "isa/sequencer.h"
#include "isa/table.h"

namespace hadal::fuzz {

namespace {

using isa::Opcode;
using isa::Program;

void erase(Program& program, size_t first, size_t last) {
  const auto from = [&](auto& list) {
    list.erase(list.begin() + std::ptrdiff_t(first), list.begin() + std::ptrdiff_t(last));
  };
  from(program.code);
  from(program.source);
}

class Shrinker {
 public:
  Shrinker(WellFormed made, const std::function<bool(const WellFormed&)>& fails, int budget)
      : made_(std::move(made)), fails_(fails), budget_(budget) {}

  WellFormed run() {
    bool smaller = true;
    while (smaller && budget_ > 0)
      smaller = layers() | outputs() | loops() | pieces() | registers() | operations() | semaphores();
    return std::move(made_);
  }

 private:
  /// Keeps the change if the program still fails.
  bool keeps(const std::function<void(WellFormed&)>& change) {
    if (budget_-- <= 0) return false;
    WellFormed changed = made_;
    change(changed);
    if (!isa::Walk::of(changed.program)) return false;
    isa::canonicalise(changed.program);
    if (!fails_(changed)) return false;
    made_ = std::move(changed);
    return true;
  }
  [[nodiscard]] size_t length() const { return made_.program.code.size() - 1; }  // Without `halt`.

  bool layers() {
    bool smaller = false;
    for (uint32_t layer = 0; layer < made_.program.layers.size(); ++layer) {
      const auto& source = made_.program.source;
      if (std::find(source.begin(), source.end() - 1, layer) == source.end() - 1) continue;
      smaller |= keeps([&](WellFormed& m) {
        for (size_t i = m.program.code.size() - 1; i-- > 0;)
          if (m.program.source[i] == layer) erase(m.program, i, i + 1);
        for (size_t i = m.program.outputs.size(); i-- > 0;)
          if (!is_stored(m.program, i)) erase_output(m, i);
      });
    }
    return smaller;
  }

  static bool is_stored(const Program& program, size_t output) {
    return std::ranges::any_of(program.code, [&](const isa::Instruction& in) {
      return std::ranges::any_of(in.operands, [&](uint16_t view) {
        if (view == isa::no_view) return false;
        const isa::TensorDescriptor& tensor = program.tensors[program.views[view].tensor];
        return tensor.space != isa::Space::scratchpad && tensor.region == program.outputs[output].region;
      });
    });
  }
  static void erase_output(WellFormed& m, size_t i) {
    m.program.outputs.erase(m.program.outputs.begin() + std::ptrdiff_t(i));
    m.bounds.erase(m.bounds.begin() + std::ptrdiff_t(i));
  }

  bool outputs() {
    bool smaller = false;
    for (size_t i = made_.bounds.size(); i-- > 0;) smaller |= keeps([&](WellFormed& m) { erase_output(m, i); });
    return smaller;
  }

  /// One trip, then none around the body.
  bool loops() {
    bool smaller = false;
    for (size_t i = length(); i-- > 0;) {
      if (i >= length() || made_.program.code[i].op != Opcode::loop) continue;
      const size_t end = isa::Walk::of(made_.program)->partner(i);
      const bool gone = keeps([&](WellFormed& m) {
        erase(m.program, end, end + 1);
        erase(m.program, i, i + 1);
      });
      smaller |= gone;
      const isa::Field one{1, false};
      if (!gone && made_.program.code[i].fields[isa::at::loop_count] != one)
        smaller |= keeps([&](WellFormed& m) { m.program.code[i].fields[isa::at::loop_count] = one; });
    }
    return smaller;
  }

  bool pieces() {
    bool smaller = false;
    for (size_t size = std::max<size_t>(1, length() / 2); size > 0; size /= 2)
      for (size_t i = 0; i + size <= length();) {
        const bool gone = keeps([&](WellFormed& m) { erase(m.program, i, i + size); });
        smaller |= gone;
        if (!gone) i += size;
      }
    return smaller;
  }

  /// All extents of a register become the largest that they may be, and origins are without it.
  bool registers() {
    bool smaller = false;
    for (int number = 0; number < isa::registers; ++number) {
      Program program = made_.program;
      for (isa::View& view : program.views) leave_out(view, static_cast<uint8_t>(number));
      if (program.views != made_.program.views)
        smaller |= keeps([&](WellFormed& m) { m.program.views = program.views; });
    }
    return smaller;
  }
  static void leave_out(isa::View& view, uint8_t number) {
    for (isa::Extent& extent : view.extents)
      if (extent.source == number) extent.source = isa::no_register;
    for (isa::Origin& origin : view.origins)
      if (origin.register_a == number || origin.register_b == number) origin = {.base = origin.base};
  }

  /// An instruction becomes its waits and signals.
  bool operations() {
    bool smaller = false;
    for (size_t i = 0; i < length(); ++i) {
      const isa::Instruction& in = made_.program.code[i];
      if (in.queue == isa::Queue::sequencer || in.op == Opcode::sync) continue;
      smaller |= keeps([&](WellFormed& m) {
        isa::Instruction& sync = m.program.code[i];
        sync.op = Opcode::sync;
        sync.predicate = isa::no_register;
        sync.operands.clear();
        sync.fields.clear();
      });
    }
    return smaller;
  }

  bool semaphores() {
    bool smaller = false;
    for (size_t id = 0; id < made_.program.semaphores.size(); ++id) {
      const auto uses = [&](const isa::Sync& sync) { return sync.count > 0 && sync.id == id; };
      const bool used = std::ranges::any_of(made_.program.code, [&](const isa::Instruction& in) {
        return std::ranges::any_of(in.waits, uses) || std::ranges::any_of(in.signals, uses);
      });
      if (!used) continue;
      smaller |= keeps([&](WellFormed& m) {
        for (isa::Instruction& in : m.program.code)
          for (auto* syncs : {&in.waits, &in.signals}) std::ranges::replace_if(*syncs, uses, isa::Sync{});
      });
    }
    return smaller;
  }

  WellFormed made_;
  const std::function<bool(const WellFormed&)>& fails_;
  int budget_;
};

}  // namespace

WellFormed shrunk(WellFormed made, const std::function<bool(const WellFormed&)>& fails, int budget) {
  return Shrinker(std::move(made), fails, budget).run();
}

}  // namespace hadal::fuzz

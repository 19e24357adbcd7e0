// How far each layer of a program has come.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "isa/program.h"
#include "machine/functional/stepper.h"

namespace hadal::debug {

/// The layer of that name, or the first that a node of that name went into. Errors: debug.name.
Result<size_t> layer_named(const isa::Program& program, const std::string& name);

/// The layer of an instruction; none in a program whose layers are not told.
std::optional<size_t> layer_of(const isa::Program& program, size_t instruction);

/// Counts what is executed of each layer, against what there is to execute: control flow depends on no values.
class Layers {
 public:
  /// The program outlives it. Errors: loop.C1; run.budget.
  static Result<Layers> of(const isa::Program& program, size_t cores);

  void count(const machine::Executed& executed);
  /// Whether anything but a prefetch, which runs ahead, has been executed.
  [[nodiscard]] bool begun(size_t layer) const { return list_[layer].begun; }
  [[nodiscard]] bool ended(size_t layer) const { return list_[layer].done >= list_[layer].steps; }
  /// Whether all that writes memory has been executed; of a layer that writes none, everything.
  [[nodiscard]] bool stored(size_t layer) const {
    return list_[layer].stores == 0 ? ended(layer) : list_[layer].stored >= list_[layer].stores;
  }
  [[nodiscard]] uint64_t steps(size_t layer) const { return list_[layer].steps; }
  [[nodiscard]] uint64_t done(size_t layer) const { return list_[layer].done; }
  /// The first layer that has not ended.
  [[nodiscard]] std::optional<size_t> open() const;

 private:
  struct Layer {
    uint64_t steps = 0, stores = 0;  ///< Of all cores: instructions; those that write memory.
    uint64_t done = 0, stored = 0;
    bool begun = false;
  };
  const isa::Program* program_ = nullptr;
  std::vector<bool> stores_;  ///< Of each instruction.
  std::vector<Layer> list_;
};

}  // namespace hadal::debug

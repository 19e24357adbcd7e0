// Everything from groups to instructions, by a plan.
#pragma once

#include <vector>

#include "chip/chip.h"
#include "compile/emitter.h"
#include "isa/program.h"
#include "tile/lower.h"

namespace hadal::compile {

class Backend {
 public:
  Backend(const chip::Chip& chip, Plan plan) : chip_(chip), plan_(std::move(plan)) {}

  /// The tile program; in `choices` where there were tiles to choose from, in `made` what its phases store. Errors:
  /// what the chip has no engine or type for; tiles that do not fit.
  Result<tile::Program> emit(graph::Graph& graph, const std::vector<Group>& groups, const Interface& interface,
                             std::map<MatrixShape, TileChoice>* choices = nullptr,
                             std::vector<Made>* made = nullptr) const;
  /// Its instructions; `placement` becomes where storages lie. Errors: memory, registers or semaphores that do not
  /// suffice.
  [[nodiscard]] Result<isa::Program> lower(const tile::Program& tiles, tile::Placement* placement = nullptr) const;

 private:
  const chip::Chip& chip_;
  Plan plan_;
};

}  // namespace hadal::compile

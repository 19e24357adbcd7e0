// Expressions in registers: each is computed by `let` where it is first needed, and shared within its loop.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tile/code.h"
#include "tile/expression.h"

namespace hadal::tile {

/// The register in which every core finds its number.
inline constexpr uint8_t core_register = 0;

class Registers {
 public:
  /// The outermost scope, in which core_id(cores) has its register.
  Registers(Code& code, int64_t cores);

  void open_scope() { scopes_.emplace_back(); }
  /// Gives back the registers that were taken since it opened.
  void close_scope();
  /// A register for the innermost scope; of `variable` where that is given.
  uint8_t take_register();
  void name(const Expr& variable, uint8_t number) { scopes_.back().values[variable.text()] = number; }

  uint8_t register_of(const Expr& e);
  isa::Field number(const Expr& e);
  isa::Origin origin(const Expr& e);
  isa::Extent extent(const Expr& e);
  void let(uint8_t target, Op op, const isa::Field& a, const isa::Field& b);

 private:
  struct Scope {
    std::map<std::string, uint8_t> values;
    std::vector<uint8_t> taken;
  };
  Code& code_;
  std::vector<Scope> scopes_;
  std::vector<uint8_t> free_registers_;
};

}  // namespace hadal::tile

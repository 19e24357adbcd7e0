#include "tile/registers.h"

#include <algorithm>
#include <climits>
#include <utility>

#include "tile/lower.h"

namespace hadal::tile {

namespace {

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

}  // namespace

Registers::Registers(Code& code, int64_t cores) : code_(code) {
  for (int r = isa::registers - 1; r > 0; --r) free_registers_.push_back(static_cast<uint8_t>(r));
  open_scope();
  name(core_id(cores), core_register);
}

uint8_t Registers::take_register() {
  if (free_registers_.empty()) {
    code_.fail("lower.registers", fmt::format("more than {} registers are live", isa::registers));
    return 1;
  }
  const uint8_t taken = free_registers_.back();
  free_registers_.pop_back();
  scopes_.back().taken.push_back(taken);
  return taken;
}

void Registers::close_scope() {
  for (const uint8_t taken : scopes_.back().taken) free_registers_.push_back(taken);
  scopes_.pop_back();
}

void Registers::let(uint8_t target, Op op, const isa::Field& a, const isa::Field& b) {
  isa::Instruction in;
  in.op = isa::Opcode::let;
  in.fields = {{target, false}, {static_cast<int64_t>(op) - static_cast<int64_t>(Op::add), false}, a, b};
  code_.emit(std::move(in));
}

uint8_t Registers::register_of(const Expr& e) {
  for (const Scope& scope : scopes_)
    if (const auto found = scope.values.find(e.text()); found != scope.values.end()) return found->second;
  if (e.op() == Op::constant) {
    const uint8_t target = take_register();
    let(target, Op::add, {e.constant(), false}, {0, false});
    scopes_.back().values[e.text()] = target;
    return target;
  }
  if (e.op() == Op::variable) {
    code_.fail("lower.variable", fmt::format("{} is used outside its loop", e.text()));
    return 0;
  }
  const isa::Field a = number(e.left()), b = number(e.right());
  const uint8_t target = take_register();
  let(target, e.op(), a, b);
  scopes_.back().values[e.text()] = target;
  return target;
}

isa::Field Registers::number(const Expr& e) {
  if (e.is_constant()) return {e.constant(), false};
  return {register_of(e), true};
}

isa::Origin Registers::origin(const Expr& e) {
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

isa::Extent Registers::extent(const Expr& e) {
  if (e.highest() > UINT32_MAX) code_.fail("lower.extent", fmt::format("an extent of {} passes 32 bits", e.highest()));
  const auto most = static_cast<uint32_t>(std::max<int64_t>(e.highest(), 0));
  if (e.is_constant()) return {most, isa::no_register};
  return {most, register_of(e)};
}

}  // namespace hadal::tile

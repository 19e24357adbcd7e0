#include "fuzz/well_formed_nest.h"

#include <algorithm>

namespace hadal::fuzz {

namespace {

constexpr int64_t most_trips = 9;

isa::Instruction control(isa::Opcode op, std::vector<isa::Field> fields) {
  return {.op = op, .operands = {}, .fields = std::move(fields)};
}

}  // namespace

isa::Instruction let(uint8_t target, Let op, isa::Field a, isa::Field b) {
  return control(isa::Opcode::let, {constant(target), constant(static_cast<int64_t>(op)), a, b});
}
isa::Instruction loop(uint8_t index, isa::Field count, int64_t most) {
  return control(isa::Opcode::loop, {constant(index), count, constant(most)});
}
isa::Instruction end() { return control(isa::Opcode::end, {}); }

Nest::Nest(Random& random, int64_t cores) : random_(random), cores_(cores) {
  trip_ = take_register();
  head_.push_back(let(trip_, Let::add, constant(0), constant(0)));
  const int64_t depth = random_.one_in(3) ? 0 : random_.pick<int64_t>({1, 1, 1, 2, 2, 3});
  while (depth_ < depth && draw_loop()) ++depth_;
}

/// Trips of a constant, or of a register that holds one, follows the loop around, or the core's number.
bool Nest::draw_loop() {
  int64_t most = random_.one_in(12) ? 0 : random_.between(1, 3);
  isa::Field count = constant(most);
  const bool follows = random_.one_in(2), by_outer = depth_ > 0 && random_.one_in(3);
  const bool by_core = !by_outer && cores_ > 1 && random_.one_in(3);
  if (follows && by_outer) most = indices_.back().second;
  if (follows && by_core) most = 2;
  if (trips_ * most > most_trips) return false;
  if (follows) {
    const uint8_t source = take_register();
    count = in_register(source);
    if (by_outer)  // A triangle: as many trips as the loop around has made, or one more.
      head_.push_back(let(source, Let::add, in_register(indices_.back().first), constant(random_.between(0, 1))));
    else if (by_core)
      head_.push_back(let(source, Let::mod, in_register(core_id), constant(most + 1)));
    else
      head_.push_back(let(source, Let::max, constant(most), constant(-1)));
    complete_ = complete_ && !by_outer && !by_core;
    uniform_ = uniform_ && !by_core;
  }
  complete_ = complete_ && most > 0;
  trips_ *= std::max<int64_t>(1, most);
  indices_.emplace_back(take_register(), most);
  head_.push_back(loop(indices_.back().first, count, follows && random_.one_in(4) ? most + 2 : most));
  return true;
}

void Nest::draw_guards(int64_t rows) {
  const bool by_core = cores_ > 1 && random_.one_in(2);
  const isa::Field source = in_register(by_core ? core_id : trip_);
  if (random_.one_in(6)) {
    predicate_ = take_register();
    head_.push_back(by_core ? let(*predicate_, Let::mod, source, constant(2))
                            : let(*predicate_, Let::less, source, constant(random_.between(0, 2))));
  }
  if (rows >= 2 && random_.one_in(3)) {
    extent_ = take_register();
    head_.push_back(let(*extent_, Let::add, source, constant(random_.between(0, 1))));
    head_.push_back(let(*extent_, Let::min, in_register(*extent_), constant(rows)));
  }
  if (!predicate_ && !extent_) return;
  complete_ = false;
  uniform_ = uniform_ && !by_core;
}

std::vector<isa::Instruction> Nest::tail() const {
  std::vector<isa::Instruction> tail{let(trip_, Let::add, in_register(trip_), constant(1))};
  for (int i = 0; i < depth_; ++i) tail.push_back(end());
  return tail;
}

}  // namespace hadal::fuzz

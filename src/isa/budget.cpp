#include "isa/budget.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "isa/fields.h"

namespace hadal::isa {

namespace {

constexpr uint64_t most = std::numeric_limits<uint64_t>::max();

uint64_t product(uint64_t a, uint64_t b) { return b != 0 && a > most / b ? most : a * b; }
uint64_t sum(uint64_t a, uint64_t b) { return a > most - b ? most : a + b; }

}  // namespace

uint64_t least_instructions(const Program& program) {
  uint64_t count = 0;
  std::vector<uint64_t> trips{1};  // Of the loops around the instruction, multiplied.
  for (const Instruction& in : program.code) {
    if (in.op == Opcode::end && trips.size() > 1) trips.pop_back();
    count = sum(count, trips.back());
    if (in.op != Opcode::loop || in.fields.size() <= at::loop_count) continue;
    const Field& field = in.fields[at::loop_count];
    const int64_t known = field.is_register ? 0 : std::max<int64_t>(field.value, 0);
    trips.push_back(product(trips.back(), static_cast<uint64_t>(known)));
  }
  return product(count, program.limits.cores);
}

Status check_budget(const Program& program) {
  const uint64_t least = least_instructions(program);
  if (least <= instruction_budget) return {};
  return Error{
      "run.budget",
      fmt::format("the program executes at least {} instructions; at most {} are run", least, instruction_budget),
      printable(program.model), "a loop's count is a slip, or the work is to be split into several programs"};
}

}  // namespace hadal::isa

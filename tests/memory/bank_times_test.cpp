// Every constraint of every shipped description: the tick before it is over blocks, the tick at which it is passes.
#include "memory/bank_times.h"

#include <gtest/gtest.h>

#include "memory/files.h"

namespace hadal::memory {
namespace {

/// What two banks share, by arithmetic on their numbers.
bool meet(const Organization& o, Scope scope, int64_t a, int64_t b) {
  switch (scope) {
    case Scope::channel:
      return true;
    case Scope::pseudo_channel:
      return a / (o.bank_groups * o.banks) == b / (o.bank_groups * o.banks);
    case Scope::bank_group:
      return a / o.banks == b / o.banks;
    case Scope::bank:
      return a == b;
  }
  return false;
}

/// When `to` may begin in bank `b` after `times` of `from` in bank `a`, one a tick, the last at `at`.
Tick expected(const Device& device, Command from, Command to, int a, int b, int times, Tick at) {
  Tick ready = 0;
  for (const Constraint& c : device.constraints)
    if (c.from == from && c.to == to && c.count <= times && meet(device.organization, c.scope, a, b))
      ready = std::max(ready, at - (c.count - 1) + c.delay);
  return ready;
}

TEST(BankTimes, EachConstraintBlocksUntilItsTick) {
  for (const std::string& name : shipped_memories()) {
    Device device = *load_memory(name);
    if (device.ticks_of("tREFISB") > 0) device.controller.refresh = "per-bank";  // REFB is used then.
    const Organization& o = device.organization;
    const auto last = static_cast<int>(o.banks_of_channel() - 1);
    for (const Constraint& c : device.constraints) {
      if (!device.uses(c.from) || !device.uses(c.to)) continue;
      for (const int other : {0, 1, static_cast<int>(o.banks), last}) {
        BankTimes times(device);
        for (int i = 0; i < c.count; ++i) times.issue(c.from, 0, 1000 + i, 7);
        const Tick tick = expected(device, c.from, c.to, 0, other, c.count, 1000 + c.count - 1);
        EXPECT_EQ(times.ready(c.to, other), tick) << name << ": " << c.text << " in bank " << other;
      }
      EXPECT_GE(expected(device, c.from, c.to, 0, 0, c.count, 1000 + c.count - 1), 1000 + c.delay) << name << c.text;
    }
  }
}

TEST(BankTimes, FigureOfTheDataSheetWithTheLengthOfACT) {
  const Device device = *load_memory("hbm2-2000");
  BankTimes times(device);
  times.issue(Command::act, 0, 100, 5);
  EXPECT_EQ(times.ready(Command::rd, 0), 115);   // tRCDRD 14, and ACT has a second clock.
  EXPECT_EQ(times.ready(Command::wr, 0), 113);   // tRCDWR 12
  EXPECT_EQ(times.ready(Command::pre, 0), 135);  // tRAS 34
  EXPECT_EQ(times.ready(Command::act, 0), 148);  // tRC 48
  EXPECT_EQ(times.ready(Command::act, 4), 104);  // tRRDS
  times.issue(Command::rd, 0, 115);
  EXPECT_EQ(times.ready(Command::rd, 1), 119);  // tCCDL
  EXPECT_EQ(times.ready(Command::rd, 4), 117);  // tCCDS
  EXPECT_EQ(times.ready(Command::wr, 4), 128);  // tCL + tBL + 2 - tCWL
  times.issue(Command::pre, 0, 135);
  EXPECT_EQ(times.ready(Command::act, 0), 148);
  EXPECT_EQ(times.open_row(0), -1);
}

TEST(BankTimes, FifthActivationWaitsForTheFirst) {
  Device device = *load_memory("hbm2-2000");
  BankTimes times(device);
  for (int i = 0; i < 4; ++i) times.issue(Command::act, 4 * i, 100 + i, 1);
  EXPECT_EQ(times.ready(Command::act, 1), 115);   // tFAW 15
  EXPECT_EQ(times.ready(Command::act, 16), 105);  // The other pseudo-channel: only the row bus.
  EXPECT_EQ(times.open_banks(), 4);
  times.issue(Command::prea, 0, 200);
  EXPECT_EQ(times.open_banks(), 0);
}

}  // namespace
}  // namespace hadal::memory

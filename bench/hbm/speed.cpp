#include "bench/hbm/speed.h"

#include <ctime>

#include "base/split_mix.h"
#include "memory/files.h"
#include "memory/replay.h"

namespace hadal::bench {

namespace {

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

/// CPU seconds of 1e9 steps, the result of which nobody can leave out.
double calibration() {
  const double start = cpu_seconds();
  SplitMix random(1);
  uint64_t all = 0;
  for (int64_t i = 0; i < 1'000'000'000; ++i) all ^= random.next();
  const double seconds = cpu_seconds() - start;
  fmt::print("1e9 steps of splitmix64 ({:016x}): {:.2f} CPU s\n", all, seconds);
  return seconds;
}

}  // namespace

Status print_speed(bool fast) {
  const double unit = calibration();
  fmt::print("{:<28} {:<10} {:>12} {:>14}\n", "memory", "pattern", "CPU s a GB", "calibrations");
  for (const std::string& name : memory::shipped_memories()) {
    HADAL_TRY(memory::Device device, memory::load_memory(name));
    device.organization.channels = 1;
    for (const char* pattern : {"seq_read", "seq_write"}) {
      memory::Traffic traffic;
      traffic.pattern = pattern;
      traffic.region = int64_t{256} << 20;
      traffic.requests = 200'000'000 / device.organization.burst_bytes;
      const double start = cpu_seconds();
      HADAL_TRY(const memory::Replayed got, memory::replay(device, traffic, fast));
      const double each = (cpu_seconds() - start) / static_cast<double>(got.bytes) * 1e9;
      fmt::print("{:<28} {:<10} {:>12.2f} {:>14.2f}\n", name, pattern, each, each / unit);
    }
  }
  return {};
}

}  // namespace hadal::bench

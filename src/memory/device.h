// What a description of a memory says: organisation, timing, constraints between commands, controller, mappings.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"

namespace hadal::memory {

/// A time or a duration in ticks: the clock's period, or a fraction of it where commands may begin between clocks.
using Tick = int64_t;
constexpr Tick never = INT64_MAX;

/// The commands of JEDEC's DRAM. RDA and WRA close the row behind them, PREA and REF name all banks of a
/// pseudo-channel, REFB one bank.
enum class Command : uint8_t { act, rd, wr, rda, wra, pre, prea, ref, refb };
constexpr int command_count = 9;
constexpr std::array<std::string_view, command_count> command_names = {"ACT", "RD",   "WR",  "RDA", "WRA",
                                                                       "PRE", "PREA", "REF", "REFB"};
constexpr bool is_column(Command command) { return command >= Command::rd && command <= Command::wra; }

/// Which banks a constraint joins: two commands are held apart where they meet in the same one of these.
enum class Scope : uint8_t { channel, pseudo_channel, bank_group, bank };
constexpr int scope_count = 4;
constexpr std::array<std::string_view, scope_count> scope_names = {"channel", "pseudo_channel", "bank_group", "bank"};

/// `to` begins at least `delay` ticks after the beginning of the `count`th last `from` within the same `scope`.
struct Constraint {
  Scope scope = Scope::bank;
  Command from = Command::act, to = Command::act;
  Tick delay = 0;
  int count = 1;     ///< 4 for tFAW: the fifth ACT waits for the first.
  std::string text;  ///< As the description has it: "ACT -> RD".
};

struct Organization {
  int64_t channels = 0;         ///< Of all stacks or devices together.
  int64_t pseudo_channels = 0;  ///< A channel; 1 where the kind has none.
  int64_t bank_groups = 0;      ///< A pseudo-channel.
  int64_t banks = 0;            ///< A bank group.
  int64_t rows = 0;             ///< A bank.
  int64_t row_bytes = 0;        ///< Of a pseudo-channel's row [B].
  int64_t burst_bytes = 0;      ///< What one RD or WR moves [B].

  [[nodiscard]] int64_t banks_of_channel() const { return pseudo_channels * bank_groups * banks; }
  [[nodiscard]] int64_t columns() const { return row_bytes / burst_bytes; }
};

struct Controller {
  std::string scheduler, row_policy, refresh, mapping;
  int64_t queue = 0;        ///< Entries of the read queue, and as many of the write queue, a channel.
  double write_high = 0.8;  ///< Writes begin above this fill of their queue …
  double write_low = 0.2;   ///< … and end below this one.
  int64_t bank_queue = 8;   ///< FRFCFS-perbank: entries a bank.
  int64_t drain_above = 8;  ///< FRFCFS-perbank: writes that are worth draining when nothing else is there.
  int64_t hit_limit = 4;    ///< FRFCFS-perbank: row hits after which an older miss may close the row.
  /// Column accesses after which a row is closed, of the policy "closedcapN"; 0 for others.
  [[nodiscard]] int64_t cap() const;
};

struct Device {
  std::string file, name, summary;
  std::string stands_for;  ///< "SIMULATOR PRESET" of the reference rows that it answers; empty where there are none.
  Organization organization;
  int64_t clock_femtoseconds = 0;   ///< Period of the command clock.
  int64_t ticks = 1;                ///< A clock.
  std::string half_clock_commands;  ///< That may begin on any tick, not only with a clock; space between names.
  bool pairing = false;             ///< JESD238's rule for what may follow a row command half a clock later.
  int64_t buses = 2;                ///< Command buses: row and column, or one for both.
  std::map<std::string, int64_t, std::less<>> timing;        ///< By name, in clocks.
  std::array<Tick, command_count> length{};                  ///< Of a command on its bus.
  std::vector<Constraint> constraints;                       ///< In ticks between the first ticks of commands.
  std::map<std::string, std::string, std::less<>> mappings;  ///< By name, as mapping.h reads them.
  Controller controller;
  std::map<std::string, std::string, std::less<>> sources;  ///< Of a field: where its figure comes from.

  [[nodiscard]] double tick_seconds() const { return static_cast<double>(clock_femtoseconds) * 1e-15 / double(ticks); }
  /// Of a timing parameter; 0 where it is not given.
  [[nodiscard]] Tick ticks_of(std::string_view parameter) const;
  /// From RD to the last byte of its data.
  [[nodiscard]] Tick read_latency() const { return ticks_of("tCL") + ticks_of("tBL"); }
  /// Whether its controller ever issues the command.
  [[nodiscard]] bool uses(Command command) const;
  /// All channels together, no time lost [B/tick].
  [[nodiscard]] double peak_bytes_per_tick() const;
};

/// Longest description that is read.
constexpr int64_t max_description_bytes = 1 << 20;

/// Reads the text of a description. `extends = "name"` takes what is not given from NAME.toml in the same folder.
/// Errors: memory.toml, memory.type, memory.unknown, memory.missing, memory.range, memory.together, memory.constraint,
/// memory.mapping, memory.extends, units.*, each with file, line and field.
Result<Device> parse_device(const std::string& text, const std::string& file);
/// The same for a file. Errors: those, and file.*.
Result<Device> load_device(const std::string& file);
/// What no single field can tell: run again after changing fields of a Device. `place` of an error is the field.
Status check_device(const Device& device);

/// The text of docs/memory.md.
std::string memory_reference();

}  // namespace hadal::memory

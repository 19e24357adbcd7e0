#include "base/units.h"

#include <array>
#include <charconv>
#include <cmath>
#include <span>

namespace hadal {

namespace {

struct Suffix {
  std::string_view name;
  double factor;
};

// Within a kind, the suffixes from the largest to the smallest; the first of a factor is the one that is written.
constexpr double ki = 1024, mi = ki * ki, gi = mi * ki, ti = gi * ki;
constexpr Suffix bytes[] = {{"TiB", ti}, {"TB", 1e12}, {"GiB", gi}, {"GB", 1e9}, {"MiB", mi},
                            {"MB", 1e6}, {"KiB", ki},  {"kB", 1e3}, {"B", 1}};
constexpr Suffix bytes_per_second[] = {{"TB/s", 1e12}, {"TiB/s", ti}, {"GB/s", 1e9}, {"GiB/s", gi}, {"MB/s", 1e6},
                                       {"MiB/s", mi},  {"kB/s", 1e3}, {"KiB/s", ki}, {"B/s", 1}};
constexpr Suffix bytes_per_cycle[] = {{"B/cycle", 1}};
constexpr Suffix hertz[] = {{"GHz", 1e9}, {"MHz", 1e6}, {"kHz", 1e3}, {"Hz", 1}};
constexpr Suffix seconds[] = {{"s", 1},     {"ms", 1e-3},  {"us", 1e-6}, {"µs", 1e-6},
                              {"ns", 1e-9}, {"ps", 1e-12}, {"fs", 1e-15}};
constexpr Suffix cycles[] = {{"cycles", 1}, {"cycle", 1}};
constexpr Suffix watts[] = {{"kW", 1e3}, {"W", 1}, {"mW", 1e-3}};
constexpr Suffix operations[] = {{"Pop/s", 1e15}, {"Top/s", 1e12}, {"Gop/s", 1e9},
                                 {"Mop/s", 1e6},  {"kop/s", 1e3},  {"op/s", 1}};

struct Kind {
  UnitInfo info;
  std::span<const Suffix> suffixes;
};
const std::array<Kind, 9> kinds{{
    {{"a number", "16"}, {}},
    {{"a size in bytes", "8 MiB"}, bytes},
    {{"a bandwidth", "1.2 TB/s"}, bytes_per_second},
    {{"a width in bytes a cycle", "256 B/cycle"}, bytes_per_cycle},
    {{"a frequency", "1.5 GHz"}, hertz},
    {{"a time", "600 ns"}, seconds},
    {{"a number of cycles", "16 cycles"}, cycles},
    {{"a power", "5 W"}, watts},
    {{"a rate of operations", "2 Gop/s"}, operations},
}};
const Kind& kind_of(Unit unit) { return kinds[static_cast<size_t>(unit)]; }

std::string names(std::span<const Suffix> suffixes) {
  std::string out;
  for (const Suffix& suffix : suffixes) out += (out.empty() ? "" : ", ") + std::string(suffix.name);
  return out;
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  return first == text.npos ? std::string_view{} : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// Takes a decimal number off the front of `text`; false where there is none.
bool take_number(std::string_view& text, double& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::invalid_argument) return false;
  if (error == std::errc::result_out_of_range) value = INFINITY;
  text = trimmed(text.substr(static_cast<size_t>(end - text.data())));
  return true;
}

std::string write_like(const UnitInfo& info) { return fmt::format("write it like \"{}\"", info.example); }

}  // namespace

const UnitInfo& info(Unit unit) { return kind_of(unit).info; }

Result<double> parse_quantity(std::string_view text, Unit unit) {
  const Kind& kind = kind_of(unit);
  std::string_view rest = trimmed(text);
  double value = 0;
  if (!take_number(rest, value))
    return Error{"units.number",
                 fmt::format("expected {}, found \"{}\"", kind.info.noun, printable(text, 60)),
                 {},
                 write_like(kind.info)};

  if (unit == Unit::number && rest.starts_with('/')) {
    double divisor = 0;
    rest = trimmed(rest.substr(1));
    if (!take_number(rest, divisor) || divisor == 0)
      return Error{"units.number",
                   fmt::format("expected a fraction, found \"{}\"", printable(text, 60)),
                   {},
                   "write it like \"1/3\""};
    value /= divisor;
  }
  if (unit != Unit::number && rest.empty())
    return Error{"units.missing",
                 fmt::format("\"{}\" has no unit; expected {}", printable(text, 60), kind.info.noun),
                 {},
                 write_like(kind.info)};
  if (!rest.empty()) {
    const Suffix* found = nullptr;
    for (const Suffix& suffix : kind.suffixes)
      if (suffix.name == rest) found = &suffix;
    if (!found)
      return Error{"units.unknown",
                   fmt::format("expected {}, found \"{}\"", kind.info.noun, printable(text, 60)),
                   {},
                   kind.suffixes.empty() ? "it has no unit" : "its units are " + names(kind.suffixes)};
    value *= found->factor;
  }
  if (!std::isfinite(value))
    return Error{
        "units.range", fmt::format("\"{}\" is not a finite number", printable(text, 60)), {}, write_like(kind.info)};
  return value;
}

std::string quantity_text(double value, Unit unit) {
  const auto suffixes = kind_of(unit).suffixes;
  if (suffixes.empty()) return fmt::format("{:.10g}", value);
  if (unit == Unit::cycles) return fmt::format("{:.10g} {}", value, value == 1 ? "cycle" : "cycles");
  // Of the units of which there are 1 to 10000, the one with the fewest digits.
  const int digits = unit == Unit::bytes ? 12 : 6;  // Sizes are exact.
  const Suffix* best = &suffixes.back();
  size_t shortest = std::string::npos;
  for (const Suffix& suffix : suffixes) {
    const double count = value / suffix.factor;
    if (std::fabs(count) < 1 || std::fabs(count) >= 1e4) continue;
    const size_t length = fmt::format("{:.{}g}", count, digits).size();
    if (length < shortest) best = &suffix, shortest = length;
  }
  return fmt::format("{:.{}g} {}", value / best->factor, digits, best->name);
}

}  // namespace hadal

// docs/memory.md, printed from the tables of fields and parameters.
#include "chip/field_tables.h"
#include "memory/fields.h"

namespace hadal::memory {

namespace {

constexpr std::string_view introduction = R"(# Memory descriptions

Written by `memory_reference()` from the tables in `src/memory/fields.cpp`; a test keeps the two equal.

A memory is a TOML file in `memories/`: organisation, timing, the constraints between commands, the controller and the
address mappings. Figures are written as in [chips.md](chips.md), a value or `{ value = …, source = "…" }`.
`extends = "name"` takes what is not given from `name.toml` in the same folder, or from the shipped one of that name. A
chip names its memory in `memory.device`. Two models run a description:

- `exact`: every ACT, RD, WR, PRE and REF at its clock, event-driven: clocks at which nothing can happen are not visited.
- `fast`: the same, but once the requests of a refresh interval are known to 0.4 % (standard error of six or more), whole
  intervals are left out at that pace. Traffic that changes is run as it is. Where queues are nearly saturated, latency
  grows for longer than is watched: trust its bandwidth there, not its latency.

The timing machine has a third one, which costs a few steps a row: a run of bytes waits for its row, then takes the first
gap of its bank group and of the data bus (`src/memory/rows.h`). Where nearly all of the last 256 MiB met every channel, as
weights of a large decoder do, eight of the channels are timed for all, and pieces of transfers are of 128 KiB
(`src/machine/timing/memory.h`). `hadal run --memory exact` takes `exact` instead. Both lay addresses out as controllers of
accelerators do (`Layout` in `src/memory/rows.h`): granules of `memory.interleave_bytes` go round the channels, and those of a
channel round as many bank groups as keep the bus busy (two, where tCCDL is twice tCCDS). The third model is a few per cent from
`exact` on streams in different banks, and up to 30 % faster where several are in rows of the same ones, as at distances of powers
of two; 60 % with sixteen (`tests/memory/rows_test.cpp`).

`bench_hbm` compares the first two with reference rows ([validation.md](validation.md)); `src/memory/memory.h` is the interface.

## [constraints.SCOPE]

SCOPE is `channel`, `pseudo_channel`, `bank_group` or `bank`. A line holds commands apart that meet in the same one:

```toml
[constraints.pseudo_channel]
"WR WRA -> RD RDA" = "tCWL + tBL + tWTRS"   # any of the first, then any of the second
"4 ACT -> ACT" = "tFAW"                     # the fourth last: a window
```

A delay is a sum of timing parameters and numbers of clocks. Commands are ACT RD WR RDA WRA PRE PREA REF REFB; PREA and
REF take all banks of a pseudo-channel, REFB one bank. Delays hold between the last clocks of commands, as data sheets
count; the model stamps the first, and corrects by the lengths in [commands].

## [mapping]

`NAME = "…"` lists the fields of an address from the lowest bit above the burst on: `channel`, `pseudo_channel`,
`bank_group`, `bank`, `row`, `column`. `column:2` takes two bits, the rest comes later in the list; `bank^row` is hashed
(exclusive or) with the low bits of the row. A channel count that is no power of two is taken by remainder. The word
`turn`, behind channel and pseudo-channel, turns their number by the fields that follow, so that no stride of addresses
meets few channels.

## [timing]

| parameter | needed | meaning |
|---|---|---|
)";

std::string kind_text(const Field& field) {
  if (std::holds_alternative<bool& (*)(Device&)>(field.access)) return "true or false";
  if (std::holds_alternative<std::string& (*)(Device&)>(field.access))
    return field.words.empty() ? "text" : std::string(field.words);
  return chip::number_kind(field.unit, false);
}

}  // namespace

std::string memory_reference() {
  std::string out(introduction);
  for (const Parameter& parameter : parameters())
    out += fmt::format("| `{}` | {} | {} |\n", parameter.name, parameter.needed ? "yes" : "no", parameter.meaning);
  out += "\nIn clocks, \"14 cycles\", or as a time that is rounded up to clocks, \"15 ns\".\n";
  out += "\n## Other fields\n\n| field | value | range | needed | meaning |\n|---|---|---|---|---|\n";
  for (const Field& field : fields())
    out += fmt::format("| `{}` | {} | {} | {} | {} |\n", field.name, kind_text(field),
                       chip::range_text(field.low, field.high, field.unit), field.needed ? "yes" : "no", field.meaning);
  out +=
      "| `commands.ACT` … `commands.REFB` | a number of cycles |  | no | Length of the command on its bus; one clock "
      "where not given. |\n";
  return out;
}

}  // namespace hadal::memory

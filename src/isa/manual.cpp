#include "isa/manual.h"

#include <fmt/format.h>

#include "isa/encode.h"
#include "isa/file.h"
#include "isa/table.h"
#include "isa/text.h"
#include "isa/verify.h"

namespace hadal::isa {

namespace {

constexpr std::string_view example =
    R"(; y = relu(x * w) for x [64, 32], in strips of 16 rows; loads run ahead by one strip.
program worked chip any precision f32
limit cores 1
limit scratchpad 12288
limit accumulator 2048
limit memory 20480
limit matrix f32
region in_x input 8192
region in_w input 4096
region out_y output 8192
tensor X in in_x f32 [1, 64, 32]
tensor W in in_w f32 [1, 32, 32]
tensor Y in out_y f32 [1, 64, 32]
tensor w scratchpad f32 4096 bytes at 0
tensor x scratchpad f32 4096 bytes at 4096    ; two slots of [1, 16, 32]
tensor y scratchpad f32 4096 bytes at 8192
chain 0 f32 inputs 1 = relu(i0)
semaphore weights 0 for matrix
semaphore x_free 2 for load
semaphore x_full 0 for matrix
semaphore y_free 2 for matrix
semaphore y_full 0 for store
layer dense matmul nodes [MatMul_0, Relu_1] macs 65536 bytes 20480 precision f32
input x f32 [64, 32] in in_x
input w f32 [32, 32] in in_w
output y f32 [64, 32] in out_y
code
  load w [1, 32, 32], W[0, 0, 0] [1, 32, 32]  signal weights
  sync on matrix  wait weights
  loop r2, 4
    load x[r2 % 2 x 2048] [1, 16, 32], X[0, r2*16, 0] [1, 16, 32]  wait x_free  signal x_full
    matmul y[r2 % 2 x 2048] [1, 16, 32], x[r2 % 2 x 2048] [1, 16, 32], w [1, 32, 32] epilogue 0  wait x_full, y_free  signal x_free, y_full
    store Y[0, r2*16, 0] [1, 16, 32], y[r2 % 2 x 2048] [1, 16, 32]  wait y_full  signal y_free
  end
  halt
)";

constexpr std::string_view introduction = R"(# The instruction set

Printed from the tables in `src/isa` (`manual()`); a test holds this page equal to them.

A program runs on the cores of one chip: the same code on all, each with its own registers, scratchpad and semaphores.

## The core

- **The sequencer** reads the code in order, runs loops and `let`, and hands every other instruction to its queue. It has 64
  registers of 64 bits, r0 to r63, that begin at 0 or at a parameter (`core_id`, `core_count`, sizes).
- **Queues**: load, prefetch, store (DMA), matrix, vector, host. Each runs its instructions in order, side by side with the others.
- **Semaphores**, at most 64: counts of each core. An instruction begins when all its waits are met, and takes them; its
  signals are given when its writes are visible and its reads done. A signal `everywhere` reaches that semaphore in all cores.
- **Program order is a legal execution**: done one instruction after the other, no wait stands for ever (sync.C1). Then no
  timing and no depth of the queues can deadlock.
- An instruction with an empty box (an extent of 0), or whose predicate register is 0, waits and signals and does nothing else.

## Memory

| space | what | who |
|---|---|---|
| hbm | regions: input, output, weight, scratch | DMA, host |
| shared | regions over all cores, page p in core p mod cores | DMA |
| scratchpad | a core's own bytes | all engines of the core |
| accumulator | partial sums, f32 or i32, at byte offsets | the matrix engine |

A **tensor** in memory has extents and byte strides from an offset in its region. A tensor in the scratchpad is a buffer: bytes
at an offset, without a shape. A **view** is what instructions name, a box of a tensor: for each axis an origin
`base + a * Ra + b * Rb` and an extent, a number or a register that is at most a number. A view of a buffer is dense in its own
extents and lies at slot `(register + shift) mod slots` of a ring, or at the buffer's start.

Types: f32, f64, f16, bf16, f8e4m3, f8e5m2, f8e4m3fnuz, f8e5m2fnuz, f8e8m0, f4e2m1, i2, u2, i4, u4, i8, u8, i16, u16, i32, u32,
i64, u64, bool; those of less than 8 bits take a byte each. Conversions round to nearest even;
integers saturate. Sums of i32 wrap.

)";

constexpr std::string_view text_form = R"(## Text

One declaration or instruction a line; `;` begins a comment. A name that is no plain word stands in quotes, with the escapes
`\"`, `\\` and `\x00`. Things are referred to by name, or by `#` and their number where names are not unique. The canonical text
(`hadal dis`) leaves out every field that has its usual value, and assembles to the same file, byte for byte.

```
program NAME chip NAME precision NAME
limit cores N | scratchpad BYTES | shared BYTES | accumulator BYTES | memory BYTES | vector_unit | matrix TYPE
param NAME rN LEAST .. MOST
region NAME input|output|weight|scratch|shared BYTES page BYTES   page of a shared region, 4096 where left out
tensor NAME in REGION TYPE [EXTENTS] strides [BYTES] at BYTE   strides where not row-major, at where not 0
tensor NAME scratchpad TYPE N bytes at BYTE
chain N TYPE inputs N = OP(i0, s0, alpha X, beta Y) OP(…) …    i: inputs, s: results of steps; the last is the value
table N NAME taps N indices [N, …] weights [X, …]
function N NAME
semaphore NAME INITIAL for QUEUE                               the queue that waits on it
layer NAME OP nodes [NAME, …] macs N bytes N precision TYPE
input NAME TYPE stored TYPE [EXTENTS] in REGION                and output
output … counted AXIS by REGION                                an i64 there says how much of the axis counts
fixed NAME TYPE [EXTENTS] hex "BYTES"                          an input that must have these values: they decided shapes
weight NAME SIZE at OFFSET hex "BYTES" | file "PATH" OFFSET crc32c SUM | absent | empty
code
  at LAYER "LINE"                                              layer and line of the source text of what follows
  loop rN, COUNT max N                                         max where COUNT is a register
  let rN = OP A, B
  NAME on QUEUE if rN VIEW, VIEW, OPERAND = VIEW FIELD VALUE … wait NAME * N, …  signal NAME * N everywhere, …
  end
  halt
```

A view is `TENSOR[ORIGINS] [EXTENTS]` in memory, `BUFFER [EXTENTS]` or `BUFFER[rN + SHIFT % SLOTS x BYTES] [EXTENTS]` in the
scratchpad; an origin is a sum such as `r2*16 + r3 - 1`, an extent `16` or `r5 <= 16`.

)";

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '|' ? std::string("\\|") : std::string(1, c);
  return out;
}

std::string spaces_text(uint8_t spaces) {
  std::string text;
  const auto add = [&](uint8_t bit, std::string_view name) {
    if ((spaces & bit) != 0) text += (text.empty() ? "" : ", ") + std::string(name);
  };
  add(in_hbm, "hbm");
  add(in_shared, "shared");
  add(in_scratchpad, "scratchpad");
  return text;
}

std::string kind_text(const FieldRow& field) {
  switch (field.kind) {
    case FieldKind::flag:
      return "flag";
    case FieldKind::count:
      return "u32";
    case FieldKind::number:
      return "i32 or register";
    case FieldKind::real:
      return "f32";
    case FieldKind::target:
      return "register written";
    case FieldKind::chain:
      return "chain";
    case FieldKind::table:
      return "table";
    case FieldKind::function:
      return "function";
    case FieldKind::choice:
      break;
  }
  std::string names;
  for (const std::string_view choice : field.choices)
    if (!choice.empty()) names += (names.empty() ? "" : ", ") + std::string(choice);
  return names;
}

std::string usual_text(const FieldRow& field) {
  if (field.kind == FieldKind::choice) return std::string(field.choices[static_cast<size_t>(field.otherwise)]);
  if (field.kind == FieldKind::chain) return "none";
  return fmt::format("{}", field.otherwise);
}

void print_row(std::string& out, const Row& row) {
  std::string queues;
  for (int i = 0; i < queue_count; ++i)
    if ((row.queues >> i & 1) != 0)
      queues += (queues.empty() ? "" : ", ") + std::string(name_of(static_cast<Queue>(i)));
  out += fmt::format("### {}\n\n{} Opcode {}, {} bytes; queue: {}.\n\n", row.name, row.summary,
                     static_cast<int>(row.op), encoded_bytes(row), queues);
  if (!row.semantics.empty()) out += fmt::format("{}\n\n", row.semantics);
  out += fmt::format("*Time*: {}\n\n", row.timing);
  if (row.operand_count() > 0) {
    out += "| operand | | space |\n|---|---|---|\n";
    for (size_t i = 0; i < row.operand_count(); ++i) {
      const OperandRow& operand = row.operands[i];
      out += fmt::format("| `{}` | {}{} | {} |\n", operand.name, operand.written ? "written" : "read",
                         operand.optional ? ", optional" : "", spaces_text(operand.spaces));
    }
    out += '\n';
  }
  if (row.field_count() == 0) return;
  out += "| field | value | usual | meaning |\n|---|---|---|---|\n";
  for (size_t i = 0; i < row.field_count(); ++i) {
    const FieldRow& field = row.fields[i];
    out += fmt::format("| `{}` | {} | {} | {} |\n", field.name, kind_text(field), usual_text(field), field.meaning);
  }
  out += '\n';
}

void print_instructions(std::string& out) {
  out += "## Instructions\n\n| instruction | queue | what it does |\n|---|---|---|\n";
  for (const Row& row : table()) {
    int queue = 0;
    while ((row.queues >> queue & 1) == 0) ++queue;
    out += fmt::format("| [{0}](#{0}) | {1} | {2} |\n", row.name, name_of(static_cast<Queue>(queue)), row.summary);
  }
  out += '\n';
  for (const Row& row : table()) print_row(out, row);
}

void print_chains(std::string& out) {
  out += fmt::format(
      "## Chains\n\nA chain is a straight line of at most {} steps on at most {} inputs, whose value is its last step. "
      "It computes in f32, "
      "f64 or i64. `alu` and `special` are what a step costs a lane.\n\n| operation | operands | alu | special | value "
      "|\n|---|---|---|---|---|\n",
      chain_steps, chain_inputs);
  for (const ChainOp& op : chain_ops())
    out += fmt::format("| `{}` | {} | {} | {} | {} |\n", op.name, op.operands, op.alu, op.special, escaped(op.meaning));
  out += '\n';
}

void print_rules(std::string& out) {
  out += "## Rules\n\nA program that breaks one is refused, with the rule's label.\n\n| rule | |\n|---|---|\n";
  for (const Rule& rule : rules()) out += fmt::format("| {} | {} |\n", rule.label, escaped(rule.text));
  out +=
      "\n`hadal check` and `hadal run --check` also hold a program to what no order of queues, cores and transfers may "
      "change. An instruction has ended when another begins, in every execution, where both stand on one queue; where "
      "the "
      "other waits for counts that cannot be had without it; or where a third one lies between. The cores of a shared "
      "load begin it together.\n\n| rule | |\n|---|---|\n";
  for (const Rule& rule : order_rules()) out += fmt::format("| {} | {} |\n", rule.label, escaped(rule.text));
  out += fmt::format("\nFunctions of the host: {}.\n\n", fmt::join(host_functions, ", "));
}

void print_file(std::string& out) {
  out += fmt::format(
      "## File\n\nAll numbers are little endian. Header, 32 bytes: magic `{}`; major {}, minor {} (u16); number of "
      "sections (u32); bytes of "
      "the file (u64); 0 (u32); CRC-32C of header, with 0 here, and section table (u32). Section table, 32 bytes each: "
      "number, CRC-32C (u32), "
      "offset, length (u64), 0 (u64). Sections stand in this order, each at the next multiple of 16, with zeros "
      "between; a list is a count "
      "(u32) and its records.\n\n| | section | holds |\n|---|---|---|\n",
      file_magic, file_major, file_minor);
  for (size_t i = 0; i < sections.size(); ++i)
    out += fmt::format("| {} | {} | {} |\n", i, sections[i].name, escaped(sections[i].holds));
  out += fmt::format(
      "\n**Instruction**: whole units of {} bytes. Header: opcode (10 bits), length in units (4 bits), 0 (2 bits); "
      "queue (u8); predicate "
      "register (u8, 255: none); three waits, then three signals, each a semaphore (u8, bit 7: everywhere) and a count "
      "(u8, 0: not used). "
      "Then the operands, numbers of views (u16, 65535: not given); where the row has a field that may be a register, "
      "a bit for each field "
      "that is one (u32); the fields in order: u8 for flags, choices and registers written, u16 for chains, tables and "
      "functions (65535: "
      "none), 32 bits for others. The rest is 0.\n\n",
      unit_bytes);
}

}  // namespace

std::string_view manual_example() { return example; }

std::string manual() {
  std::string out(introduction);
  print_instructions(out);
  print_chains(out);
  print_rules(out);
  out += text_form;
  out += fmt::format("### Example\n\n```\n{}```\n\n", example);
  print_file(out);
  while (out.ends_with("\n\n")) out.pop_back();
  return out;
}

}  // namespace hadal::isa

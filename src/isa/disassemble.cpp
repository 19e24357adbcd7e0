#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <map>

#include "isa/canonical.h"
#include "isa/crc32c.h"
#include "isa/disk.h"
#include "isa/fields.h"
#include "isa/file_sections.h"
#include "isa/lexer.h"
#include "isa/table.h"
#include "isa/text.h"
#include "isa/text_names.h"
#include "isa/verify.h"

namespace hadal::isa {

namespace {

std::string real(uint32_t bits) {
  const float value = std::bit_cast<float>(bits);
  return std::isfinite(value) ? fmt::format("{}", value) : fmt::format("{:#x}", bits);
}
std::string real(float value) { return real(std::bit_cast<uint32_t>(value)); }

/// How the text refers to things of one kind: by name where that is unique, else by number.
class Names {
 public:
  template <class T>
  explicit Names(const std::vector<T>& things) {
    std::map<std::string, int> seen;
    for (const T& thing : things) ++seen[thing.name];
    for (size_t i = 0; i < things.size(); ++i)
      names_.push_back(seen[things[i].name] == 1 ? spelled(things[i].name) : fmt::format("#{}", i));
  }
  const std::string& operator[](size_t i) const { return names_[i]; }

 private:
  std::vector<std::string> names_;
};

class Printer {
 public:
  explicit Printer(const Program& program)
      : p_(program), regions_(program.regions), tensors_(program.tensors), semaphores_(program.semaphores) {}

  void declarations();
  void weights(WeightText where, const std::string& file);
  void code();
  void instruction(const Instruction& in);
  std::string out;

 private:
  template <class... T>
  void line(fmt::format_string<T...> format, T&&... values) {
    fmt::format_to(std::back_inserter(out), format, std::forward<T>(values)...);
    out += '\n';
  }
  void limits();
  void tensor(const TensorDescriptor& t);
  void chain(size_t number);
  void layer(const Layer& layer);
  void ports(const char* word, const std::vector<Port>& ports);
  void fields(const Row& row, const Instruction& in);
  void syncs(const char* word, const std::array<Sync, 3>& syncs);
  [[nodiscard]] std::string view(uint16_t number) const;

  const Program& p_;
  Names regions_, tensors_, semaphores_;
};

std::string text_of(const Field& field) {
  return field.is_register ? fmt::format("r{}", field.value) : fmt::format("{}", field.value);
}

std::string text_of(const Origin& o) {
  std::string text;
  const auto term = [&](int32_t scale, uint8_t number) {
    if (number == no_register) return;
    text += fmt::format("{}r{}", text.empty() ? "" : " + ", number);
    if (scale != 1) text += fmt::format("*{}", scale);
  };
  term(o.scale_a, o.register_a);
  term(o.scale_b, o.register_b);
  if (text.empty()) return fmt::format("{}", o.base);
  if (o.base != 0) text += fmt::format(" {} {}", o.base < 0 ? '-' : '+', std::abs(int64_t{o.base}));
  return text;
}

std::string text_of(const Extent& e) {
  return e.source == no_register ? fmt::format("{}", e.size) : fmt::format("r{} <= {}", e.source, e.size);
}

template <class T>
std::string listed(const std::array<T, rank_limit>& values, size_t rank) {
  std::string text = "[";
  for (size_t i = 0; i < rank; ++i) text += (i == 0 ? "" : ", ") + text_of(values[i]);
  return text + "]";
}

void Printer::limits() {
  const Limits& l = p_.limits;
  line("limit cores {}", l.cores);
  line("limit scratchpad {}", l.scratchpad_bytes);
  line("limit shared {}", l.shared_bytes_per_core);
  line("limit accumulator {}", l.accumulator_bytes);
  line("limit memory {}", l.memory_bytes);
  if (l.vector_unit) line("limit vector_unit");
  for (const DType type : l.matrix_types) line("limit matrix {}", name_of(type));
}

void Printer::tensor(const TensorDescriptor& t) {
  out += fmt::format("tensor {} ", spelled(t.name));
  if (t.space == Space::scratchpad) return line("scratchpad {} {} bytes at {}", name_of(t.dtype), t.bytes, t.offset);
  const auto strides = dense_strides(t);
  const auto begin = t.extents.begin();
  out += fmt::format("in {} {} [{}]", regions_[t.region], name_of(t.dtype), fmt::join(begin, begin + t.rank, ", "));
  if (t.strides != strides)
    out += fmt::format(" strides [{}]", fmt::join(t.strides.begin(), t.strides.begin() + t.rank, ", "));
  if (t.offset != 0) out += fmt::format(" at {}", t.offset);
  out += '\n';
}

void Printer::chain(size_t number) {
  const Chain& chain = p_.chains[number];
  out += fmt::format("chain {} {} inputs {} =", number, name_of(chain.compute), chain.inputs);
  for (const ChainStep& step : chain.steps) {
    const ChainOp& op = chain_ops()[step.op];
    std::string values;
    for (size_t i = 0; i < static_cast<size_t>(op.operands); ++i) {
      const int operand = step.operands[i];
      const bool step_result = operand >= chain_inputs;
      values += fmt::format("{}{}{}", values.empty() ? "" : ", ", step_result ? 's' : 'i',
                            step_result ? operand - chain_inputs : operand);
    }
    if (std::bit_cast<uint32_t>(step.alpha) != 0)
      values += fmt::format("{}alpha {}", values.empty() ? "" : ", ", real(step.alpha));
    if (std::bit_cast<uint32_t>(step.beta) != 0)
      values += fmt::format("{}beta {}", values.empty() ? "" : ", ", real(step.beta));
    out += fmt::format(" {}({})", op.name, values);
  }
  out += '\n';
}

void Printer::layer(const Layer& layer) {
  std::string nodes;
  for (const std::string& node : layer.nodes) nodes += (nodes.empty() ? "" : ", ") + spelled(node);
  line("layer {} {} nodes [{}] macs {} bytes {} precision {}", spelled(layer.name), spelled(layer.op), nodes,
       layer.macs, layer.compulsory_bytes, name_of(layer.precision));
}

void Printer::ports(const char* word, const std::vector<Port>& ports) {
  for (const Port& port : ports)
    line("{} {} {} stored {} [{}] in {}{}", word, spelled(port.name), name_of(port.dtype), name_of(port.stored),
         fmt::join(port.shape, ", "), regions_[port.region],
         port.count ? fmt::format(" counted {} by {}", port.count->axis, regions_[port.count->region]) : "");
}

void Printer::declarations() {
  line("program {} chip {} precision {}", spelled(p_.model), spelled(p_.chip), spelled(p_.precision));
  limits();
  for (const Parameter& param : p_.parameters)
    line("param {} r{} {} .. {}", spelled(param.name), param.destination, param.minimum, param.maximum);
  for (const Region& region : p_.regions)
    line("region {} {} {}{}", spelled(region.name), name_of(region.kind), region.bytes,
         region.page_bytes == usual_page_bytes ? "" : fmt::format(" page {}", region.page_bytes));
  for (const TensorDescriptor& t : p_.tensors) tensor(t);
  for (size_t i = 0; i < p_.chains.size(); ++i) chain(i);
  for (size_t i = 0; i < p_.tables.size(); ++i) {
    const ResampleTable& table = p_.tables[i];
    std::vector<std::string> reals;
    for (const float weight : table.weights) reals.push_back(real(weight));
    line("table {} {} taps {} indices [{}] weights [{}]", i, spelled(table.name), table.taps,
         fmt::join(table.indices, ", "), fmt::join(reals, ", "));
  }
  for (size_t i = 0; i < p_.functions.size(); ++i) line("function {} {}", i, spelled(p_.functions[i]));
  for (const Semaphore& s : p_.semaphores)
    line("semaphore {} {} for {}", spelled(s.name), s.initial, name_of(s.waiter));
  for (const Layer& l : p_.layers) layer(l);
  ports("input", p_.inputs);
  ports("output", p_.outputs);
  for (const FixedInput& fixed : p_.fixed)
    line("fixed {} {} [{}] hex \"{:02x}\"", spelled(fixed.name), name_of(fixed.dtype), fmt::join(fixed.shape, ", "),
         fmt::join(fixed.bytes, ""));
  for (const State& state : p_.states)
    line("state {} from {}", spelled(p_.inputs[state.input].name), spelled(p_.outputs[state.output].name));
}

void Printer::weights(WeightText where, const std::string& file) {
  uint64_t side = 0;
  for (const WeightEntry& weight : p_.weights) {
    out += fmt::format("weight {} {} at {} ", spelled(weight.name), weight.size, weight.offset);
    const auto bytes = weight.bytes.view;
    if (bytes.empty()) {
      line("{}", weight.size == 0 ? "empty" : "absent");
    } else if (where != WeightText::inlined && file.empty()) {
      line("absent");
    } else if (where == WeightText::inlined) {
      out += "hex \"";
      constexpr std::string_view digits = "0123456789abcdef";
      for (const std::byte b : bytes)
        for (const std::byte half : {b >> 4, b & std::byte{15}}) out += digits[std::to_integer<size_t>(half)];
      out += "\"\n";
    } else {
      const auto in_program =
          static_cast<uint64_t>(bytes.data() - static_cast<const std::byte*>(weight.bytes.owner.get()));
      line("file {} {} crc32c {:#010x}", spelled(file), where == WeightText::side_file ? side : in_program,
           crc32c(bytes));
      side += bytes.size();
    }
  }
}

std::string Printer::view(uint16_t number) const {
  const View& v = p_.views[number];
  const TensorDescriptor& t = p_.tensors[v.tensor];
  std::string text = tensors_[v.tensor];
  if (t.space != Space::scratchpad) {
    text += listed(v.origins, v.rank);
  } else if (v.ring_register != no_register) {
    text += fmt::format("[r{}", v.ring_register);
    if (v.ring_shift != 0) text += fmt::format(" {} {}", v.ring_shift < 0 ? '-' : '+', std::abs(v.ring_shift));
    text += fmt::format(" % {} x {}]", v.slots, v.slot_bytes);
  }
  return text + " " + listed(v.extents, v.rank);
}

void Printer::fields(const Row& row, const Instruction& in) {
  for (size_t i = 0; i < row.field_count(); ++i) {
    const FieldRow& field = row.fields[i];
    const Field& value = in.fields[i];
    if (!value.is_register && value.value == field.otherwise) continue;
    out += fmt::format(" {}", field.name);
    if (field.kind == FieldKind::flag) continue;
    if (field.kind == FieldKind::choice)
      out += fmt::format(" {}", field.choices[static_cast<size_t>(value.value)]);
    else if (field.kind == FieldKind::real)
      out += " " + real(static_cast<uint32_t>(value.value));
    else
      out += " " + text_of(value);
  }
}

void Printer::syncs(const char* word, const std::array<Sync, 3>& syncs) {
  for (size_t i = 0; i < syncs.size() && syncs[i].count > 0; ++i) {
    out += i == 0 ? fmt::format("  {} ", word) : ", ";
    out += semaphores_[syncs[i].id];
    if (syncs[i].count != 1) out += fmt::format(" * {}", syncs[i].count);
    if (syncs[i].everywhere) out += " everywhere";
  }
}

void Printer::instruction(const Instruction& in) {
  const Row& row = *row_of(in.op);
  const auto field = [&](size_t i) -> const Field& { return in.fields[i]; };
  out += row.name;
  if (in.op == Opcode::loop) {
    out += fmt::format(" r{}, {}", field(at::loop_index).value, text_of(field(at::loop_count)));
    if (field(at::loop_count) != field(at::loop_max)) out += fmt::format(" max {}", field(at::loop_max).value);
    return;
  }
  if (in.op == Opcode::let) {
    const auto op = row.fields[at::let_op].choices[static_cast<size_t>(field(at::let_op).value)];
    out += fmt::format(" r{} = {} {}, {}", field(at::let_target).value, op, text_of(field(at::let_a)),
                       text_of(field(at::let_b)));
    return;
  }
  if ((row.queues & (on(in.queue) - 1)) != 0 || row.op == Opcode::sync) out += fmt::format(" on {}", name_of(in.queue));
  if (in.predicate != no_register) out += fmt::format(" if r{}", in.predicate);
  bool gap = false;
  for (size_t i = 0; i < in.operands.size(); ++i) {
    if (in.operands[i] == no_view) {
      gap = true;
      continue;
    }
    out += i == 0 ? " " : ", ";
    if (gap) out += fmt::format("{} = ", row.operands[i].name);
    out += view(in.operands[i]);
  }
  fields(row, in);
  syncs("wait", in.waits);
  syncs("signal", in.signals);
}

void Printer::code() {
  out += "code\n";
  size_t depth = 1;
  for (size_t i = 0; i < p_.code.size(); ++i) {
    const Instruction& in = p_.code[i];
    if (in.op == Opcode::end) --depth;
    const auto line = [&](size_t at) { return p_.lines.empty() ? std::string() : p_.lines[at]; };
    if (i == 0 || p_.source[i] != p_.source[i - 1] || line(i) != line(i - 1))
      out += fmt::format("{:{}}at {}{}  ; {}\n", "", 2 * depth, p_.source[i],
                         line(i).empty() ? "" : " " + spelled(line(i)), spelled(p_.layers[p_.source[i]].name));
    out.append(2 * depth, ' ');
    instruction(in);
    out += '\n';
    if (in.op == Opcode::loop) ++depth;
  }
}

}  // namespace

Result<std::string> disassemble(const Program& program, WeightText weights, const std::string& file) {
  HADAL_CHECK(verify_static(program));
  Program canonical = program;
  canonicalise(canonical);
  Printer printer(canonical);
  printer.declarations();
  printer.weights(weights, file);
  printer.code();
  return std::move(printer.out);
}

std::vector<std::string> instruction_texts(const Program& program) {
  Printer printer(program);
  std::vector<std::string> texts;
  for (const Instruction& in : program.code) {
    printer.out.clear();
    printer.instruction(in);
    texts.push_back(printer.out);
  }
  return texts;
}

Status write_text(const Program& program, const std::filesystem::path& path, bool inline_weights) {
  std::filesystem::path side = path;
  side += ".weights";
  const auto where = inline_weights ? WeightText::inlined : WeightText::side_file;
  HADAL_TRY(const std::string text, disassemble(program, where, side.filename().string()));
  if (!inline_weights) {
    HADAL_TRY(OutputFile file, OutputFile::open(side));
    for (const WeightEntry& weight : program.weights) HADAL_CHECK(file.write(weight.bytes.view));
    HADAL_CHECK(file.commit());
  }
  HADAL_TRY(OutputFile file, OutputFile::open(path));
  HADAL_CHECK(file.write(text));
  return file.commit();
}

}  // namespace hadal::isa

#include <algorithm>
#include <bit>

#include "base/suggest.h"
#include "isa/assembler.h"
#include "isa/canonical.h"
#include "isa/text.h"
#include "isa/text_names.h"

namespace hadal::isa {

Result<size_t> NameTable::read(Cursor& cursor) const {
  const size_t start = cursor.mark();
  if (cursor.accept("#")) {
    HADAL_TRY(const uint64_t number, cursor.natural());
    if (number < count_) return static_cast<size_t>(number);
    cursor.back(start);
    return cursor.fail("asm.unknown", fmt::format("there is no {} of that number", kind_));
  }
  HADAL_TRY(const std::string name, cursor.name());
  const auto found = numbers_.find(name);
  if (found != numbers_.end() && found->second != ambiguous) return found->second;
  cursor.back(start);
  if (found != numbers_.end())
    return cursor.fail("asm.unknown", fmt::format("more than one {} has this name; write `#` and its number", kind_));
  std::vector<std::string_view> candidates;
  for (const auto& [known, number] : numbers_) candidates.push_back(known);
  Error error = cursor.fail("asm.unknown", fmt::format("there is no {} of this name", kind_));
  error.remedy = did_you_mean(name, candidates);
  return error;
}

Result<DType> Assembler::dtype(Cursor& c) {
  if (c.peek().kind == Token::Kind::word)
    if (const auto type = dtype_named(c.peek().text)) {
      c.step();
      return *type;
    }
  return c.expected("an element type (f32, bf16, i8 …)");
}

Status Assembler::number_is(Cursor& c, size_t number) {
  const size_t start = c.mark();
  HADAL_TRY(const uint64_t found, c.natural());
  if (found == number) return {};
  c.back(start);
  return c.fail("asm.order", fmt::format("expected number {}: they are declared in order", number));
}

Status Assembler::program_line(Cursor& c) {
  if (named_) return c.fail("asm.order", "the program is named already");
  named_ = true;
  HADAL_TRY(program_.model, c.name());
  if (c.accept("chip")) {
    HADAL_TRY(program_.chip, c.name());
  }
  if (c.accept("precision")) {
    HADAL_TRY(program_.precision, c.name());
  }
  return {};
}

Status Assembler::limit(Cursor& c) {
  Limits& l = program_.limits;
  if (c.accept("vector_unit")) {
    l.vector_unit = true;
  } else if (c.accept("matrix")) {
    HADAL_TRY(const DType type, dtype(c));
    l.matrix_types.push_back(type);
  } else if (c.accept("cores")) {
    HADAL_TRY(l.cores, c.number<uint32_t>());
  } else if (c.accept("scratchpad")) {
    HADAL_TRY(l.scratchpad_bytes, c.natural());
  } else if (c.accept("shared")) {
    HADAL_TRY(l.shared_bytes_per_core, c.natural());
  } else if (c.accept("accumulator")) {
    HADAL_TRY(l.accumulator_bytes, c.natural());
  } else if (c.accept("memory")) {
    HADAL_TRY(l.memory_bytes, c.natural());
  } else {
    return c.expected("cores, scratchpad, shared, accumulator, memory, vector_unit or matrix");
  }
  return {};
}

Status Assembler::param(Cursor& c) {
  Parameter p;
  HADAL_TRY(p.name, c.name());
  HADAL_TRY(p.destination, c.register_number());
  HADAL_TRY(p.minimum, c.number<int64_t>());
  HADAL_CHECK(c.expect(".."));
  HADAL_TRY(p.maximum, c.number<int64_t>());
  program_.parameters.push_back(std::move(p));
  return {};
}

Status Assembler::region(Cursor& c) {
  Region r;
  HADAL_TRY(r.name, c.name());
  const auto kind = std::find(region_kinds.begin(), region_kinds.end(), c.peek().text);
  if (c.peek().kind != Token::Kind::word || kind == region_kinds.end())
    return c.expected("input, output, weight, scratch or shared");
  c.step();
  r.kind = static_cast<RegionKind>(kind - region_kinds.begin());
  HADAL_TRY(r.bytes, c.natural());
  if (c.accept("page")) {
    HADAL_TRY(r.page_bytes, c.natural());
  }
  regions_.add(r.name);
  program_.regions.push_back(std::move(r));
  return {};
}

Status Assembler::tensor(Cursor& c) {
  TensorDescriptor t;
  HADAL_TRY(t.name, c.name());
  if (c.accept("scratchpad")) {
    t.space = Space::scratchpad;
    HADAL_TRY(t.dtype, dtype(c));
    HADAL_TRY(t.bytes, c.natural());
    HADAL_CHECK(c.expect("bytes"));
  } else {
    HADAL_CHECK(c.expect("in"));
    HADAL_TRY(const size_t region, regions_.read(c));
    t.region = static_cast<uint16_t>(region);
    if (region > UINT16_MAX) return c.fail("asm.range", "there are too many regions");
    t.space = program_.regions[region].kind == RegionKind::shared ? Space::shared : Space::hbm;
    HADAL_TRY(t.dtype, dtype(c));
    HADAL_CHECK(c.list([&]() -> Status {
      if (t.rank == rank_limit) return c.fail("asm.range", "a tensor has at most 6 axes");
      HADAL_TRY(t.extents[t.rank], c.number<uint32_t>());
      ++t.rank;
      return {};
    }));
    t.strides = dense_strides(t);
    size_t axis = 0;
    if (c.accept("strides")) {
      HADAL_CHECK(c.list([&]() -> Status {
        if (axis == t.rank) return c.fail("asm.range", "there are more strides than axes");
        HADAL_TRY(t.strides[axis], c.number<int64_t>());
        ++axis;
        return {};
      }));
      if (axis != t.rank) return c.fail("asm.range", "there are fewer strides than axes");
    }
  }
  if (c.accept("at")) {
    HADAL_TRY(t.offset, c.natural());
  }
  tensors_.add(t.name);
  program_.tensors.push_back(std::move(t));
  return {};
}

Status Assembler::chain_step(Cursor& c, Chain& chain) {
  const auto op = c.peek().kind == Token::Kind::word ? chain_op_named(c.peek().text) : std::nullopt;
  if (!op) {
    std::vector<std::string_view> names;
    for (const ChainOp& known : chain_ops()) names.push_back(known.name);
    Error error = c.expected("an operation of a chain");
    error.remedy = did_you_mean(c.peek().text, names);
    return error;
  }
  c.step();
  ChainStep step;
  step.op = *op;
  HADAL_CHECK(c.expect("("));
  int left = chain_ops()[*op].operands;
  while (!c.accept(")")) {
    const std::string_view word = c.peek().text;
    if (c.accept("alpha")) {
      HADAL_TRY(const uint32_t bits, c.real());
      step.alpha = std::bit_cast<float>(bits);
    } else if (c.accept("beta")) {
      HADAL_TRY(const uint32_t bits, c.real());
      step.beta = std::bit_cast<float>(bits);
    } else if (left > 0 && word.size() >= 2 && word.size() <= 3 && (word[0] == 'i' || word[0] == 's') &&
               std::all_of(word.begin() + 1, word.end(), [](char d) { return d >= '0' && d <= '9'; })) {
      const int number = word.size() == 2 ? word[1] - '0' : (word[1] - '0') * 10 + word[2] - '0';
      if (number >= (word[0] == 'i' ? chain_inputs : chain_steps)) return c.expected("i0 to i7, or s0 to s31");
      const int operand = word[0] == 'i' ? number : chain_inputs + number;
      step.operands[static_cast<size_t>(chain_ops()[*op].operands - left--)] = static_cast<uint8_t>(operand);
      c.step();
    } else {
      return c.expected(left > 0 ? "an input (i0), or the result of a step (s0)" : "alpha, beta or `)`");
    }
    if (!c.sees(")")) HADAL_CHECK(c.expect(","));
  }
  if (left > 0) return c.fail("asm.syntax", fmt::format("{} lacks {} operands", chain_ops()[*op].name, left));
  chain.steps.push_back(step);
  return {};
}

Status Assembler::chain(Cursor& c) {
  HADAL_CHECK(number_is(c, program_.chains.size()));
  Chain chain;
  HADAL_TRY(chain.compute, dtype(c));
  HADAL_CHECK(c.expect("inputs"));
  HADAL_TRY(chain.inputs, c.number<uint8_t>());
  HADAL_CHECK(c.expect("="));
  while (!c.at_end()) HADAL_CHECK(chain_step(c, chain));
  program_.chains.push_back(std::move(chain));
  return {};
}

Status Assembler::resample_table(Cursor& c) {
  HADAL_CHECK(number_is(c, program_.tables.size()));
  ResampleTable table;
  HADAL_TRY(table.name, c.name());
  HADAL_CHECK(c.expect("taps"));
  HADAL_TRY(table.taps, c.number<uint32_t>());
  HADAL_CHECK(c.expect("indices"));
  HADAL_CHECK(c.list([&]() -> Status {
    HADAL_TRY(const int32_t index, c.number<int32_t>());
    table.indices.push_back(index);
    return {};
  }));
  HADAL_CHECK(c.expect("weights"));
  HADAL_CHECK(c.list([&]() -> Status {
    HADAL_TRY(const uint32_t bits, c.real());
    table.weights.push_back(std::bit_cast<float>(bits));
    return {};
  }));
  program_.tables.push_back(std::move(table));
  return {};
}

Status Assembler::function(Cursor& c) {
  HADAL_CHECK(number_is(c, program_.functions.size()));
  HADAL_TRY(std::string name, c.name());
  program_.functions.push_back(std::move(name));
  return {};
}

Status Assembler::semaphore(Cursor& c) {
  Semaphore s;
  HADAL_TRY(s.name, c.name());
  HADAL_TRY(s.initial, c.number<int32_t>());
  HADAL_CHECK(c.expect("for"));
  const auto queue = queue_named(c.peek().text);
  if (c.peek().kind != Token::Kind::word || !queue)
    return c.expected("a queue (load, prefetch, store, matrix, vector, host)");
  c.step();
  s.waiter = *queue;
  if (program_.semaphores.size() == semaphores) return c.fail("asm.range", "there are at most 64 semaphores");
  semaphores_.add(s.name);
  program_.semaphores.push_back(std::move(s));
  return {};
}

Status Assembler::layer(Cursor& c) {
  Layer l;
  HADAL_TRY(l.name, c.name());
  HADAL_TRY(l.op, c.name());
  if (c.accept("nodes"))
    HADAL_CHECK(c.list([&]() -> Status {
      HADAL_TRY(std::string node, c.name());
      l.nodes.push_back(std::move(node));
      return {};
    }));
  if (c.accept("macs")) {
    HADAL_TRY(l.macs, c.natural());
  }
  if (c.accept("bytes")) {
    HADAL_TRY(l.compulsory_bytes, c.natural());
  }
  if (c.accept("precision")) {
    HADAL_TRY(l.precision, dtype(c));
  }
  program_.layers.push_back(std::move(l));
  return {};
}

Status Assembler::shape(Cursor& c, Shape& shape) {
  return c.list([&]() -> Status {
    HADAL_TRY(const int64_t extent, c.number<int64_t>());
    shape.push_back(extent);
    return {};
  });
}

Status Assembler::port(Cursor& c, std::vector<Port>& ports) {
  Port port;
  HADAL_TRY(port.name, c.name());
  HADAL_TRY(port.dtype, dtype(c));
  port.stored = port.dtype;
  if (c.accept("stored")) {
    HADAL_TRY(port.stored, dtype(c));
  }
  HADAL_CHECK(shape(c, port.shape));
  HADAL_CHECK(c.expect("in"));
  HADAL_TRY(const size_t region, regions_.read(c));
  if (region > UINT16_MAX) return c.fail("asm.range", "there are too many regions");
  port.region = static_cast<uint16_t>(region);
  if (c.accept("counted")) {
    HADAL_TRY(const auto axis, c.number<uint8_t>());
    HADAL_CHECK(c.expect("by"));
    HADAL_TRY(const size_t count, regions_.read(c));
    if (count > UINT16_MAX) return c.fail("asm.range", "there are too many regions");
    port.count = Count{axis, static_cast<uint16_t>(count)};
  }
  ports.push_back(std::move(port));
  return {};
}

/// Ports are declared before.
Status Assembler::state(Cursor& c) {
  const auto port = [&](const std::vector<Port>& ports, const char* kind, uint16_t& number) -> Status {
    HADAL_TRY(const std::string name, c.name());
    const auto found = std::ranges::find(ports, name, &Port::name);
    if (found == ports.end()) return c.fail("asm.name", fmt::format("there is no {} {}", kind, printable(name)));
    number = static_cast<uint16_t>(found - ports.begin());
    return {};
  };
  State state;
  HADAL_CHECK(port(program_.inputs, "input", state.input));
  HADAL_CHECK(c.expect("from"));
  HADAL_CHECK(port(program_.outputs, "output", state.output));
  program_.states.push_back(state);
  return {};
}

Status Assembler::line(Cursor& c) {
  if (in_code_) return code_line(c);
  if (c.accept("code")) {
    in_code_ = true;
    return {};
  }
  using Declaration = Status (Assembler::*)(Cursor&);
  static constexpr std::array<std::pair<std::string_view, Declaration>, 13> declarations{
      {{"program", &Assembler::program_line},
       {"limit", &Assembler::limit},
       {"param", &Assembler::param},
       {"region", &Assembler::region},
       {"tensor", &Assembler::tensor},
       {"chain", &Assembler::chain},
       {"table", &Assembler::resample_table},
       {"function", &Assembler::function},
       {"semaphore", &Assembler::semaphore},
       {"layer", &Assembler::layer},
       {"weight", &Assembler::weight},
       {"fixed", &Assembler::fixed},
       {"state", &Assembler::state}}};
  for (const auto& [word, declaration] : declarations)
    if (c.accept(word)) return (this->*declaration)(c);
  if (c.accept("input")) return port(c, program_.inputs);
  if (c.accept("output")) return port(c, program_.outputs);
  return c.expected("a declaration (region, tensor, semaphore …) or `code`");
}

Result<Program> Assembler::finish(const std::string& file) {
  if (!in_code_) return Error{"asm.syntax", "the text has no `code`", printable(file)};
  if (program_.layers.empty()) program_.layers.push_back({program_.model, "program", {}, 0, 0, DType::f32});
  canonicalise(program_);
  return std::move(program_);
}

Result<Program> assemble(std::string_view text, const std::string& file, const std::filesystem::path& folder,
                         std::vector<uint32_t>* lines) {
  Assembler assembler(folder);
  LinePlace place{file, {}, 0};
  while (!text.empty()) {
    const size_t end = text.find('\n');
    place.line = text.substr(0, end);
    ++place.number;
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    HADAL_TRY(std::vector<Token> tokens, tokens_of(place));
    Cursor cursor(place, std::move(tokens));
    if (cursor.at_end()) continue;
    HADAL_CHECK(assembler.line(cursor));
    HADAL_CHECK(cursor.end());
    if (lines != nullptr) lines->resize(assembler.instructions(), static_cast<uint32_t>(place.number));
  }
  return assembler.finish(file);
}

}  // namespace hadal::isa

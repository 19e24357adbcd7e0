#include "isa/text.h"

#include "isa/check.h"
#include "isa/file.h"
#include "isa/lexer.h"
#include "isa/manual.h"
#include "programs.h"

namespace hadal::isa::testing {

namespace {

std::string file_bytes(const Program& program, const std::filesystem::path& path) {
  const Status status = write_program(program, path);
  EXPECT_TRUE(status.ok()) << status.error().text();
  return read_text(path);
}

Program reassembled(const Program& program) {
  const auto text = disassemble(program, WeightText::inlined);
  EXPECT_TRUE(text.ok()) << text.error().text();
  return text ? assembled(*text) : Program{};
}

TEST(Text, examples_are_legal) {
  for (const std::string& name : examples) {
    const Status status = verify(example(name));
    EXPECT_TRUE(status.ok()) << name << ": " << status.error().text();
  }
}

TEST(Text, canonical_text_assembles_to_the_same_file) {
  const Folder folder;
  for (const std::string& name : examples) {
    const Program program = example(name);
    EXPECT_EQ(file_bytes(program, folder / "a"), file_bytes(reassembled(program), folder / "b")) << name;
    EXPECT_EQ(*disassemble(program, WeightText::inlined), *disassemble(reassembled(program), WeightText::inlined))
        << name;
  }
}

TEST(Text, states_survive) {
  const Folder folder;
  Program program = example("matmul");
  program.inputs[0].shape = program.outputs[0].shape;
  program.states = {{0, 0}};
  EXPECT_EQ(reassembled(program).states, program.states);
  EXPECT_FALSE(program.keeps(program.outputs[0].region));
  file_bytes(program, folder / "p");
  EXPECT_EQ(read_program(folder / "p")->states, program.states);
  program.inputs[0].region = program.outputs[0].region;
  EXPECT_TRUE(program.keeps(program.outputs[0].region));
  EXPECT_FALSE(assemble("program p\nstate a from b\ncode\n  halt\n", "p.hasm", folder.path()).ok());
}

TEST(Text, lines_of_the_source_survive) {
  const Folder folder;
  Program program = example("matmul");
  program.lines.assign(program.code.size(), "");
  program.lines[1] = program.lines[2] = "matmul.py:12";
  program.lines[3] = "matmul.py:13";
  expect_equal(reassembled(program), program);
  file_bytes(program, folder / "p");
  EXPECT_EQ(read_program(folder / "p")->lines, program.lines);
  EXPECT_NE(place_of(program, 2).find(", matmul.py:12"), std::string::npos);
  EXPECT_EQ(place_of(program, 4).find("matmul.py"), std::string::npos);
  program.lines.assign(program.code.size(), "");
  EXPECT_TRUE(reassembled(program).lines.empty());
  program.lines.pop_back();
  EXPECT_EQ(verify(program).error().code, "source.C1");
}

TEST(Text, names_of_any_bytes_survive) {
  Program program = example("conv_pool");
  const std::string hostile("a \"b\" \\ \n\0\x1b[31m \xff ; #", 21);
  program.model = hostile;
  program.tensors[0].name = "";
  program.tensors[1].name = program.tensors[2].name = hostile;  // not unique: referred to by number
  program.semaphores[1].name = "wait";
  program.semaphores[2].name = "wait";
  program.layers[0].nodes = {hostile, "x", ""};
  const Program again = reassembled(program);
  EXPECT_EQ(again.model, hostile);
  EXPECT_EQ(again.tensors, program.tensors);
  EXPECT_EQ(again.semaphores, program.semaphores);
  EXPECT_EQ(again.layers, program.layers);
  EXPECT_EQ(again.code, program.code);
}

TEST(Text, weights_stand_in_a_file_beside_it) {
  const Folder folder;
  const Program program = example("conv_pool");
  ASSERT_TRUE(write_text(program, folder / "p.hasm", false).ok());
  EXPECT_EQ(std::filesystem::file_size(folder / "p.hasm.weights"), 152u);
  const auto again = assemble(read_text(folder / "p.hasm"), "p.hasm", folder.path());
  ASSERT_TRUE(again.ok()) << again.error().text();
  expect_equal(program, *again);
  std::ofstream(folder / "p.hasm.weights", std::ios::binary) << std::string(152, 'x');
  const auto other = assemble(read_text(folder / "p.hasm"), "p.hasm", folder.path());
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.error().code, "asm.weight");
}

TEST(Text, weights_stay_in_the_program_file) {
  const Folder folder;
  const std::string bytes = file_bytes(example("conv_pool"), folder / "p");
  const auto program = read_program(folder / "p");
  ASSERT_TRUE(program.ok()) << program.error().text();
  const auto text = disassemble(*program, WeightText::program_file, (folder / "p").string());
  EXPECT_EQ(text->find("hex"), std::string::npos);
  EXPECT_EQ(file_bytes(assembled(*text), folder / "q"), bytes);
}

TEST(Text, absent_weights_stay_absent) {
  Program program = example("conv_pool");
  program.weights[0].bytes = {};
  const Folder folder;
  EXPECT_TRUE(reassembled(program).weights[0].bytes.view.empty());
  EXPECT_EQ(file_bytes(program, folder / "a"), file_bytes(reassembled(program), folder / "b"));
}

TEST(Text, reals_keep_every_bit) {
  Program program = example("conv_pool");
  uint32_t number = 1;
  for (int i = 0; i < 200; ++i) {
    number = number * 1664525u + 1013904223u;
    ChainStep& step = program.chains[0].steps[1];
    step.alpha = std::bit_cast<float>(
        i < 4 ? std::array{0x7fc00001u, 0xff800000u, 0x80000000u, 1u}[static_cast<size_t>(i)] : number);
    EXPECT_EQ(std::bit_cast<uint32_t>(reassembled(program).chains[0].steps[1].alpha),
              std::bit_cast<uint32_t>(step.alpha));
  }
}

TEST(Text, counted_outputs_are_kept) {
  Program program = example("matmul");
  program.regions.push_back({"rows", RegionKind::output, 8});
  program.limits.memory_bytes += 8;
  program.outputs[0].count = Count{1, static_cast<uint16_t>(program.regions.size() - 1)};
  const Folder folder;
  EXPECT_EQ(reassembled(program).outputs, program.outputs);
  EXPECT_EQ(file_bytes(program, folder / "a"), file_bytes(reassembled(program), folder / "b"));
  program.outputs[0].count->axis = 7;
  EXPECT_EQ(verify(program).error().code, "region.C1");
}

TEST(Text, what_breaks_the_rules_has_no_text) {
  Program program = example("matmul");
  program.code[3].fields[0].value = 99;
  const auto text = disassemble(program, WeightText::inlined);
  ASSERT_FALSE(text.ok());
  EXPECT_EQ(text.error().code, "code.C1");
}

struct Mistake {
  const char *line, *code, *message;
  size_t column;
};
void PrintTo(const Mistake& mistake, std::ostream* out) { *out << mistake.line; }

class TextMistake : public ::testing::TestWithParam<Mistake> {};

/// The line stands in the code of an example; the error names line, column and what was expected.
TEST_P(TextMistake, is_told_with_line_and_column) {
  const Mistake& mistake = GetParam();
  std::string text =
      "program p\nregion in input 64\ntensor T in in f32 [4, 4]\ntensor t scratchpad f32 64 bytes\nsemaphore full 0 "
      "for matrix\ncode\n";
  const auto program = assemble(text + mistake.line + "\n", "test.hasm", ".");
  ASSERT_FALSE(program.ok());
  EXPECT_EQ(program.error().code, mistake.code);
  EXPECT_NE(program.error().message.find(mistake.message), std::string::npos) << program.error().text();
  const std::string place =
      fmt::format("test.hasm:7:{}\n  {}\n  {}^", mistake.column, mistake.line, std::string(mistake.column - 1, ' '));
  EXPECT_EQ(program.error().place, place);
}

INSTANTIATE_TEST_SUITE_P(
    Text, TextMistake,
    ::testing::Values(Mistake{"lood t [4]", "asm.syntax", "an instruction", 1},
                      Mistake{"load t [4,", "asm.syntax", "end of the line", 11},
                      Mistake{"load t [4], U[0, 0] [4, 4]", "asm.unknown", "no tensor", 13},
                      Mistake{"load t [4], T[0] [4, 4]", "asm.range", "1 origins", 18},
                      Mistake{"load t [4]", "asm.syntax", "operand `from`", 11},
                      Mistake{"load t [4], T[r64, 0] [4, 4]", "asm.syntax", "r0 to r63", 15},
                      Mistake{"load t [4], T[r1 + r2 + r3, 0] [4, 4]", "asm.range", "two registers", 27},
                      Mistake{"load t [4], T[0, 0] [4, 4] filll", "asm.unknown", "no field", 28},
                      Mistake{"load t [4], T[0, 0] [4, 4] fill fill", "asm.syntax", "given already", 33},
                      Mistake{"load t [4], T[0, 0] [4, 4] fill value x", "asm.syntax", "a number", 39},
                      Mistake{"load on vector t [4], T[0, 0] [4, 4]", "asm.unknown", "queue", 9},
                      Mistake{"load t [4], T[0, 0] [4, 4] wait ful", "asm.unknown", "no semaphore", 33},
                      Mistake{"load t [4], T[0, 0] [4, 4] wait full * 300", "asm.range", "1 to 255", 40},
                      Mistake{"load t [4], T[0, 0] [4, 4] wait full, full, full, full", "asm.range", "at most 3", 51},
                      Mistake{"load t [99999999999], T[0, 0] [4, 4]", "asm.range", "4294967295", 9},
                      Mistake{"loop r1, r2", "asm.syntax", "`max`", 12},
                      Mistake{"let r1 = plus 1, 2", "asm.syntax", "one of add", 10},
                      Mistake{"at 1", "asm.unknown", "0 layers", 4}, Mistake{"halt now", "asm.unknown", "no field", 6},
                      Mistake{"halt 1", "asm.syntax", "end of the line", 6},
                      Mistake{"halt $", "asm.character", "no place", 6},
                      Mistake{"load \"t", "asm.string", "does not end", 6}, Mistake{"sync", "asm.syntax", "`on`", 5}));

TEST(Text, no_text_crashes_the_assembler) {
  const std::string text = example_text("vector") + std::string(manual_example());
  uint64_t state = 1;
  const auto random = [&](size_t limit) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<size_t>(state >> 33) % limit;
  };
  const std::string_view signs = "[](),=+-*%#\"\\;\n 0r9x.<";
  for (int i = 0; i < 3000; ++i) {
    std::string damaged = text.substr(0, 200 + random(text.size() - 200));
    for (size_t k = random(8); k-- > 0;) damaged[random(damaged.size())] = signs[random(signs.size())];
    if (random(2) == 0) damaged += "\ncode\nhalt\n";
    if (const auto program = assemble(damaged, "test.hasm", ".")) (void)verify(*program);
  }
}

}  // namespace

}  // namespace hadal::isa::testing

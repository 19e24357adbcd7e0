#include "isa/file.h"

#include <algorithm>

#include "isa/canonical.h"
#include "isa/crc32c.h"
#include "isa/encode.h"
#include "isa/table.h"
#include "programs.h"

namespace hadal::isa::testing {

namespace {

void write_bytes(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

std::string written(const Program& program, const std::filesystem::path& path) {
  const Status status = write_program(program, path);
  EXPECT_TRUE(status.ok()) << status.error().text();
  return read_text(path);
}

Result<Program> parsed(const std::string& bytes) {
  return parse_program({nullptr, std::as_bytes(std::span(bytes))}, "test");
}

/// Puts right the checksums of a damaged file, so that what is behind them is reached.
void sign(std::string& bytes) {
  const auto word = [&](size_t at) {
    uint64_t value = 0;
    std::memcpy(&value, bytes.data() + at, 8);
    return value;
  };
  const auto span = [&](size_t at, size_t size) { return std::as_bytes(std::span(bytes.data() + at, size)); };
  for (size_t entry = 32; entry < 32 + 32 * sections.size(); entry += 32) {
    const uint64_t offset = word(entry + 8), length = word(entry + 16);
    if (offset > bytes.size() || length > bytes.size() - offset) continue;
    const uint32_t sum = crc32c(span(offset, length));
    std::memcpy(bytes.data() + entry + 4, &sum, 4);
  }
  std::memset(bytes.data() + 28, 0, 4);
  const uint32_t sum = crc32c(span(0, 32 + 32 * sections.size()));
  std::memcpy(bytes.data() + 28, &sum, 4);
}

TEST(Crc32c, is_that_of_the_standard) {
  const std::string digits = "123456789";
  EXPECT_EQ(crc32c(std::as_bytes(std::span(digits))), 0xe3069283u);
  EXPECT_EQ(crc32c(std::as_bytes(std::span(digits).subspan(4)), crc32c(std::as_bytes(std::span(digits).first(4)))),
            0xe3069283u);
}

TEST(File, holds_the_whole_program) {
  const Folder folder;
  for (const std::string& name : examples) {
    Program program = example(name);
    program.weights.push_back({"absent", 152, {}, 8});
    (void)written(program, folder / "p");
    const auto again = read_program(folder / "p");
    ASSERT_TRUE(again.ok()) << again.error().text();
    expect_equal(program, *again);
    EXPECT_TRUE(is_program(folder / "p"));
  }
}

TEST(File, weights_are_mapped_at_whole_pages) {
  const Folder folder;
  (void)written(example("conv_pool"), folder / "p");
  const auto program = read_program(folder / "p");
  ASSERT_TRUE(program.ok());
  EXPECT_EQ(reinterpret_cast<uintptr_t>(program->weights[0].bytes.view.data()) % 4096, 0u);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(program->weights[1].bytes.view.data()) % 64, 0u);
}

/// Random instructions of every row, with any legal numbers.
TEST(File, instructions_survive_encoding) {
  uint64_t state = 7;
  const auto random = [&](uint64_t limit) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (state >> 24) % limit;
  };
  for (int round = 0; round < 200; ++round)
    for (const Row& row : table()) {
      Instruction in;
      in.op = row.op;
      in.queue = static_cast<Queue>(random(queue_count));
      in.predicate = static_cast<uint8_t>(random(256));
      for (auto* syncs : {&in.waits, &in.signals})
        for (Sync& sync : *syncs)
          sync = {static_cast<uint8_t>(random(64)), static_cast<uint8_t>(random(256)), random(2) == 0};
      for (size_t i = 0; i < row.operand_count(); ++i) in.operands.push_back(static_cast<uint16_t>(random(65536)));
      for (size_t i = 0; i < row.field_count(); ++i) {
        const bool number = row.fields[i].kind == FieldKind::number, is_register = number && random(2) == 0;
        const auto value =
            static_cast<int64_t>(random(is_register ? 64 : uint64_t{1} << (8 * bytes_of(row.fields[i].kind))));
        in.fields.push_back({number && !is_register ? static_cast<int32_t>(value) : value, is_register});
      }
      std::string bytes;
      ASSERT_TRUE(encode(in, bytes).ok());
      ASSERT_EQ(bytes.size(), encoded_bytes(row));
      size_t length = 0;
      const auto again = decode(std::as_bytes(std::span(bytes)), length);
      ASSERT_TRUE(again.ok()) << again.error().text();
      ASSERT_EQ(*again, in) << row.name;
      ASSERT_EQ(length, bytes.size());
    }
}

TEST(File, a_changed_byte_is_an_error) {
  const Folder folder;
  const std::string good = written(example("conv_pool"), folder / "p");
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bytes = good;
    bytes[i] = static_cast<char>(bytes[i] ^ (1 << (i % 8)));
    const auto program = parsed(bytes);
    ASSERT_FALSE(program.ok()) << "byte " << i;
    ASSERT_TRUE(program.error().code.starts_with("program.")) << program.error().text();
  }
}

/// Random programs: what breaks no rule has a text that stands for the same program.
TEST(File, a_signed_change_is_refused_or_survives_as_text) {
  const Folder folder;
  std::array<std::string, examples.size()> files;
  for (size_t i = 0; i < files.size(); ++i) files[i] = written(example(examples[i]), folder / "p");
  uint64_t state = 3;
  int accepted = 0, legal = 0;
  for (int i = 0; i < 4000; ++i) {
    const std::string& good = files[static_cast<size_t>(i) % files.size()];
    std::string bytes = good;
    for (int changes = 1 + i / 3 % 3; changes > 0; --changes) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      const size_t at = 32 + (state >> 33) % (std::min<size_t>(good.size(), 12000) - 32);
      bytes[at] =
          static_cast<char>(i % 2 == 0 ? bytes[at] ^ (1 << (state >> 20) % 8) : static_cast<int>((state >> 12) & 0xff));
    }
    sign(bytes);
    const auto program = parsed(bytes);
    if (!program) continue;
    ++accepted;
    (void)verify(*program);
    const auto text = disassemble(*program, WeightText::inlined);
    if (!text) continue;
    ++legal;
    Program canonical = *program;
    canonicalise(canonical);
    expect_equal(canonical, assembled(*text));
    if (::testing::Test::HasFailure()) break;
  }
  EXPECT_GT(accepted, 1000);
  EXPECT_GT(legal, 100);
}

TEST(File, a_shorter_file_is_an_error) {
  const Folder folder;
  const std::string good = written(example("matmul"), folder / "p");
  for (size_t size = 0; size < good.size(); size += 1 + size / 40) {
    write_bytes(folder / "q", good.substr(0, size));
    EXPECT_FALSE(read_program(folder / "q").ok()) << size;
  }
  write_bytes(folder / "q", good + "x");
  EXPECT_FALSE(read_program(folder / "q").ok());
}

TEST(File, another_version_is_named) {
  const Folder folder;
  std::string bytes = written(example("matmul"), folder / "p");
  bytes[8] = 9;
  write_bytes(folder / "q", bytes);
  const auto program = read_program(folder / "q");
  ASSERT_FALSE(program.ok());
  EXPECT_EQ(program.error().code, "program.version");
  EXPECT_NE(program.error().message.find(fmt::format("9.{}", file_minor)), std::string::npos);
}

TEST(File, is_written_whole_or_not_at_all) {
  const Folder folder;
  const Program program = example("matmul");
  EXPECT_EQ(write_program(program, folder / "absent" / "p").error().code, "program.write");
  EXPECT_EQ(write_program(program, folder.path()).error().code, "program.write");
  EXPECT_EQ(write_program(program, "/dev/full").error().code, "program.write");
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  EXPECT_EQ(read_program(folder.path()).error().code, "program.read");
  EXPECT_EQ(read_program(folder / "absent").error().code, "program.read");
}

TEST(File, what_cannot_be_encoded_is_not_written) {
  const Folder folder;
  Program program = example("matmul");
  program.code[0].fields[2] = {int64_t{1} << 40, false};
  EXPECT_EQ(write_program(program, folder / "p").error().code, "code.C1");
  EXPECT_FALSE(std::filesystem::exists(folder / "p"));
}

TEST(Canonical, views_are_pooled_in_order_of_use) {
  Program program = example("matmul");
  const Program before = program;
  program.views.push_back(program.views[0]);  // the same once more, and used
  program.views.insert(program.views.begin(), View{});
  for (Instruction& in : program.code)
    for (uint16_t& operand : in.operands)
      if (operand != no_view) ++operand;
  const auto load = std::find_if(program.code.begin(), program.code.end(),
                                 [](const Instruction& in) { return in.op == Opcode::load; });
  load->operands[0] = static_cast<uint16_t>(program.views.size() - 1);
  canonicalise(program);
  expect_equal(before, program);
}

}  // namespace

}  // namespace hadal::isa::testing

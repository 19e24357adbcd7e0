// One test for each way that a description can be wrong: file, line and field are in the error.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "chip/chip.h"

namespace hadal::chip {
namespace {

class ChipFile : public testing::Test {
 protected:
  void SetUp() override { setenv("HADAL_CHIPS", HADAL_SOURCE_DIR "/chips", 1); }
  void TearDown() override { unsetenv("HADAL_CHIPS"); }

  /// The error of a chip that differs from hadal-1 by `text`; the first line of `text` is line 2.
  static Error error_of(const std::string& text) {
    auto parsed = parse_chip("extends = \"hadal-1\"\n" + text, "my.toml");
    EXPECT_FALSE(parsed.ok()) << "accepted: " << text;
    return parsed.ok() ? Error{} : parsed.error();
  }
  static void expect_error(const std::string& text, const std::string& code, const std::string& place) {
    const Error error = error_of(text);
    EXPECT_EQ(error.code, code) << text << "\n" << error.text();
    EXPECT_EQ(error.place, place) << text << "\n" << error.text();
  }
};

TEST_F(ChipFile, DiffersFromTheOneItExtendsOnlyWhereItSays) {
  const auto chip = parse_chip(
      "extends = \"hadal-1\"\nname = \"half\"\n[memory]\nbytes_per_second = { value = \"1.65 TB/s\", source = \"what "
      "if\" }\nchannels = 80",
      "my.toml");
  ASSERT_TRUE(chip.ok()) << chip.error().text();
  EXPECT_EQ(chip.value().name, "half");
  EXPECT_EQ(chip.value().memory.bytes_per_second, 1.65e12);
  EXPECT_EQ(chip.value().sources.at("memory.bytes_per_second"), "what if");
  EXPECT_FALSE(chip.value().sources.contains("memory.channels"));  // The new figure does not have the old one's source.
  EXPECT_EQ(chip.value().cores, 16);
  EXPECT_EQ(chip.value().matrix.rows_per_cycle.at(DType::bf16), 1);
}

TEST_F(ChipFile, TextsAndCommentsMayHaveAnyLetter) {
  const auto chip =
      parse_chip("extends = \"hadal-1\"  # naïve ~7e\nname = \"Größe ~7e\"\n[host]\nlaunch = \"2 µs\"", "my.toml");
  ASSERT_TRUE(chip.ok()) << chip.error().text();
  EXPECT_EQ(chip.value().name, "Größe ~7e");
}

TEST_F(ChipFile, SyntaxErrorHasLineAndColumn) { expect_error("cores = = 3", "chip.toml", "my.toml:2:9"); }

TEST_F(ChipFile, UnknownFieldSuggestsTheNearest) {
  const Error error = error_of("[matrix]\nrow = 3");
  EXPECT_EQ(error.text(),
            "error[chip.unknown]: there is no field \"matrix.row\"\n  my.toml:3: matrix.row\n  did you mean "
            "\"matrix.rows\"?");
}

TEST_F(ChipFile, MissingFieldsAreAllNamed) {
  const auto parsed = parse_chip("name = \"empty\"\n[vector]\nlanes = 0\n[network]\ntopology = \"none\"", "my.toml");
  ASSERT_FALSE(parsed.ok());
  EXPECT_EQ(parsed.error().code, "chip.missing");
  EXPECT_EQ(parsed.error().place, "my.toml");
  for (const char* name : {"cores", "clock", "matrix.rows", "host.launch"})
    EXPECT_NE(parsed.error().message.find(name), std::string::npos) << name;
  for (const char* name : {"not given: name", "vector.alu_per_lane", "network.x", "peak_watts"})
    EXPECT_EQ(parsed.error().message.find(name), std::string::npos) << name;
}

TEST_F(ChipFile, UnitMissing) {
  expect_error("clock = 1500", "units.missing", "my.toml:2: clock");
  expect_error("clock = \"1500\"", "units.missing", "my.toml:2: clock");
}

TEST_F(ChipFile, UnitOfAnotherKind) {
  expect_error("\n[memory]\nbytes = \"3 GHz\"", "units.unknown", "my.toml:4: memory.bytes");
}

TEST_F(ChipFile, ValueOutOfRange) {
  expect_error("cores = 0", "chip.range", "my.toml:2: cores");
  expect_error("cores = -4", "chip.range", "my.toml:2: cores");
  expect_error("cores = 1000000000", "chip.range", "my.toml:2: cores");
  expect_error("cores = 9223372036854775807", "chip.range", "my.toml:2: cores");
  expect_error("clock = \"0 GHz\"", "chip.range", "my.toml:2: clock");
  expect_error("[memory]\nefficiency = 1.2", "chip.range", "my.toml:3: memory.efficiency");
  expect_error("[memory]\nefficiency = nan", "chip.range", "my.toml:3: memory.efficiency");
  expect_error("[memory]\nefficiency = inf", "chip.range", "my.toml:3: memory.efficiency");
  expect_error("[host]\nlaunch = \"1e9 s\"", "chip.range", "my.toml:3: host.launch");
}

TEST_F(ChipFile, NumberThatOverflows) {
  expect_error("[memory]\nbytes = \"1e400 B\"", "units.range", "my.toml:3: memory.bytes");
  expect_error("cores = 99999999999999999999", "chip.toml", "my.toml:2:29");
}

TEST_F(ChipFile, ValueOfAnotherType) {
  expect_error("cores = 1.5", "chip.type", "my.toml:2: cores");
  expect_error("cores = true", "chip.type", "my.toml:2: cores");
  expect_error("cores = [16]", "chip.type", "my.toml:2: cores");
  expect_error("cores = 1979-05-27", "chip.type", "my.toml:2: cores");
  expect_error("name = 7", "chip.type", "my.toml:2: name");
  expect_error("name = \"\"", "chip.type", "my.toml:2: name");
  expect_error("[matrix]\ndepthwise_on_lanes = 1", "chip.type", "my.toml:3: matrix.depthwise_on_lanes");
  expect_error("cores = { value = 16, source = 3 }", "chip.type", "my.toml:2: cores");
  expect_error("cores = { value = 16, sauce = \"x\" }", "chip.type", "my.toml:2: cores");
}

TEST_F(ChipFile, WordThatIsNoneOfTheAllowed) {
  const Error error = error_of("[network]\ntopology = \"torus\"");
  EXPECT_EQ(error.code, "chip.type");
  EXPECT_EQ(error.remedy, "one of: mesh crossbar none");
}

TEST_F(ChipFile, FieldGivenTwice) {
  expect_error("\"memory.channels\" = 3\n[memory]\nchannels = 4", "chip.toml", "my.toml:4: memory.channels");
}

TEST_F(ChipFile, MeshMustHoldTheCores) {
  const Error error = error_of("cores = 15");
  EXPECT_EQ(error.code, "chip.together");
  EXPECT_EQ(error.message, "a mesh of 4 x 4 has 16 nodes, but there are 15 cores");
}

TEST_F(ChipFile, FieldsThatContradictEachOther) {
  EXPECT_EQ(error_of("[network]\nx = 5").message, "a mesh of 5 x 4 has 20 nodes, but there are 16 cores");
  expect_error("[network]\ntopology = \"none\"", "chip.together", "my.toml:3: network.topology");
  expect_error("[matrix]\nrows_per_cycle.f32 = 1", "chip.together", "my.toml:3: matrix.rows_per_cycle.f32");
  expect_error("[matrix]\nf32_passes = 2", "chip.together", "my.toml:3: matrix.f32_passes");
  expect_error("[scratchpad]\naccumulator_bytes = \"1 KiB\"\naccumulator_tiles = 3", "chip.together",
               "my.toml:3: scratchpad.accumulator_bytes");
  expect_error("[memory]\ninterleave_bytes = \"100 B\"", "chip.together", "my.toml:3: memory.interleave_bytes");
  expect_error("idle_watts = \"1 kW\"", "chip.together", "my.toml:2: idle_watts");
}

TEST_F(ChipFile, NativeF32ReplacesPasses) {
  const auto chip =
      parse_chip("extends = \"hadal-1\"\n[matrix]\nf32_passes = 0\nrows_per_cycle.f32 = \"1/4\"", "my.toml");
  ASSERT_TRUE(chip.ok()) << chip.error().text();
  EXPECT_EQ(chip.value().matrix.rows_per_cycle.at(DType::f32), 0.25);
}

TEST_F(ChipFile, ExtendsOnlyNames) {
  for (const char* name : {"../chips/hadal-1", "/etc/passwd", "..", ""}) {
    const auto parsed = parse_chip(fmt::format("extends = \"{}\"", name), "my.toml");
    ASSERT_FALSE(parsed.ok()) << name;
    EXPECT_EQ(parsed.error().code, "chip.extends") << name;
    EXPECT_EQ(parsed.error().place, "my.toml:1: extends") << name;
  }
  EXPECT_EQ(parse_chip("extends = \"hadal-2\"", "my.toml").error().code, "chip.not_found");
  EXPECT_EQ(parse_chip("extends = 3", "my.toml").error().code, "chip.type");
}

TEST_F(ChipFile, ExtendsInACircleOrTooDeep) {
  const auto folder = std::filesystem::path(testing::TempDir()) / "hadal chips";
  std::filesystem::create_directories(folder);
  const auto write = [&](const std::string& name, const std::string& text) { std::ofstream(folder / name) << text; };
  write("a.toml", "extends = \"b\"");
  write("b.toml", "extends = \"a\"");
  const auto circle = load_chip((folder / "a.toml").string());
  ASSERT_FALSE(circle.ok());
  EXPECT_EQ(circle.error().code, "chip.extends");
  EXPECT_EQ(circle.error().message, "\"a\" extends itself");

  for (int i = 0; i < 20; ++i) write(fmt::format("c{}.toml", i), fmt::format("extends = \"c{}\"", i + 1));
  const auto deep = load_chip((folder / "c0.toml").string());
  ASSERT_FALSE(deep.ok());
  EXPECT_EQ(deep.error().message, "more than 8 descriptions extend one another");

  write("hadal-1.toml", "extends = \"hadal-1\"\nname = \"varied\"");  // A file may vary its namesake.
  const auto varied = load_chip((folder / "hadal-1.toml").string());
  ASSERT_TRUE(varied.ok()) << varied.error().text();
  EXPECT_EQ(varied.value().name, "varied");
  std::filesystem::remove_all(folder);
}

TEST_F(ChipFile, HostileTextIsRefusedWithoutACrash) {
  std::string dots = "a";
  for (int i = 0; i < 10000; ++i) dots += ".a";
  EXPECT_EQ(error_of(dots + " = 1").code, "chip.toml");
  EXPECT_EQ(error_of("x = " + std::string(10000, '[')).code, "chip.toml");
  EXPECT_EQ(error_of("x = " + std::string(10000, '{')).code, "chip.toml");
  EXPECT_EQ(error_of("\"\\u001b[31m\" = 1").message.find('\x1b'), std::string::npos);
  EXPECT_EQ(error_of(std::string("\0\xff\xfe", 3)).code, "chip.toml");
  EXPECT_EQ(error_of("[{}rows = 1").code, "chip.toml");
  EXPECT_EQ(error_of("é = 1").code, "chip.toml");
  EXPECT_EQ(error_of("a.é = 1").code, "chip.toml");
}

TEST_F(ChipFile, FilesThatCannotBeRead) {
  EXPECT_EQ(load_chip("/no/such/chip.toml").error().code, "file.open");
  EXPECT_EQ(load_chip("/dev/zero").error().code, "file.kind");
  EXPECT_EQ(load_chip("/").error().code, "file.kind");
  EXPECT_EQ(load_chip("").error().code, "file.open");
  const Error error = load_chip("hadal1").error();
  EXPECT_EQ(error.code, "chip.not_found");
  EXPECT_NE(error.remedy.find("did you mean \"hadal-1\"?"), std::string::npos) << error.remedy;
}

TEST_F(ChipFile, TooLargeAFile) {
  const auto file = std::filesystem::path(testing::TempDir()) / "large.toml";
  std::ofstream(file) << std::string(static_cast<size_t>(max_description_bytes) + 1, '#');
  EXPECT_EQ(load_chip(file.string()).error().code, "file.size");
  std::filesystem::remove(file);
}

}  // namespace
}  // namespace hadal::chip

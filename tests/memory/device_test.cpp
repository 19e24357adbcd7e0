// Shipped descriptions, and one test for each way that a description can be wrong.
#include "memory/device.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "memory/files.h"

namespace hadal::memory {
namespace {

constexpr const char* file = HADAL_SOURCE_DIR "/memories/my.toml";

/// The error of a memory that differs from hbm2-2000 by `text`, whose first line is line 2.
Error error_of(const std::string& text) {
  auto parsed = parse_device("extends = \"hbm2-2000\"\n" + text, file);
  EXPECT_FALSE(parsed.ok()) << "accepted: " << text;
  return parsed.ok() ? Error{} : parsed.error();
}
void expect_error(const std::string& text, const std::string& code, const std::string& place) {
  const Error error = error_of(text);
  EXPECT_EQ(error.code, code) << text << "\n" << error.text();
  EXPECT_EQ(error.place, std::string(file) + ":" + place) << text << "\n" << error.text();
  EXPECT_FALSE(error.remedy.empty()) << text;
}

TEST(MemoryDescription, ShippedOnesLoadAndEveryFigureHasASource) {
  const auto names = shipped_memories();
  EXPECT_GE(names.size(), 4U);
  for (const std::string& name : names) {
    const auto device = load_memory(name);
    ASSERT_TRUE(device.ok()) << device.error().text();
    EXPECT_EQ(device->name, name);
    for (const auto& [parameter, clocks] : device->timing)
      EXPECT_TRUE(device->sources.contains("timing." + parameter)) << name << ": " << parameter;
  }
}

TEST(MemoryDescription, ReferenceIsUpToDate) {
  const std::string path = HADAL_SOURCE_DIR "/docs/memory.md";
  if (std::getenv("HADAL_UPDATE")) std::ofstream(path) << memory_reference();
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  EXPECT_EQ(text.str(), memory_reference()) << "./test --update rewrites docs/memory.md";
}

TEST(MemoryDescription, NonsenseIsRefusedWithItsPlace) {
  expect_error("[organization]\nbanks = 0", "memory.range", "3: organization.banks");
  expect_error("[organization]\nbanks = 2.5", "memory.type", "3: organization.banks");
  expect_error("[organization]\nrow_bytes = \"1000 B\"", "memory.together", "3: organization.row_bytes");
  expect_error("[organization]\nburst_bytes = 32", "units.missing", "3: organization.burst_bytes");
  expect_error("[organization]\nbank = 4", "memory.unknown", "3: organization.bank");
  expect_error("[clock]\nperiod = \"1 GHz\"", "units.unknown", "3: clock.period");
  expect_error("[timing]\ntRAS = \"5 cycles\"", "memory.together", "3: timing.tRAS");
  expect_error("[timing]\ntRC = \"20 ns\"", "memory.together", "3: timing.tRC");
  expect_error("[timing]\ntRP = 14", "units.missing", "3: timing.tRP");
  expect_error("[timing]\ntRP = \"1.5 cycles\"", "memory.type", "3: timing.tRP");
  expect_error("[timing]\ntRP = \"-3 cycles\"", "memory.range", "3: timing.tRP");
  expect_error("[timing]\ntRPP = \"3 cycles\"", "memory.unknown", "3: timing.tRPP");
  expect_error("[timing]\ntREFI = \"100 ns\"", "memory.together", "3: timing.tREFI");
  expect_error("[commands]\nACT = \"0 cycles\"", "memory.range", "3: commands.ACT");
  expect_error("[controller]\nscheduler = \"FCFS\"", "memory.type", "3: controller.scheduler");
  expect_error("[controller]\nrow_policy = \"closedcap0\"", "memory.type", "3: controller.row_policy");
  expect_error("[controller]\nmapping = \"Other\"", "memory.mapping", "3: controller.mapping");
  expect_error("[controller]\nwrite_low = 0.9", "memory.together", "3: controller.write_low");
}

TEST(MemoryDescription, BadConstraintsAndMappings) {
  expect_error("[constraints.bank]\n\"ACT RD\" = \"tRP\"", "memory.constraint", "3: constraints.bank.ACT RD");
  expect_error("[constraints.bank]\n\"ACT -> READ\" = \"tRP\"", "memory.constraint", "3: constraints.bank.ACT -> READ");
  expect_error("[constraints.bank]\n\"REF -> RD\" = \"tRP\"", "memory.constraint", "3: constraints.bank.REF -> RD");
  expect_error("[constraints.bank]\n\"ACT -> RD\" = \"tXX\"", "memory.constraint", "3: constraints.bank.ACT -> RD");
  expect_error("[constraints.bank]\n\"ACT -> RD\" = \"tRP +\"", "memory.constraint", "3: constraints.bank.ACT -> RD");
  expect_error("[constraints.bank]\n\"ACT -> RD\" = \"tRP - tRAS\"", "memory.constraint",
               "3: constraints.bank.ACT -> RD");
  expect_error("[constraints.rank]\n\"ACT -> RD\" = \"tRP\"", "memory.unknown", "3: constraints.rank.ACT -> RD");
  expect_error("[mapping]\nBgInterleave = \"channel column row\"", "memory.mapping", "3: mapping.BgInterleave");
  expect_error("[mapping]\nBgInterleave = \"channel:9 column\"", "memory.mapping", "3: mapping.BgInterleave");
  expect_error("[mapping]\nBgInterleave = \"channels\"", "memory.mapping", "3: mapping.BgInterleave");
}

TEST(MemoryDescription, MissingFieldsAreAllNamed) {
  const auto parsed = parse_device("name = \"empty\"", "my.toml");
  ASSERT_FALSE(parsed.ok());
  EXPECT_EQ(parsed.error().code, "memory.missing");
  for (const char* name : {"organization.banks", "clock.period", "timing.tRAS", "controller.queue"})
    EXPECT_NE(parsed.error().message.find(name), std::string::npos) << name;
}

TEST(MemoryDescription, ExtendsInACircle) {
  EXPECT_EQ(parse_device("extends = \"../x\"", file).error().code, "memory.extends");
  EXPECT_EQ(parse_device("extends = \"none\"", file).error().code, "file.open");
}

}  // namespace
}  // namespace hadal::memory

// The report of a hand-made outcome: JSON against its schema, and the terminal's text.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "report/json.h"
#include "report/summary.h"
#include "report/text.h"

namespace hadal::report {
namespace {

using Json = nlohmann::json;

/// Two layers on a chip of 1 GHz: a matmul that the array does in 1000 cycles at best, and a copy.
runtime::Outcome outcome() {
  runtime::Outcome out;
  chip::Chip& chip = out.chip;
  chip.name = "test", chip.summary = "a chip", chip.file = "test.toml";
  chip.matrix.rows = chip.matrix.columns = 10;
  chip.matrix.rows_per_cycle[DType::f32] = 1;
  chip.memory.bytes_per_second = 1e9;
  isa::Program& program = out.program;
  program.layers = {{"a", "matmul", {"MatMul_0"}, 100'000, 500, DType::f32},
                    {"b\x1b[31m\xff", "copy", {"n1", "n2"}, 0, 300, DType::f32}};
  program.code.resize(3);
  program.code[0] = {
      .op = isa::Opcode::matmul, .queue = isa::Queue::matrix, .waits = {}, .signals = {}, .operands = {}, .fields = {}};
  program.code[1] = {
      .op = isa::Opcode::store, .queue = isa::Queue::store, .waits = {}, .signals = {}, .operands = {}, .fields = {}};
  program.source = {0, 1, 1};
  program.outputs = {{"y", DType::f32, DType::f32, {1, 4}, 0}};
  out.outputs = {Tensor::of<float>(DType::f32, {1, 4}, {0.1f, 0.6f, 0.05f, 0.25f})};
  machine::Timing& timing = out.timing.emplace();
  timing.cycles = 2000, timing.launch_cycles = 100, timing.bytes_read = 600, timing.bytes_written = 400;
  timing.layers.resize(2);
  timing.layers[0].cycles = 1500, timing.layers[1].cycles = 500;
  timing.executed = {{isa::Opcode::matmul, 4}, {isa::Opcode::store, 2}, {isa::Opcode::loop, 0}};
  timing.events = {{"macs.f32", 100'000}};
  return out;
}

/// Every required key of the schema stands in the report, all the way down.
void expect_required(const Json& schema, const Json& value, const std::string& place) {
  if (value.is_null()) return;
  for (const Json& key : schema.value("required", Json::array())) {
    ASSERT_TRUE(value.contains(key.get<std::string>())) << place << " lacks " << key;
    expect_required(schema["properties"][key.get<std::string>()], value[key.get<std::string>()],
                    place + "." + key.get<std::string>());
  }
  if (schema.contains("items") && value.is_array())
    for (const Json& item : value) expect_required(schema["items"], item, place + "[]");
}

Json json(const runtime::Outcome& out, const runtime::Request& request = {}) {
  return Json::parse(json_of(request, out, facts_of(out)));
}

TEST(Json, HasEveryKeyOfItsSchema) {
  const Json schema = Json::parse(std::ifstream(HADAL_SOURCE_DIR "/docs/run.schema.json"));
  const Json report = json(outcome());
  expect_required(schema, report, "report");
  for (const auto& [key, value] : report.items())
    EXPECT_TRUE(schema["properties"].contains(key)) << key << " is not in the schema";
}

TEST(Json, FiguresFollowFromTheTimes) {
  const Json report = json(outcome());
  EXPECT_EQ(report["cycles"], 2000);
  EXPECT_DOUBLE_EQ(report["seconds"], 2e-6);
  EXPECT_EQ(report["macs"], 100'000);
  EXPECT_DOUBLE_EQ(report["roofline_cycles"], 1000);
  EXPECT_DOUBLE_EQ(report["matrix_utilization"], 0.5);
  EXPECT_DOUBLE_EQ(report["memory"]["bandwidth_utilization"], 0.5);
  EXPECT_EQ(report["instructions"]["executed"], 6);
  EXPECT_EQ(report["instructions"]["by_class"], (Json{{"matmul", 4}, {"store", 2}}));
  EXPECT_EQ(report["layers"][0]["engine"], "matrix");
  EXPECT_EQ(report["layers"][1]["engine"], "dma");
  EXPECT_DOUBLE_EQ(report["layers"][1]["roofline_cycles"], 300);
}

TEST(Json, WhatIsSwitchedOffIsNull) {
  runtime::Outcome out = outcome();
  out.timing.reset();
  runtime::Request request;
  request.timing = false;
  const Json report = json(out, request);
  for (const char* key : {"cycles", "seconds", "layers", "events", "matrix_utilization", "repeat"})
    EXPECT_TRUE(report[key].is_null()) << key;
  EXPECT_TRUE(report["simulator"]["timing_seconds"].is_null());
  EXPECT_DOUBLE_EQ(report["roofline_cycles"], 1000);
}

TEST(Json, AnInfiniteErrorIsNull) {
  runtime::Outcome out = outcome();
  out.expected.push_back({"y", std::numeric_limits<double>::infinity(), 1e-3, false});
  EXPECT_TRUE(json(out)["expected"][0]["error"].is_null());
  EXPECT_EQ(json(out)["expected"][0]["ok"], false);
}

TEST(Facts, MachinesAgreeWhereTheyExecutedTheSame) {
  runtime::Outcome out = outcome();
  EXPECT_FALSE(facts_of(out).counts_agree.has_value());
  out.values.emplace().executed = {{isa::Opcode::matmul, 4}, {isa::Opcode::store, 2}};
  EXPECT_EQ(facts_of(out).counts_agree, true);
  out.values->executed[isa::Opcode::store] = 3;
  EXPECT_EQ(facts_of(out).counts_agree, false);
}

TEST(Summary, TellsWhatTheUserWants) {
  runtime::Outcome out = outcome();
  out.notes = {"unbound symbols are 1: batch"};
  const std::string text = summary_of({}, out, facts_of(out));
  EXPECT_EQ(text.find("note: unbound symbols are 1: batch"), 0u);
  for (const char* words : {"top  [1] 0.6  [3] 0.25", "2.00 us", "2,000 cycles", "matmul", "50.0 %",
                            "at best 1,000 cycles", "bound by matrix"})
    EXPECT_NE(text.find(words), std::string::npos) << words << "\n" << text;
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

TEST(Summary, LongTablesShowTheLongestLayers) {
  const runtime::Outcome out = outcome();
  const std::string text = summary_of({}, out, facts_of(out), 1);
  EXPECT_NE(text.find("MatMul_0"), 0u);
  EXPECT_NE(text.find("the 1 longest of 2 layers, 75.0 % of the cycles; --layers all shows every one"),
            std::string::npos)
      << text;
}

TEST(Text, NumbersAreShort) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(-1234567), "-1,234,567");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(scaled(12345678, "B"), "12.3 MB");
  EXPECT_EQ(scaled(0.00042, "s"), "420 us");
  EXPECT_EQ(scaled(999.9, "B"), "1.00 kB");
  EXPECT_EQ(scaled(12, "B"), "12 B");
  EXPECT_EQ(scaled(0, "s"), "0 s");
  EXPECT_EQ(percent(0.412), "41.2 %");
  EXPECT_EQ(percent(0.00001), "<0.01 %");
  EXPECT_EQ(fitted("a_very_long_name", 8), "a_v..ame");
}

TEST(Text, ColumnsAreAligned) {
  Table table({{"name"}, {"n", Table::Align::right}});
  table.add({"é", "5"});
  table.add({"longer", "12345"});
  EXPECT_EQ(table.text(" "), " name        n\n é           5\n longer  12345\n");
}

}  // namespace
}  // namespace hadal::report

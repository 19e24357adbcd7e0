// The shipped chips load, name their sources, and have the peak rates that their makers publish.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "chip/chip.h"
#include "chip/fields.h"

namespace hadal::chip {
namespace {

class ShippedChips : public testing::Test {
 protected:
  void SetUp() override { setenv("HADAL_CHIPS", HADAL_SOURCE_DIR "/chips", 1); }
  void TearDown() override { unsetenv("HADAL_CHIPS"); }
  static Chip load(const std::string& name) {
    auto chip = load_chip(name);
    EXPECT_TRUE(chip.ok()) << (chip.ok() ? "" : chip.error().text());
    return chip.ok() ? chip.value() : Chip{};
  }
  /// Peak in 1e12 multiply-accumulates a second: half the TFLOP/s of a data sheet.
  static double tmacs(const std::string& name, DType type) { return load(name).peak_macs_per_second(type) * 1e-12; }
};

TEST_F(ShippedChips, AreThese) {
  EXPECT_EQ(shipped_chips(), (std::vector<std::string>{"a100", "gemmini", "h800", "hadal-1", "hadal-edge", "mi210",
                                                       "tpu-v3", "tpu-v3-chip", "tpu-v6e"}));
}

TEST_F(ShippedChips, LoadUnderTheirOwnNames) {
  for (const auto& name : shipped_chips()) EXPECT_EQ(load(name).name, name);
}

TEST_F(ShippedChips, AreFoundWithoutTheEnvironment) {
  unsetenv("HADAL_CHIPS");
  EXPECT_TRUE(load_chip("hadal-1").ok());
}

TEST_F(ShippedChips, NameASourceForEachFigure) {
  for (const auto& name : shipped_chips())
    for (const FieldRow& row : describe(load(name))) {
      const Field* field = field_named(row.name);
      const bool figure =
          field && row.value != "unknown" && !std::holds_alternative<std::string& (*)(Chip&)>(field->access);
      if (figure) {
        EXPECT_NE(row.source, "") << name << ": " << row.name;
      }
    }
}

TEST_F(ShippedChips, HaveTheirPublishedPeaks) {
  EXPECT_NEAR(tmacs("hadal-1", DType::bf16), 16 * 16384 * 1.5e-3, 0.001);
  EXPECT_NEAR(tmacs("hadal-1", DType::i8), 2 * 16 * 16384 * 1.5e-3, 0.002);
  EXPECT_NEAR(tmacs("hadal-1", DType::f32), 16 * 16384 * 1.5e-3 / 3, 0.001);
  EXPECT_NEAR(tmacs("hadal-edge", DType::bf16), 64 * 64 * 0.8e-3, 0.001);
  EXPECT_NEAR(tmacs("tpu-v3", DType::bf16), 61.6 / 2, 0.01);
  EXPECT_NEAR(tmacs("tpu-v3", DType::f32), 61.6 / 2, 0.01);
  EXPECT_EQ(tmacs("tpu-v3", DType::i8), 0);
  EXPECT_NEAR(tmacs("tpu-v3-chip", DType::bf16), 123.0 / 2, 0.2);
  EXPECT_NEAR(tmacs("a100", DType::bf16), 312.0 / 2, 0.2);
  EXPECT_NEAR(tmacs("a100", DType::i8), 624.0 / 2, 0.4);
  EXPECT_NEAR(tmacs("a100", DType::f32), 19.5 / 2, 0.02);
  EXPECT_NEAR(tmacs("mi210", DType::f16), 181.0 / 2, 0.1);
  EXPECT_NEAR(tmacs("mi210", DType::f32), 45.3 / 2, 0.1);
  EXPECT_NEAR(tmacs("h800", DType::bf16), 990.0 / 2, 1);
  EXPECT_NEAR(tmacs("h800", DType::f8e4m3), 1979.0 / 2, 1);
  EXPECT_NEAR(tmacs("gemmini", DType::i8), 256e-3, 1e-6);
  EXPECT_EQ(tmacs("gemmini", DType::f32), 0);
}

TEST_F(ShippedChips, AreDescribedWithUnits) {
  const auto rows = describe(load("hadal-1"));
  const auto value = [&](std::string_view name) {
    for (const FieldRow& row : rows)
      if (row.name == name) return row.value;
    return std::string("absent");
  };
  EXPECT_EQ(value("clock"), "1.5 GHz");
  EXPECT_EQ(value("scratchpad.bytes"), "8 MiB");
  EXPECT_EQ(value("memory.latency"), "110 ns");
  EXPECT_EQ(value("network.link_bytes_per_cycle"), "512 B/cycle");
  EXPECT_EQ(value("matrix.dataflow"), "weight-stationary");
  EXPECT_EQ(value("peak.bf16"), "393.2 TMAC/s");
}

TEST_F(ShippedChips, ScaledTwiceHalvesEveryTime) {
  const Chip one = load("hadal-1"), two = scaled(one, 2);
  EXPECT_NEAR(two.seconds(1e9), one.seconds(1e9) / 2, one.seconds(1e9) * 1e-5);
  EXPECT_NEAR(static_cast<double>(two.memory.latency_femtoseconds),
              static_cast<double>(one.memory.latency_femtoseconds) / 2, 1);
  EXPECT_NEAR(static_cast<double>(two.host.launch_femtoseconds), static_cast<double>(one.host.launch_femtoseconds) / 2,
              1);
  EXPECT_EQ(two.memory.bytes_per_second, 2 * one.memory.bytes_per_second);
  EXPECT_EQ(two.host.bytes_per_second, 2 * one.host.bytes_per_second);
  EXPECT_EQ(two.host.operations_per_second, 2 * one.host.operations_per_second);
  EXPECT_EQ(two.matrix.rows, one.matrix.rows);
  EXPECT_EQ(two.sequencer.fetch_latency_cycles,
            one.sequencer.fetch_latency_cycles);  // In cycles: it follows the clock.
}

TEST_F(ShippedChips, ReferenceManualIsTheTableOfFields) {
  const std::string path = HADAL_SOURCE_DIR "/docs/chips.md";
  if (std::getenv("HADAL_UPDATE")) std::ofstream(path) << chips_reference();
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  EXPECT_EQ(text.str(), chips_reference()) << "run the tests with HADAL_UPDATE=1 to rewrite docs/chips.md";
}

}  // namespace
}  // namespace hadal::chip

#include "base/units.h"

#include <gtest/gtest.h>

#include "base/suggest.h"

namespace hadal {
namespace {

double value(std::string_view text, Unit unit) {
  const auto parsed = parse_quantity(text, unit);
  EXPECT_TRUE(parsed.ok()) << (parsed.ok() ? "" : parsed.error().text());
  return parsed.ok() ? parsed.value() : -1;
}

std::string code(std::string_view text, Unit unit) {
  const auto parsed = parse_quantity(text, unit);
  return parsed.ok() ? "ok" : parsed.error().code;
}

TEST(Units, EveryKindIsRead) {
  EXPECT_EQ(value("940 MHz", Unit::hertz), 940e6);
  EXPECT_EQ(value("32 MiB", Unit::bytes), 32.0 * 1024 * 1024);
  EXPECT_EQ(value("80GB", Unit::bytes), 80e9);
  EXPECT_EQ(value("1.2 TB/s", Unit::bytes_per_second), 1.2e12);
  EXPECT_EQ(value("256 B/cycle", Unit::bytes_per_cycle), 256);
  EXPECT_DOUBLE_EQ(value("600 ns", Unit::seconds), 600e-9);
  EXPECT_DOUBLE_EQ(value("2 µs", Unit::seconds), 2e-6);
  EXPECT_EQ(value("16 cycles", Unit::cycles), 16);
  EXPECT_EQ(value(" 1 cycle ", Unit::cycles), 1);
  EXPECT_EQ(value("5 W", Unit::watts), 5);
  EXPECT_EQ(value("2 Gop/s", Unit::operations_per_second), 2e9);
  EXPECT_EQ(value("1e3", Unit::number), 1000);
  EXPECT_DOUBLE_EQ(value("1/3", Unit::number), 1.0 / 3);
}

TEST(Units, MissingUnitNamesTheKindAndShowsHowToWriteIt) {
  const auto parsed = parse_quantity("940", Unit::hertz);
  ASSERT_FALSE(parsed.ok());
  EXPECT_EQ(parsed.error().code, "units.missing");
  EXPECT_EQ(parsed.error().message, "\"940\" has no unit; expected a frequency");
  EXPECT_EQ(parsed.error().remedy, "write it like \"1.5 GHz\"");
}

TEST(Units, WrongUnitListsTheRightOnes) {
  const auto parsed = parse_quantity("5 W", Unit::seconds);
  ASSERT_FALSE(parsed.ok());
  EXPECT_EQ(parsed.error().code, "units.unknown");
  EXPECT_NE(parsed.error().remedy.find("ns"), std::string::npos);
  EXPECT_EQ(code("5 mb", Unit::bytes), "units.unknown");  // Case matters: a milli-bit is not a megabyte.
  EXPECT_EQ(code("5 cycles", Unit::number), "units.unknown");
}

TEST(Units, NonsenseIsRefused) {
  EXPECT_EQ(code("", Unit::bytes), "units.number");
  EXPECT_EQ(code("fast", Unit::hertz), "units.number");
  EXPECT_EQ(code("1/0", Unit::number), "units.number");
  EXPECT_EQ(code("nan s", Unit::seconds), "units.range");
  EXPECT_EQ(code("inf", Unit::number), "units.range");
  EXPECT_EQ(code("1e999 B", Unit::bytes), "units.range");
  EXPECT_EQ(code("1,5 GHz", Unit::hertz), "units.unknown");
}

TEST(Units, WrittenAsPeopleWriteAndReadBack) {
  EXPECT_EQ(quantity_text(8388608, Unit::bytes), "8 MiB");
  EXPECT_EQ(quantity_text(80e9, Unit::bytes), "80 GB");
  EXPECT_EQ(quantity_text(84943110144, Unit::bytes), "84.943110144 GB");
  EXPECT_EQ(quantity_text(3.35e12, Unit::bytes_per_second), "3.35 TB/s");
  EXPECT_EQ(quantity_text(1e15 / 666667, Unit::hertz), "1.5 GHz");
  EXPECT_EQ(quantity_text(110e-9, Unit::seconds), "110 ns");
  EXPECT_EQ(quantity_text(0, Unit::seconds), "0 fs");
  EXPECT_EQ(quantity_text(1, Unit::cycles), "1 cycle");
  EXPECT_EQ(quantity_text(0.25, Unit::cycles), "0.25 cycles");
  EXPECT_EQ(quantity_text(1.0 / 3, Unit::number), "0.3333333333");
}

TEST(Suggest, NearestWordWithinAThirdOfItsLetters) {
  const std::string_view words[] = {"matrix.rows", "matrix.columns", "vector.lanes"};
  EXPECT_EQ(did_you_mean("matrix.row", words), "did you mean \"matrix.rows\"?");
  EXPECT_EQ(did_you_mean("vektor.lane", words), "did you mean \"vector.lanes\"?");
  EXPECT_EQ(did_you_mean("bananas", words), "");
  EXPECT_EQ(did_you_mean(std::string(100000, 'x'), words), "");
}

}  // namespace
}  // namespace hadal

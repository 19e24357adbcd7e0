// Numbers are read and printed with a point, whatever the locale of the process says.
#include <gtest/gtest.h>

#include <clocale>
#include <locale>

#include "base/units.h"
#include "chip/chip.h"
#include "isa/text.h"
#include "report/text.h"
#include "runtime/inputs.h"

namespace hadal {
namespace {

struct Commas : std::numpunct<char> {
  char do_decimal_point() const override { return ','; }
  char do_thousands_sep() const override { return '.'; }
  std::string do_grouping() const override { return "\3"; }
};

/// Makes the process one of a country that writes 1.234,5. C's own locale is set too where such a one is installed.
class CommaLocale : public ::testing::Test {
 protected:
  CommaLocale() : before_(std::locale::global(std::locale(std::locale::classic(), new Commas))) {
    for (const char* name : {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE", "pt_BR.UTF-8"})
      if (std::setlocale(LC_ALL, name) != nullptr) break;
  }
  ~CommaLocale() override {
    std::setlocale(LC_ALL, "C");
    std::locale::global(before_);
  }

 private:
  std::locale before_;
};

TEST_F(CommaLocale, NumbersArePrintedWithPoints) {
  EXPECT_EQ(report::grouped(1234567), "1,234,567");
  EXPECT_EQ(report::scaled(1234567, "B"), "1.23 MB");
  EXPECT_EQ(report::percent(0.4125), "41.2 %");
  EXPECT_EQ(quantity_text(1.5e9, Unit::hertz), "1.5 GHz");
  EXPECT_EQ(Error({"code", fmt::format("{:.3e}", 0.25), {}, {}}).text(), "error[code]: 2.500e-01");
}

TEST_F(CommaLocale, NumbersAreReadWithPoints) {
  const auto quantity = parse_quantity("1.5 GHz", Unit::hertz);
  ASSERT_TRUE(quantity.ok()) << quantity.error().text();
  EXPECT_EQ(*quantity, 1.5e9);
  EXPECT_FALSE(parse_quantity("1,5 GHz", Unit::hertz).ok());
  const auto input = runtime::parse_input("x=none.png,mean=0.5,scale=1.25");
  ASSERT_TRUE(input.ok()) << input.error().text();
  EXPECT_EQ(input->options.mean[0], 0.5f);
  EXPECT_EQ(input->options.scale[2], 1.25f);
}

TEST_F(CommaLocale, ChipsAreReadAndShownTheSame) {
  const auto here = chip::load_chip("tpu-v3");
  ASSERT_TRUE(here.ok()) << here.error().text();
  EXPECT_NEAR(here->clock.hertz, 940e6, 1e3);
  for (const chip::FieldRow& row : chip::describe(*here)) {
    if (row.name.starts_with("peak.")) {
      EXPECT_EQ(row.value.find(','), std::string::npos) << row.value;
    }
  }
}

TEST_F(CommaLocale, ManualsArePrintedTheSame) {
  const std::string here = isa::manual() + chip::chips_reference();
  std::locale::global(std::locale::classic());
  std::setlocale(LC_ALL, "C");
  EXPECT_EQ(isa::manual() + chip::chips_reference(), here);
}

}  // namespace
}  // namespace hadal

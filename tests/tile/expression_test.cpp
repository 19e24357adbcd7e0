#include "tile/expression.h"

#include <gtest/gtest.h>

namespace hadal::tile {
namespace {

const Expr i = Expr::variable("i", 0, 9);

TEST(Expression, ConstantsFold) {
  EXPECT_EQ((Expr(3) * Expr(4) + Expr(1)).constant(), 13);
  EXPECT_EQ(ceil_div(Expr(7), Expr(2)).constant(), 4);
  EXPECT_EQ(floor_div(Expr(-7), Expr(2)).constant(), -4);
}

TEST(Expression, IntervalsBoundTheValues) {
  const Expr rest = Expr(95) - i * Expr(10);
  EXPECT_EQ(rest.lowest(), 5);
  EXPECT_EQ(rest.highest(), 95);
  EXPECT_EQ(min(Expr(10), rest).lowest(), 5);
  EXPECT_EQ(min(Expr(10), rest).highest(), 10);
}

TEST(Expression, MinimumThatCannotMatterVanishes) {
  EXPECT_EQ(min(Expr(100), i).text(), "i");
  EXPECT_EQ(max(Expr(0), i).text(), "i");
  EXPECT_EQ(mod(i, Expr(10)).text(), "i");
}

TEST(Expression, ASumOfNothingIsItsOtherOperand) {
  EXPECT_EQ((i + Expr(0)).text(), "i");
  EXPECT_EQ((i * Expr(1)).text(), "i");
  EXPECT_EQ((i - i).constant(), 0);
}

TEST(Expression, KnownBoundsNarrow) {
  EXPECT_EQ((i - Expr(3)).within(0, 4).lowest(), 0);
  EXPECT_EQ((i - Expr(3)).within(0, 4).highest(), 4);
}

}  // namespace
}  // namespace hadal::tile

#include "base/split_mix.h"

#include <gtest/gtest.h>

namespace hadal {

TEST(SplitMix, NumbersAsPublishedWithTheAlgorithm) {
  SplitMix zero(0), other(1234567);
  EXPECT_EQ(zero.next(), 0xE220A8397B1DCDAF);
  EXPECT_EQ(other.next(), 6457827717110365317U);
  EXPECT_EQ(other.next(), 3203168211198807973U);
}

}  // namespace hadal

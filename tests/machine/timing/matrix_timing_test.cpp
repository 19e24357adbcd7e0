// The matrix queue: array and output path as two resources. Array 16x16, 2 weight rows a cycle, 16 elements out a
// cycle.
#include "machine/timing/builder.h"

namespace hadal::machine {
namespace {

using isa::Queue;
constexpr int64_t preload = 8, fill = 30;

TEST(MatrixTiming, OneMatmulPaysPreloadAndFill) {
  Builder b;
  b.matmul(64, 32, 48);  // 2 * 3 passes of 64 rows; results leave as they come out.
  EXPECT_EQ(cycles_of(b, small_chip()), 1 + preload + 6 * 64 + fill);
}

TEST(MatrixTiming, ResultsLeaveColumnByColumn) {
  const auto program = [](double elements_per_cycle) {
    Builder b;
    b.matmul(64, 32, 48);  // 64 * 16 elements a tile of columns.
    chip::Chip chip = small_chip();
    chip.matrix.output_elements_per_cycle = elements_per_cycle;
    return cycles_of(b, chip);
  };
  EXPECT_EQ(program(8), 1 + preload + 6 * 64 + fill + 64);   // The last tile's 128 cycles begin with its last pass.
  EXPECT_EQ(program(4), 1 + preload + 64 + fill + 3 * 256);  // The output path is busy from the first tile on.
}

TEST(MatrixTiming, PreloadAndFillHideBehindARunningMatmul) {
  Builder b;
  for (int i = 0; i < 4; ++i) b.matmul(64, 16, 16, i == 3);
  EXPECT_EQ(cycles_of(b, small_chip()), 1 + preload + 4 * 64 + fill);
}

TEST(MatrixTiming, EmittingOverlapsTheNextWithTwoTiles) {
  const auto program = [](int64_t tiles) {
    Builder b;
    for (int i = 0; i < 4; ++i) b.matmul(64, 16, 16);
    chip::Chip chip = small_chip();
    chip.scratchpad.accumulator_tiles = tiles;
    chip.matrix.output_elements_per_cycle = 4;  // 256 cycles for a result: the output path is the bound.
    return cycles_of(b, chip);
  };
  // One tile: the next matmul starts when the last has left; its weights have entered meanwhile.
  EXPECT_EQ(program(1), 1 + preload + 4 * (fill + 256));
  EXPECT_EQ(program(2), 1 + preload + fill + 4 * 256);
}

TEST(MatrixTiming, CellsThatArePassedInOneCycleFillTheArrayFaster) {
  Builder b;
  b.matmul(64, 16, 16);
  chip::Chip chip = small_chip();
  chip.matrix.stage_cells = 4;
  EXPECT_EQ(cycles_of(b, chip), 1 + preload + 64 + 6);
}

TEST(MatrixTiming, OperandsComeThroughThePort) {
  Builder b;
  b.matmul(64, 16, 16);
  chip::Chip chip = small_chip();
  chip.scratchpad.bytes_per_cycle = 16;  // (64 * 16 + 16 * 16) * 2 bytes in, 64 * 16 * 2 out.
  EXPECT_EQ(cycles_of(b, chip), 1 + preload + 160 + fill);
}

TEST(MatrixTiming, ATypeThatTheArrayLacksIsAnError) {
  Builder b;
  b.matmul(16, 16, 16);
  for (auto& tensor : b.program.tensors) tensor.dtype = DType::f32;
  const auto timing = time_program(b.done(), small_chip(), {});
  ASSERT_FALSE(timing.ok());
  EXPECT_EQ(timing.error().code, "limits.unit");
}

TEST(MatrixTiming, AChipThatIsTooSmallIsNamed) {
  Builder b;
  b.map(16);
  b.program.limits.scratchpad_bytes = 2 << 20;
  EXPECT_EQ(time_program(b.done(), small_chip(), {}).error().code, "limits.scratchpad_bytes");
  b.program.limits = {};
  b.program.limits.cores = 2;
  EXPECT_EQ(time_program(b.done(), small_chip(), {}).error().code, "limits.cores");
}

TEST(MatrixTiming, ConvolutionsAreCountedByTheirTaps) {
  Builder b;
  const uint16_t out = b.tile(DType::bf16, 1 << 14), x = b.tile(DType::bf16, 1 << 14), w = b.tile(DType::bf16, 1 << 14);
  b.add(isa::Opcode::conv, Queue::matrix,
        {b.view(out, {1, 1, 8, 8, 16}), b.view(x, {1, 1, 10, 10, 16}), b.view(w, {1, 3, 3, 16, 16})});
  const Timing timing = timed(b, small_chip());
  EXPECT_EQ(timing.cycles, 1 + preload + 9 * 64 + fill);
  EXPECT_EQ(timing.macs, 64 * 9 * 16 * 16);
  EXPECT_EQ(timing.events.at("macs.bf16"), timing.macs);
}

}  // namespace
}  // namespace hadal::machine

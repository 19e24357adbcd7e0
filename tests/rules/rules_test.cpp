// Each timing rule against numbers worked out by hand.
#include <gtest/gtest.h>

#include <cmath>

#include "rules/cycles.h"
#include "rules/dma.h"
#include "rules/matrix.h"
#include "rules/roofline.h"
#include "rules/sequencer.h"
#include "rules/vector.h"

namespace hadal::rules {
namespace {

/// 128x128, one array, 4 weight rows a cycle (32 cycles a preload), bf16 1 row a cycle, i8 2, f32 1/3.
chip::Matrix array_128() {
  chip::Matrix matrix;
  matrix.rows = matrix.columns = 128;
  matrix.rows_per_cycle = {{DType::bf16, 1}, {DType::i8, 2}, {DType::f32, 1.0 / 3}};
  matrix.f32_passes = 3;
  matrix.weight_rows_per_cycle = 4;
  matrix.dataflow = "weight-stationary";
  matrix.output_elements_per_cycle = 128;
  return matrix;
}

/// 1024 lanes, special operations at a quarter, 12 deep, 2 a tree step; a port of 1024 bytes a cycle.
VectorUnit lanes_1024() {
  chip::Vector vector;
  vector.lanes = 1024;
  vector.latency_cycles = 12;
  vector.cross_lane_latency_cycles = 2;
  vector.permute_bytes_per_cycle = 512;
  vector.topk_width = 8;
  return {vector, 1024};
}

TEST(Rounding, ForgivesTheLastBitsOnly) {
  EXPECT_EQ(whole_cycles(12 / (1.0 / 3)), 36);
  EXPECT_EQ(whole_cycles(36.001), 37);
  EXPECT_EQ(whole_cycles(0), 0);
  EXPECT_EQ(whole_cycles(INFINITY), forever);
  EXPECT_EQ(whole_cycles(NAN), forever);
}

TEST(Matmul, PassesAreTilesOfTheWeights) {
  const auto time = matrix_cycles(array_128(), {.m = 512, .k = 256, .n = 384});
  EXPECT_EQ(time.passes, 2 * 3);
  EXPECT_EQ(time.array, 6 * 512);
  EXPECT_EQ(time.preload, 32);
  EXPECT_EQ(time.fill, 254);
  EXPECT_EQ(time.lead, 512);  // The first column of tiles is summed after its second pass.
  EXPECT_EQ(time.last, 512);
  EXPECT_EQ(time.columns, 3);
  EXPECT_EQ(matrix_cycles(array_128(), {.m = 512, .k = 257, .n = 385}).passes,
            3 * 4);  // Ragged edges take whole passes.
}

TEST(Matmul, SkippedCellsShortenTheFill) {
  chip::Matrix matrix = array_128();
  matrix.stage_cells = 4;
  EXPECT_EQ(matrix_cycles(matrix, {.m = 512, .k = 256, .n = 384}).fill, 32 + 32 - 2);
}

TEST(Matmul, ResultsStillLeaveWhereTheOutputPathIsSlow) {
  const MatrixCycles cycles{.array = 6 * 512, .lead = 512, .last = 512, .columns = 3};
  EXPECT_EQ(emit_tail(cycles, 3 * 512), 0);
  EXPECT_EQ(emit_tail(cycles, 3 * 700), 188);
}

TEST(Matmul, BatchesFollowOneAnother) {
  EXPECT_EQ(matrix_cycles(array_128(), {.m = 64, .k = 128, .n = 128, .batch = 12}).array, 12 * 64);
}

TEST(Matmul, RateFollowsTheOperands) {
  const MatrixWork work{.m = 512, .k = 128, .n = 128};
  const auto cycles = [&](DType type) { return matrix_cycles(array_128(), {work.m, work.k, work.n, 1, type}).array; };
  EXPECT_EQ(cycles(DType::bf16), 512);
  EXPECT_EQ(cycles(DType::i8), 256);
  EXPECT_EQ(cycles(DType::f32), 1536);
  EXPECT_EQ(cycles(DType::f64), forever);
  EXPECT_FALSE(supports(array_128(), DType::f64));
}

TEST(Matmul, FewRowsWaitForTheWeights) {
  EXPECT_EQ(matrix_cycles(array_128(), {.m = 32, .k = 128, .n = 1024}).array, 8 * 32);  // Just hidden.
  EXPECT_EQ(matrix_cycles(array_128(), {.m = 1, .k = 128, .n = 1024}).array, 8 * 32);   // A preload a pass.
}

TEST(Matmul, OneWeightBufferExposesEveryPreload) {
  chip::Matrix matrix = array_128();
  matrix.weight_buffers = 1;
  const auto time = matrix_cycles(matrix, {.m = 512, .k = 128, .n = 256});
  EXPECT_EQ(time.array, 2 * (512 + 32));
  EXPECT_EQ(time.preload, 0);
}

TEST(Matmul, ArraysShareThePassesOrTheRows) {
  chip::Matrix matrix = array_128();
  matrix.count = 2;
  EXPECT_EQ(matrix_cycles(matrix, {.m = 512, .k = 256, .n = 256}).array, 2 * 512);  // Two passes each.
  EXPECT_EQ(matrix_cycles(matrix, {.m = 512, .k = 128, .n = 128}).array, 256);      // One pass, half the rows each.
  EXPECT_EQ(matrix_cycles(matrix, {.m = 512, .k = 128, .n = 384}).array, 3 * 256);  // Three passes, halved.
  EXPECT_EQ(matrix_cycles(matrix, {.m = 32, .k = 128, .n = 384}).array,
            2 * 32);  // Halving gains nothing under a preload.
}

TEST(Matmul, ScaledBlocksWaitForTheirScales) {
  chip::Matrix matrix = array_128();
  matrix.scale_cycles = 50;
  const MatrixWork plain{.m = 512, .k = 1024, .n = 128}, scaled{.m = 512, .k = 1024, .n = 128, .scale_block = 128};
  EXPECT_EQ(matrix_cycles(matrix, scaled).array, matrix_cycles(matrix, plain).array + 8 * 50);
  matrix.output_elements_per_cycle = 64;  // 65536 sums leave in 1024 cycles, their products take 512.
  EXPECT_EQ(matrix_cycles(matrix, scaled).array, 8 * (1024 + 50));
}

TEST(Matmul, OutputStationarySwapsTheRoles) {
  chip::Matrix matrix = array_128();
  matrix.dataflow = "output-stationary";
  const auto time = matrix_cycles(matrix, {.m = 256, .k = 1000, .n = 128});
  EXPECT_EQ(time.passes, 2);
  EXPECT_EQ(time.array, 2 * 1000);
}

TEST(Matmul, NothingTakesNoTime) {
  const auto time = matrix_cycles(array_128(), {.m = 0, .k = 128, .n = 128});
  EXPECT_EQ(time.array + time.preload + time.fill + time.passes, 0);
}

TEST(Matmul, GiantExtentsSaturate) {
  const int64_t giant = int64_t{1} << 60;
  EXPECT_EQ(matrix_cycles(array_128(), {.m = giant, .k = giant, .n = giant}).array, forever);
}

TEST(Matmul, ReadsTheStreamOnceASweepOfColumns) {
  EXPECT_EQ(matrix_read_bytes(array_128(), {.m = 512, .k = 256, .n = 384}), 2 * (512 * 256 * 3 + 256 * 384));
  chip::Matrix two = array_128();
  two.count = 2;  // Two columns of tiles side by side share one stream.
  EXPECT_EQ(matrix_read_bytes(two, {.m = 512, .k = 256, .n = 384}), 2 * (512 * 256 * 2 + 256 * 384));
}

TEST(Emit, OneColumnOfResultsACycle) { EXPECT_EQ(emit_cycles(array_128(), 512 * 128), 512); }

TEST(Convolution, ContractionIsTapsTimesChannels) {
  const auto work = convolution(56 * 56, 9, 64, 64, 1, DType::bf16);
  EXPECT_EQ(work.k, 576);
  EXPECT_EQ(matrix_cycles(array_128(), work).array, 5 * 3136);  // ceil(576 / 128) passes.
  const auto grouped = convolution(56 * 56, 9, 128, 128, 32, DType::bf16);
  EXPECT_EQ(grouped.batch, 32);
  EXPECT_EQ(matrix_cycles(array_128(), grouped).array, 32 * 3136);
}

TEST(Depthwise, RunsOnTheLanesOrOneColumn) {
  chip::Chip chip;
  chip.matrix = array_128();
  chip.vector = lanes_1024().vector;
  EXPECT_EQ(depthwise_cycles(chip, 1024, 64, 9, DType::bf16), 64 * 9 + 12);
  chip.matrix.depthwise_on_lanes = false;
  EXPECT_EQ(depthwise_cycles(chip, 1024, 64, 9, DType::bf16), 64 * 1024);
}

TEST(Map, SlowerKindOfOperationBounds) {
  EXPECT_EQ(vector_cycles(lanes_1024(), {.elements = 1025, .alu_ops = 1}), 2 + 12);  // Whole vectors.
  EXPECT_EQ(vector_cycles(lanes_1024(), {.elements = 10240, .alu_ops = 3, .special_ops = 0}), 30 + 12);
  EXPECT_EQ(vector_cycles(lanes_1024(), {.elements = 10240, .alu_ops = 3, .special_ops = 1}), 40 + 12);
  EXPECT_EQ(vector_cycles(lanes_1024(), {.elements = 10240, .alu_ops = 1, .bytes = 40960}), 40 + 12);  // The port.
  EXPECT_EQ(vector_cycles(lanes_1024(), {.elements = 0}), 0);
}

TEST(Reduce, ShortRowsLieSideBySideAndATreeEnds) {
  const auto& vector = lanes_1024().vector;
  EXPECT_EQ(row_vectors(vector, {.rows = 100, .columns = 256}), 25);
  EXPECT_EQ(row_vectors(vector, {.rows = 100, .columns = 768}), 100);  // A row does not straddle vectors.
  EXPECT_EQ(row_vectors(vector, {.rows = 100, .columns = 1025}), 200);
  EXPECT_EQ(row_vectors(vector, {.rows = 2048, .columns = 49, .across_lanes = false}), 2 * 49);
  EXPECT_EQ(reduce_cycles(lanes_1024(), {.rows = 100, .columns = 256}), 25 + 8 * 2 + 12);
  EXPECT_EQ(reduce_cycles(lanes_1024(), {.rows = 100, .columns = 768}), 100 + 10 * 2 + 12);
  EXPECT_EQ(reduce_cycles(lanes_1024(), {.rows = 2048, .columns = 49, .across_lanes = false}), 98 + 12);
}

TEST(Norm, IsTheSumOfItsPasses) {
  // 512 rows of 768: 512 vectors x 5 operations, one vector of 512 roots at a quarter, two trees of 10 steps of 2.
  EXPECT_EQ(norm_cycles(lanes_1024(), {.rows = 512, .columns = 768}, {}), 512 * 5 + 4 + 40 + 12);
  EXPECT_EQ(norm_cycles(lanes_1024(), {.rows = 512, .columns = 768}, {.centred = false}), 512 * 3 + 4 + 20 + 12);
  EXPECT_EQ(norm_cycles(lanes_1024(), {.rows = 512, .columns = 768}, {.residual = true}), 512 * 6 + 4 + 40 + 12);
}

TEST(Softmax, IsTheSumOfItsPasses) {
  // 512 rows of 512: 256 vectors x (maximum 1, exponential 4, sum 1, scale 1), 512 reciprocals, two trees of 9 steps.
  EXPECT_EQ(softmax_cycles(lanes_1024(), {.rows = 512, .columns = 512}, {}), 256 * 7 + 4 + 36 + 12);
  EXPECT_EQ(softmax_cycles(lanes_1024(), {.rows = 512, .columns = 512}, {.scaled = true, .masked = true}),
            256 * 9 + 4 + 36 + 12);
}

TEST(Pool, CountsTheTapsOfEachOutput) {
  EXPECT_EQ(pool_cycles(lanes_1024(), 2048, 9, 0), 18 + 12);
  EXPECT_EQ(resample_cycles(lanes_1024(), 2048, 4, 0), 8 + 12);
}

TEST(Permute, RunsAtItsOwnWidth) { EXPECT_EQ(permute_cycles(lanes_1024(), 65536), 128 + 12); }

TEST(TopK, OneRoundForEachWidthOfMaxima) {
  // 2 vectors and a tree of 10 steps of 2, for ceil(20 / 8) rounds.
  EXPECT_EQ(topk_cycles(lanes_1024(), 2048, 20, 0), 3 * (2 + 20) + 12);
}

TEST(Sort, ComparesEachElementInEveryStep) {
  // 1 + 2 + … + 11 steps of 2 vectors; the last merge alone has 11.
  EXPECT_EQ(sort_cycles(lanes_1024(), {.elements = 2048, .length = 2048}), 66 * 2 + 12);
  EXPECT_EQ(sort_cycles(lanes_1024(), {.elements = 2048, .length = 2048, .run = 1024}), 11 * 2 + 12);
  EXPECT_EQ(sort_cycles(lanes_1024(), {.elements = 2048, .length = 2048, .comparisons = 2}), 66 * 2 * 2 + 12);
  // Few elements wait for the exchange of lanes, 2 cycles.
  EXPECT_EQ(sort_cycles(lanes_1024(), {.elements = 64, .length = 64}), 21 * 2 + 12);
}

TEST(Sort, StepsWiderThanTheLanesPassThePort) {
  const SortWork merge{.elements = 4096, .length = 4096, .run = 2048, .inner = 1, .bytes = 16384};
  EXPECT_EQ(sort_steps(lanes_1024().vector, merge).far, 2);  // 2048 and 1024 apart.
  EXPECT_EQ(sort_cycles(lanes_1024(), merge), 3 * 16 + 12);
  const SortWork across{.elements = 4096, .length = 4, .run = 2, .inner = 1024, .bytes = 16384};
  EXPECT_EQ(sort_steps(lanes_1024().vector, across).far, 2);
}

TEST(Vector, WithoutLanesNothingEnds) {
  VectorUnit none;
  EXPECT_EQ(vector_cycles(none, {.elements = 1}), forever);
  EXPECT_EQ(softmax_cycles(none, {.rows = 1, .columns = 1}, {}), forever);
  EXPECT_EQ(topk_cycles(none, 1, 1, 0), forever);
  EXPECT_EQ(sort_cycles(none, {.elements = 2, .length = 2}), forever);
}

chip::Dma bursts_of_64() {
  chip::Dma dma;
  dma.bytes_per_cycle = 256;
  dma.convert_bytes_per_cycle = 128;
  return dma;
}

TEST(Dma, RunsAreRoundedToBurstsAtBothEnds) {
  EXPECT_EQ(burst_bytes(bursts_of_64(), {.runs = 1, .run_bytes = 128}), 128);
  EXPECT_EQ(burst_bytes(bursts_of_64(), {.runs = 1, .run_bytes = 128, .start = 32}), 192);
  EXPECT_EQ(burst_bytes(bursts_of_64(), {.runs = 10, .run_bytes = 4, .stride = 4096}), 640);
  // Stride 96: the runs start at 0, 32, 0, 32 … of a burst; 64 bytes take one burst, then two.
  EXPECT_EQ(burst_bytes(bursts_of_64(), {.runs = 5, .run_bytes = 64, .stride = 96}), (3 * 1 + 2 * 2) * 64);
  EXPECT_EQ(burst_bytes(bursts_of_64(), {.runs = 5, .run_bytes = 64, .start = -32, .stride = -96}),
            (3 * 2 + 2 * 1) * 64);
  EXPECT_EQ(burst_bytes(bursts_of_64(), {.runs = 0, .run_bytes = 64}), 0);
}

TEST(Dma, PeriodicRunsCountAsOneByOne) {
  for (int64_t stride : {1, 7, 60, 96, 100, 4096})
    for (int64_t runs : {1, 63, 64, 65, 1000}) {
      int64_t bursts = 0;
      for (int64_t run = 0; run < runs; ++run) bursts += (5 + run * stride + 40 - 1) / 64 - (5 + run * stride) / 64 + 1;
      EXPECT_EQ(burst_bytes(bursts_of_64(), {.runs = runs, .run_bytes = 40, .start = 5, .stride = stride}), bursts * 64)
          << stride << " " << runs;
    }
}

TEST(Dma, ConversionRunsAtItsOwnRate) {
  EXPECT_EQ(dma_cycles(bursts_of_64(), {.runs = 1, .run_bytes = 65536}), 256);
  EXPECT_EQ(dma_cycles(bursts_of_64(), {.runs = 1, .run_bytes = 65536, .convert = true}), 512);
  EXPECT_DOUBLE_EQ(dma_efficiency(bursts_of_64(), {.runs = 10, .run_bytes = 16, .stride = 4096}), 0.25);
}

TEST(Sequencer, FetchesALoopOnceIfItFits) {
  chip::Sequencer sequencer;
  sequencer.let_cycles = 0.25;
  sequencer.instruction_buffer_bytes = 1024;
  sequencer.fetch_bytes_per_cycle = 32;
  sequencer.fetch_latency_cycles = 100;
  EXPECT_EQ(issue_cycles(sequencer, 10, 6), 12);  // 10 + 1.5, rounded up.
  EXPECT_EQ(fetch_cycles(sequencer, 1024), 132);
  EXPECT_EQ(loop_fetch_cycles(sequencer, 1024, 50), 132);
  EXPECT_EQ(loop_fetch_cycles(sequencer, 1056, 50), 133 * 50);
}

TEST(Roofline, IsTheSlowestOfEnginesAndMemory) {
  chip::Chip chip;
  chip.cores = 2;
  chip.clock.hertz = 1e9;
  chip.matrix = array_128();
  chip.vector = lanes_1024().vector;
  chip.memory.bytes_per_second = 100e9;
  const double cell = 2 * 16384;  // Multiply-accumulates a cycle, both cores.
  const Macs dense[] = {{DType::bf16, 1000 * cell}, {DType::i8, 1000 * cell}};
  EXPECT_NEAR(roofline_cycles(chip, dense, 0), 1000 + 500, 1e-6);  // One engine: its work adds up.
  const Macs mixed[] = {{DType::bf16, 1000 * cell}, {DType::bf16, 3000 * 2048.0, true}};
  EXPECT_NEAR(roofline_cycles(chip, mixed, 0), 3000, 1e-6);     // Two engines side by side.
  EXPECT_NEAR(roofline_cycles(chip, dense, 1e6), 10000, 1e-6);  // 1 MB at 100 GB/s.
}

TEST(Roofline, EngineIsTheOneThatHasTheType) {
  chip::Chip chip;
  chip.matrix = array_128();
  chip.vector = lanes_1024().vector;
  EXPECT_EQ(engine_of(chip, {DType::f32, 1}), Engine::matrix);
  EXPECT_EQ(engine_of(chip, {DType::f32, 1, true}), Engine::vector);
  chip.matrix.rows_per_cycle.erase(DType::f32);
  EXPECT_EQ(engine_of(chip, {DType::f32, 1}), Engine::vector);
  chip.vector.lanes = 0;
  EXPECT_EQ(engine_of(chip, {DType::f32, 1}), Engine::none);
  chip.memory.bytes_per_second = 1;
  const Macs one[] = {{DType::f32, 1}};
  EXPECT_TRUE(std::isinf(roofline_cycles(chip, one, 0)));
}

}  // namespace
}  // namespace hadal::rules

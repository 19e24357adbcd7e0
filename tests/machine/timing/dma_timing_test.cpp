// Transfers: memory, network, ports. A dense load of 4096 bytes: 10 cycles of issue, 100 of latency, 64 of bytes.
#include "machine/timing/builder.h"

namespace hadal::machine {
namespace {

using isa::Queue;

TEST(DmaTiming, OneLoadPaysLatencyAndBytes) {
  Builder b;
  b.load(4096);
  const Timing timing = timed(b, small_chip());
  EXPECT_EQ(timing.cycles, 1 + 10 + 100 + 64);
  EXPECT_EQ(timing.bytes_read, 4096);
  EXPECT_EQ(timing.events.at("hbm.bursts"), 64);
  EXPECT_EQ(timing.events.at("sram.write_bytes"), 4096);
}

TEST(DmaTiming, AStoreNeedNotWaitForTheLatencyOfReads) {
  Builder b;
  b.store(4096);
  EXPECT_EQ(cycles_of(b, small_chip()), 1 + 10 + 64);
}

TEST(DmaTiming, LongLoadsRunAtTheLowestRate) {
  Builder b;
  b.load(1 << 20);
  EXPECT_EQ(cycles_of(b, small_chip()), 1 + 10 + 100 + (1 << 20) / 64);
  chip::Chip chip = small_chip();
  chip.memory.bytes_per_second = 32e9;  // The memory.
  EXPECT_EQ(cycles_of(b, chip), 1 + 10 + 100 + (1 << 20) / 32);
  chip = small_chip();
  chip.memory.efficiency = 0.5;
  EXPECT_EQ(cycles_of(b, chip), 1 + 10 + 100 + (1 << 20) / 32);
  chip = small_chip();
  chip.dma.bytes_per_cycle = 16;  // The port.
  EXPECT_EQ(cycles_of(b, chip), 1 + 10 + 100 + (1 << 20) / 16);
}

TEST(DmaTiming, OneOutstandingLoadPaysTheLatencyEachTime) {
  const auto program = [](int64_t outstanding) {
    Builder b;
    for (uint64_t i = 0; i < 4; ++i) b.load(4096, i * 4096);
    chip::Chip chip = small_chip();
    chip.dma.outstanding = outstanding;
    return cycles_of(b, chip);
  };
  EXPECT_EQ(program(1), 1 + 4 * (10 + 100 + 64));
  EXPECT_EQ(program(4), 1 + 10 + 100 + 4 * 64);
  EXPECT_EQ(program(2),
            1 + 2 * (10 + 100) + 3 * 64);  // 1 and 2 side by side; 3 starts as 1 ends, 4 as 2 ends, behind 3.
}

TEST(DmaTiming, ASharedLoadReadsMemoryOnce) {
  const auto program = [](int64_t share) {
    Builder b;
    b.load(1 << 16).fields[isa::at::load_share].value = share;
    return timed(b, mesh_chip(4, 1));
  };
  const Timing alone = program(1), shared = program(4);
  EXPECT_EQ(alone.bytes_read, 4 << 16);
  EXPECT_EQ(shared.bytes_read, 1 << 16);
  EXPECT_EQ(shared.events.at("sram.write_bytes"), 4 << 16);
  EXPECT_LT(shared.cycles, alone.cycles);
  // A tree takes each link once; the single messages take those near the memory for every core behind.
  EXPECT_LT(shared.events.at("noc.hop_bytes"), alone.events.at("noc.hop_bytes"));
}

TEST(DmaTiming, ASharedLoadBeginsWhenTheLastCoreHasCome) {
  const auto program = [](bool late) {
    Builder b;
    const uint8_t ready = b.semaphore("ready", Queue::load);
    b.map(1600, {.signals = {{ready, 1}}}).predicate = late ? 0 : 63;  // r0: core 1 alone. r63: none.
    b.load(4096, 0, {.waits = {{ready, 1}}}).fields[isa::at::load_share].value = 2;
    b.program.parameters.push_back({"core_id", 0, 0, 1});
    return cycles_of(b, mesh_chip(2, 1));
  };
  EXPECT_EQ(program(true), program(false) + 1600 / 16 + 4);
}

TEST(DmaTiming, SharedLoadsThatCrossKeepPortsBusy) {
  Builder b;  // As the operands of a product: one along rows of cores, the other along columns.
  constexpr int64_t steps = 32, rows = 4096, weights = 26400;
  b.loop(0, steps);
  b.load(rows).fields[isa::at::load_share].value = 8;
  isa::Instruction& load = b.load(weights, 1 << 20, {}, Queue::prefetch);
  load.fields[isa::at::load_share].value = 13;
  load.fields[isa::at::load_step].value = 8;
  b.end();
  chip::Chip chip = mesh_chip(8, 13);
  chip.dma.outstanding = 8;
  chip.memory.bytes_per_second = 1e12;
  chip.network.link_bytes_per_cycle = 1e6;
  const int64_t port = steps * (rows + weights) / 64, cycles = cycles_of(b, chip);
  EXPECT_GE(cycles, port);
  EXPECT_LT(cycles, port * 21 / 20);
}

TEST(DmaTiming, TwoStreamsShareTheMemory) {
  Builder b;
  b.load(1 << 18);
  b.load(1 << 18, 1 << 18, {}, Queue::prefetch);
  chip::Chip chip = small_chip();
  chip.dma.bytes_per_cycle = 128;  // A port twice as fast as the memory.
  std::vector<Slice> slices;
  const Timing timing = timed(b, chip, &slices);
  EXPECT_EQ(timing.cycles, 1 + 10 + 100 + 2 * (1 << 18) / 64);
  // They take turns: the first is one piece ahead.
  ASSERT_EQ(slices.size(), 2u);
  EXPECT_EQ(slices[1].end - slices[0].end, 32768 / 64);
}

TEST(DmaTiming, TwoCoresShareTheMemory) {
  Builder b;
  b.load(1 << 18);
  chip::Chip chip = mesh_chip(2, 1);
  chip.network.hop_cycles = 0;
  chip.network.link_bytes_per_cycle = 1e6;
  EXPECT_EQ(cycles_of(b, chip), 1 + 10 + 100 + 2 * (1 << 18) / 64);
}

TEST(DmaTiming, RunsAreRoundedToBursts) {
  Builder b;
  const uint16_t matrix = b.tensor(DType::u8, {256, 1024}), tile = b.tile(DType::u8, 1 << 16);
  b.add(isa::Opcode::load, Queue::load, {b.view(tile, {256, 32}), b.view(matrix, {256, 32})});
  chip::Chip chip = small_chip();
  chip.memory.channels = 1;
  const Timing timing = timed(b, chip);
  EXPECT_EQ(timing.bytes_read, 256 * 64);  // Half of each burst is not asked for.
  EXPECT_EQ(timing.cycles, 1 + 10 + 100 + 256);
}

TEST(DmaTiming, StridesThatMeetOneChannelGetItsRateOnly) {
  const auto program = [](uint32_t row) {
    Builder b;
    const uint16_t matrix = b.tensor(DType::u8, {64, row}), tile = b.tile(DType::u8, 1 << 16);
    b.add(isa::Opcode::load, Queue::load, {b.view(tile, {64, 64}), b.view(matrix, {64, 64})});
    return cycles_of(b, small_chip());
  };
  EXPECT_EQ(program(64 * 5), 1 + 10 + 100 + 4096 / 64);  // Rows 5 granules apart meet all 4 channels,
  EXPECT_EQ(program(64 * 6), 1 + 10 + 100 + 4096 / 32);  // 6 apart meet 2,
  EXPECT_EQ(program(64 * 4), 1 + 10 + 100 + 4096 / 16);  // 4 apart always the same.
}

TEST(DmaTiming, ConversionsAndPermutationsTakeTheirOwnRate) {
  Builder cast;
  cast.add(isa::Opcode::load, Queue::load,
           {cast.view(cast.tile(DType::f32, 8192), {2048}), cast.view(cast.tensor(DType::bf16, {2048}), {2048})});
  EXPECT_EQ(cycles_of(cast, small_chip()), 1 + 10 + 100 + 8192 / 64);  // What is written is longer: 128 either way.

  Builder permuted;
  const uint16_t matrix = permuted.tensor(DType::f32, {32, 32}), tile = permuted.tile(DType::f32, 4096);
  permuted.program.tensors[matrix].strides = {4, 128};
  permuted.add(isa::Opcode::load, Queue::load, {permuted.view(tile, {32, 32}), permuted.view(matrix, {32, 32})});
  EXPECT_EQ(cycles_of(permuted, small_chip()), 1 + 10 + 100 + 4096 / 32);
}

TEST(DmaTiming, FillIsNotReadFromMemory) {
  Builder b;
  const uint16_t matrix = b.tensor(DType::u8, {64, 64}), tile = b.tile(DType::u8, 1 << 14);
  b.add(isa::Opcode::load, Queue::load, {b.view(tile, {66, 64}), b.view(matrix, {66, 64}, {-1, 0})})
      .fields[isa::at::load_fill]
      .value = 1;
  const Timing timing = timed(b, small_chip());
  EXPECT_EQ(timing.bytes_read, 4096);
  EXPECT_EQ(timing.cycles, 1 + 10 + 100 + 66);  // All of it passes the port.
}

/// What is combined is read before it is written.
TEST(DmaTiming, ScatteredRowsAreRunsOfTheirOwn) {
  const auto moved = [](int64_t combine) {
    Builder b;
    const uint16_t table = b.tensor(DType::u8, {1000, 48}), index = b.tile(DType::i32, 1024),
                   tile = b.tile(DType::u8, 1 << 14);
    b.add(isa::Opcode::scatter, Queue::store,
          {b.view(table, {1000, 48}), b.view(tile, {64, 48}), b.view(index, {64, 1})})
        .fields[isa::at::scatter_combine]
        .value = combine;
    return timed(b, small_chip()).bytes_written;
  };
  EXPECT_EQ(moved(0), 64 * 64 * 6 / 4);
  EXPECT_EQ(moved(1), 2 * moved(0));
}

TEST(DmaTiming, GatheredRowsAreRunsOfTheirOwn) {
  Builder b;
  const uint16_t table = b.tensor(DType::u8, {1000, 48}), index = b.tile(DType::i32, 1024),
                 tile = b.tile(DType::u8, 1 << 14);
  b.add(isa::Opcode::gather, Queue::load, {b.view(tile, {64, 48}), b.view(table, {1000, 48}), b.view(index, {64})});
  const Timing timing = timed(b, small_chip());
  // Rows of 48 at multiples of 48: two of four stay in their burst of 64.
  EXPECT_EQ(timing.bytes_read, 64 * 64 * 6 / 4);
  EXPECT_EQ(timing.cycles, 1 + 10 + 100 + 96);
}

TEST(DmaTiming, AGatherAsksOnceItsIndexIsThere) {
  const auto cycles = [](bool looks_into_it) {
    Builder b;
    const uint16_t table = b.tensor(DType::u8, {1000, 64}), numbers = b.tensor(DType::i32, {64}, 1 << 20);
    const uint16_t index = b.tile(DType::i32, 256), other = b.tile(DType::i32, 256), tile = b.tile(DType::u8, 4096);
    b.add(isa::Opcode::load, Queue::load, {b.view(index, {64}), b.view(numbers, {64})});
    b.add(isa::Opcode::gather, Queue::load,
          {b.view(tile, {64, 64}), b.view(table, {1000, 64}), b.view(looks_into_it ? index : other, {64})});
    return cycles_of(b, small_chip());
  };
  EXPECT_EQ(cycles(false), (1 + 10 + 4) + 100 + 64);
  EXPECT_EQ(cycles(true), (1 + 10 + 4 + 100) + 100 + 64);
}

TEST(DmaTiming, AGatherBehindSharedLoadsIsEachCoresOwn) {
  Builder b;
  const uint16_t table = b.tensor(DType::u8, {1000, 64}), index = b.tile(DType::i32, 1024),
                 tile = b.tile(DType::u8, 1 << 14);
  b.loop(0, 40);
  b.load(4096).fields[isa::at::load_share].value = 2;
  b.end();
  b.loop(0, 40);
  b.add(isa::Opcode::gather, Queue::load, {b.view(tile, {16, 64}), b.view(table, {1000, 64}), b.view(index, {16})});
  b.end();
  EXPECT_EQ(timed(b, mesh_chip(2, 1)).bytes_read, 40 * (4096 + 2 * 16 * 64));
}

TEST(DmaTiming, LoadAndComputeOverlapWithTwoBuffers) {
  const auto program = [](int32_t slots) {
    Builder b;
    const uint8_t free = b.semaphore("free", Queue::load, slots), full = b.semaphore("full", Queue::vector);
    b.loop(0, 8);
    b.load(16384, 0, {.waits = {{free, 1}}, .signals = {{full, 1}}});
    b.map(4096, {.waits = {{full, 1}}, .signals = {{free, 1}}});
    b.end();
    return cycles_of(b, small_chip());
  };
  const int64_t load = 10 + 100 + 256, map = 256 + 4, signal = 2;
  EXPECT_EQ(program(1), 2 + 8 * (load + map) + 15 * signal);
  // Two: the loads follow one another with their latency hidden; a slot is free a signal after its map has ended.
  EXPECT_LT(program(2), 2 + load + 8 * (map + signal) + 7 * 60);
  EXPECT_EQ(program(3), 2 + load + signal + 8 * map);
}

TEST(DmaTiming, HopsAddTheirTimeBothWays) {
  Builder b;
  b.program.parameters.push_back({"core_id", 5, 0, 63});
  b.add(isa::Opcode::let, Queue::sequencer, {}).fields = {{6, false}, {8, false}, {5, true}, {1, false}};  // Core 1?
  b.load(64).predicate = 6;
  chip::Chip chip = mesh_chip(3, 1);
  chip.network.hop_cycles = 7;
  // One granule: channel 0, at the left edge, one hop away. The port and the channel take 4 cycles.
  EXPECT_EQ(cycles_of(b, chip), 2 + 10 + 7 + 100 + 4 + 7);
}

TEST(DmaTiming, StreamsOverOneLinkShareIt) {
  const auto program = [](double link) {
    Builder b;
    b.load(1 << 16);
    chip::Chip chip = mesh_chip(1, 4);  // All channels enter at the left edge, row by row.
    chip.memory.channels = 1;           // The only channel: at core 0.
    chip.memory.interleave_bytes = 1 << 20;
    chip.memory.bytes_per_second = 1e12;
    chip.network.hop_cycles = 0;
    chip.network.link_bytes_per_cycle = link;
    return cycles_of(b, chip);
  };
  // Three cores are behind the first link; with links as wide as ports it carries 3 * 64 KiB at 64 bytes a cycle.
  const int64_t fast = program(1e6), shared = program(64);
  EXPECT_NEAR(static_cast<double>(fast), 1 + 10 + 100 + (1 << 16) / 64, 300);
  EXPECT_NEAR(static_cast<double>(shared), 1 + 10 + 100 + 3 * (1 << 16) / 64, 300);
}

TEST(DmaTiming, TheSharedSpaceIsServedByItsOwners) {
  Builder b;
  b.program.parameters.push_back({"core_id", 5, 0, 63});
  b.add(isa::Opcode::let, Queue::sequencer, {}).fields = {{6, false}, {8, false}, {5, true}, {0, false}};  // Core 0?
  const uint16_t pages = b.tensor(DType::u8, {4096}, 2 * 4096, isa::Space::shared), tile = b.tile(DType::u8, 4096);
  b.add(isa::Opcode::load, Queue::load, {b.view(tile, {4096}), b.view(pages, {4096})}).predicate = 6;
  const Timing timing = timed(b, mesh_chip(4, 1));
  EXPECT_EQ(timing.cycles, 2 + 10 + 2 + 2 + 64);  // Page 2 is core 2's, two hops away; links and port take 64.
  EXPECT_EQ(timing.bytes_read, 0);
  EXPECT_EQ(timing.events.at("shared.read_bytes"), 4096);
  EXPECT_EQ(timing.events.at("noc.hop_bytes"), 2 * 4096);
}

TEST(DmaTiming, HostCallsTakeARoundTrip) {
  Builder b;
  b.program.functions.push_back("anything");
  b.add(isa::Opcode::host_call, Queue::host,
        {b.view(b.tensor(DType::u8, {100}), {100}), isa::no_view, b.view(b.tensor(DType::u8, {400}, 4096), {400})});
  chip::Chip chip = small_chip();
  chip.host.link_latency_femtoseconds = 200'000'000;
  const Timing timing = timed(b, chip);
  EXPECT_EQ(timing.cycles, 200 + 1 + 2 * 200 + 500 + 500);  // Launch; issue; link; bytes and operations at 1 a cycle.
  EXPECT_EQ(timing.host_bytes, 500);
  EXPECT_EQ(timing.layers[0].bound, Bound::host);
}

}  // namespace
}  // namespace hadal::machine

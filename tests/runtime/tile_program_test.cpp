#include "runtime/tile_program.h"

#include <gtest/gtest.h>

#include "base/split_mix.h"

namespace hadal::runtime {
namespace {

/// y = exp(x) of 100 floats, 32 at a time; the lanes also read what they hand to the store queue.
const std::string exponentials = R"({
  "name": "exponentials", "chip": "hadal-1", "precision": "f32", "cores": 1,
  "storages": [{"name": "x", "kind": "input", "bytes": 400}, {"name": "y", "kind": "output", "bytes": 400}],
  "tensors": [{"name": "x", "storage": 0, "dtype": "f32", "extents": [100], "strides": [4], "offset": 0},
              {"name": "y", "storage": 1, "dtype": "f32", "extents": [100], "strides": [4], "offset": 0}],
  "rings": [{"name": "x", "from": "load", "to": "vector", "slots": 2, "most_slots": 2},
            {"name": "y", "from": "vector", "to": "store", "slots": 2, "most_slots": 2},
            {"name": "most", "from": "vector", "to": "vector", "slots": 1, "most_slots": 1}],
  "chains": [{"inputs": 1, "steps": [["exp", [0], 0, 0]]}, {"inputs": 1, "steps": [["copy", [0], 0, 0]]}],
  "inputs": [{"name": "x", "dtype": "f32", "shape": [100], "storage": 0}],
  "outputs": [{"name": "y", "dtype": "f32", "shape": [100], "storage": 1}],
  "weights": [],
  "phases": [{"name": "exponentials", "op": "kernel", "macs": 0, "bytes": 800, "dtype": "f32",
    "tiles": [{"name": "x", "ring": 0, "dtype": "f32"}, {"name": "y", "ring": 1, "dtype": "f32"},
              {"name": "most", "ring": 2, "dtype": "f32"}],
    "body": [{"loop": "i", "count": 4, "body": [
      {"tile": 0},
      {"op": "load", "on": "load", "fields": {}, "operands": [{"tile": 0, "extents": [["min", 32, ["sub", 100, ["mul", "i", 32]]]]},
        {"tensor": 0, "origins": [["mul", "i", 32]], "extents": [["min", 32, ["sub", 100, ["mul", "i", 32]]]]}]},
      {"tile": 1},
      {"op": "map", "on": "vector", "fields": {"chain": 0}, "operands": [
        {"tile": 1, "extents": [["min", 32, ["sub", 100, ["mul", "i", 32]]]]},
        {"tile": 0, "extents": [["min", 32, ["sub", 100, ["mul", "i", 32]]]]}]},
      {"tile": 2},
      {"op": "reduce", "on": "vector", "fields": {"kind": "max", "axes": 1}, "operands": [{"tile": 2, "extents": [1]},
        {"tile": 1, "extents": [["min", 32, ["sub", 100, ["mul", "i", 32]]]]}]},
      {"op": "map", "on": "vector", "fields": {"chain": 1}, "operands": [{"tile": 2, "extents": [1]}, {"tile": 2, "extents": [1]}]},
      {"op": "store", "on": "store", "fields": {}, "operands": [
        {"tensor": 1, "origins": [["mul", "i", 32]], "extents": [["min", 32, ["sub", 100, ["mul", "i", 32]]]]},
        {"tile": 1, "extents": [["min", 32, ["sub", 100, ["mul", "i", 32]]]]}]}]}]}]})";

Result<Loaded> loaded(const std::string& json) {
  HADAL_TRY(const TileProgram tiles, parse_tile_program(json));
  Source source;
  source.chip = "hadal-edge";
  return load_tiles(tiles, source);
}

std::string with(const std::string& from, const std::string& to) {
  std::string text = exponentials;
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(TileProgram, BecomesInstructions) {
  const auto program = loaded(exponentials);
  ASSERT_TRUE(program) << program.error().text();
  // Two rings between queues have a pair each; that within the lanes has none, and no counter of its slots.
  size_t semaphores = 0;
  for (const isa::Semaphore& semaphore : program->program.semaphores) semaphores += semaphore.name != "waited" ? 1 : 0;
  EXPECT_EQ(semaphores, 4u);
  size_t counts = 0;
  for (const isa::Instruction& in : program->program.code)
    counts += in.op == isa::Opcode::let && in.fields[0].value == in.fields[2].value ? 1 : 0;
  EXPECT_EQ(counts, 2u);
}

TEST(TileProgram, ProducerHandsOnAfterItsLastRead) {
  const auto program = loaded(exponentials);
  ASSERT_TRUE(program) << program.error().text();
  for (const isa::Instruction& in : program->program.code) {
    const bool full = in.signals[0].count > 0 && program->program.semaphores[in.signals[0].id].name == "y.full";
    EXPECT_EQ(full, in.op == isa::Opcode::reduce);
  }
}

TEST(TileProgram, NamesThePlaceOfWhatIsWrong) {
  const std::vector<std::array<std::string, 3>> cases{
      {R"("cores": 1)", R"("cores": 0)", "cores"},
      {R"("kind": "input")", R"("kind": "shared")", "storages[0].kind"},
      {R"("dtype": "f32", "extents")", R"("dtype": "f33", "extents")", "tensors[0].dtype"},
      {R"("storage": 1, "dtype")", R"("storage": 2, "dtype")", "tensors[1].storage"},
      {R"("from": "load")", R"("from": "host")", "rings[0]"},
      {R"(["exp", [0], 0, 0])", R"(["expo", [0], 0, 0])", "chains[0].steps[0][0]"},
      {R"("ring": 1)", R"("ring": 3)", "phases[0].tiles[1].ring"},
      {R"({"tile": 0},)", R"({"tile": 9},)", "phases[0].body[0].body[0].tile"},
      {R"("op": "load", "on": "load")", R"("op": "load", "on": "store")", "phases[0].body[0].body[1]"},
      {R"({"chain": 0})", R"({"chain": 7})", "phases[0].body[0].body[3].fields.chain"},
      {R"({"chain": 0})", R"({"chains": 0})", "phases[0].body[0].body[3].fields"},
      {R"("kind": "max")", R"("kind": "most")", "phases[0].body[0].body[5].fields.kind"},
      {R"({"tensor": 0, "origins": [["mul", "i", 32]])", R"({"tensor": 0, "origins": [["mul", "j", 32]])",
       "phases[0].body[0].body[1].operands[1].origins[0][1]"},
      {R"({"tensor": 0, "origins": [["mul", "i", 32]])", R"({"tensor": 0, "origins": [["div", 1, 0]])",
       "phases[0].body[0].body[1].operands[1].origins[0]"},
      {R"({"tile": 1, "extents")", R"({"tile": 0, "extents")", "phases[0].body[0].body[3]"},
  };
  for (const auto& [from, to, place] : cases) {
    const auto program = parse_tile_program(with(from, to));
    ASSERT_FALSE(program) << to;
    EXPECT_EQ(program.error().code, "tiles.field") << to;
    EXPECT_EQ(program.error().place, place) << program.error().text();
  }
  EXPECT_EQ(parse_tile_program("{").error().code, "tiles.syntax");
}

TEST(TileProgram, IsVerified) {
  EXPECT_EQ(loaded(with(R"({"tensor": 0, "origins": [["mul", "i", 32]])",
                        R"({"tensor": 0, "origins": [["add", 1, ["mul", "i", 32]]])"))
                .error()
                .code,
            "view.C1");
  EXPECT_EQ(loaded(with(R"("dtype": "f32", "extents": [100], "strides": [4])",
                        R"("dtype": "f32", "extents": [101], "strides": [4])"))
                .error()
                .code,
            "view.C2");
}

/// y = x, of 100 floats, 32 at a time, on two cores that tell each other, by hand.
const std::string by_hand = R"({
  "name": "copy", "chip": "hadal-edge", "precision": "f32", "cores": 2,
  "storages": [{"name": "x", "kind": "input", "bytes": 512}, {"name": "y", "kind": "output", "bytes": 512}],
  "tensors": [{"name": "x", "storage": 0, "dtype": "f32", "extents": [128], "strides": [4], "offset": 0},
              {"name": "y", "storage": 1, "dtype": "f32", "extents": [128], "strides": [4], "offset": 0}],
  "semaphores": [{"name": "free", "initial": 2, "waiter": "load"}, {"name": "full", "initial": 0, "waiter": "store"},
                 {"name": "all", "initial": 0, "waiter": "load"}],
  "rings": [{"name": "ring", "slots": 2}], "chains": [],
  "inputs": [{"name": "x", "dtype": "f32", "shape": [128], "storage": 0}],
  "outputs": [{"name": "y", "dtype": "f32", "shape": [128], "storage": 1}],
  "weights": [],
  "phases": [{"name": "copy", "op": "kernel", "macs": 0, "bytes": 800, "dtype": "f32",
    "tiles": [{"name": "t", "ring": 0, "dtype": "f32"}],
    "body": [{"manual": [{"grid": [4], "body": [
      {"op": "load", "on": "load", "fields": {}, "line": "copy.py:4", "waits": [[0, 1, 0]], "signals": [[1, 1, 0]],
       "operands": [{"tile": 0, "slot": "unit", "extents": [32]}, {"tensor": 0, "origins": [["mul", "g0", 32]], "extents": [32]}]},
      {"op": "store", "on": "store", "fields": {}, "line": "copy.py:5", "waits": [[1, 1, 0]], "signals": [[0, 1, 0], [2, 3, 1]],
       "operands": [{"tensor": 1, "origins": [["mul", "g0", 32]], "extents": [32]}, {"tile": 0, "slot": "unit", "extents": [32]}]},
      {"op": "sync", "on": "load", "fields": {}, "operands": [], "waits": [[2, 3, 1]]}]}]}]}]})";

TEST(TileProgram, TakesSemaphoresByHand) {
  const auto loaded_by_hand = [](std::string text, const std::string& from = "", const std::string& to = "") {
    if (!from.empty()) text.replace(text.find(from), from.size(), to);
    return loaded(text);
  };
  const auto program = loaded_by_hand(by_hand);
  ASSERT_TRUE(program) << program.error().text();
  std::vector<int> waits;  // For all cores: as many counts from each.
  for (const isa::Instruction& in : program->program.code)
    if (in.op == isa::Opcode::sync && in.queue == isa::Queue::load) waits.push_back(in.waits[0].count);
  EXPECT_EQ(waits, std::vector<int>{6});
  const std::vector<std::array<std::string, 3>> cases{
      {R"("waits": [[0, 1, 0]])", R"("waits": [[3, 1, 0]])", "phases[0].body[0].manual[0].body[0].waits[0]"},
      {R"("waits": [[2, 3, 1]])", R"("waits": [[2, 128, 1]])", "phases[0].body[0].manual[0].body[2].waits[0]"},
      {R"("waits": [[0, 1, 0]])", R"("waits": [[0, 1, 0], [0, 1, 0], [0, 1, 0], [0, 1, 0]])",
       "phases[0].body[0].manual[0].body[0].waits"},
      {R"("body": [{"manual": [{"grid")", R"("body": [{"grid": [1], "body": [{"grid")", "phases[0].body[0].body[0]"},
      {R"({"op": "sync")", R"({"tile": 0}, {"op": "sync")", "phases[0].body[0].manual[0].body[2]"},
      {R"({"op": "sync")", R"({"manual": []}, {"op": "sync")", "phases[0].body[0].manual[0].body[2]"},
      {R"("waiter": "load")", R"("waiter": "loads")", "semaphores[0].waiter"},
  };
  for (const auto& [from, to, place] : cases) {
    const auto refused = loaded_by_hand(by_hand, from, to);
    ASSERT_FALSE(refused) << to;
    EXPECT_EQ(refused.error().code, "tiles.field") << to;
    EXPECT_EQ(refused.error().place, place) << refused.error().text();
  }
  const auto unbalanced = loaded_by_hand(by_hand, R"("signals": [[1, 1, 0]])", R"("signals": [[1, 2, 0]])");
  ASSERT_FALSE(unbalanced);
  EXPECT_EQ(unbalanced.error().code, "sync.C4") << unbalanced.error().text();
  const auto stuck = loaded_by_hand(by_hand, R"("signals": [[1, 1, 0]])", R"("signals": [[0, 1, 0]])");
  ASSERT_FALSE(stuck);
  EXPECT_EQ(stuck.error().code, "sync.C1");
  EXPECT_NE(stuck.error().place.find("copy.py:5"), std::string::npos) << stuck.error().text();
}

TEST(TileProgram, RefusesWhatIsByHandWhereSemaphoresAreDerived) {
  EXPECT_EQ(
      parse_tile_program(with(R"("fields": {"chain": 0})", R"("waits": [], "fields": {"chain": 0})")).error().place,
      "phases[0].body[0].body[3].waits");
  EXPECT_EQ(parse_tile_program(with(R"({"name": "y", "from": "vector", "to": "store", "slots": 2, "most_slots": 2})",
                                    R"({"name": "y", "slots": 2})"))
                .error()
                .place,
            "phases[0].body[0].body[3]");
}

/// What is changed at random is refused or runs; it ends nothing.
TEST(TileProgram, SurvivesChanges) {
  SplitMix numbers(7);
  const auto random = [&] { return numbers.next(); };
  int refused = 0;
  for (int trial = 0; trial < 4000; ++trial) {
    std::string text = trial % 2 == 0 ? exponentials : by_hand;
    for (int change = 0; change < 2; ++change) {
      const size_t at = random() % text.size();
      if (text[at] >= '0' && text[at] <= '9')
        text[at] = static_cast<char>('0' + random() % 10);
      else if (random() % 8 == 0)
        text[at] = static_cast<char>(random() % 128);
      else
        text.insert(at, text.substr(random() % text.size(), random() % 12));
    }
    refused += loaded(text) ? 0 : 1;
  }
  EXPECT_GT(refused, 200);
  EXPECT_LT(refused, 4000);
}

}  // namespace
}  // namespace hadal::runtime

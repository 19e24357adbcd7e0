// Ten thousand well-formed programs: nobody who reads one disagrees with another.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "fuzz/campaign.h"
#include "fuzz/shrink.h"
#include "fuzz/well_formed_check.h"
#include "isa/canonical.h"
#include "isa/fields.h"
#include "isa/table.h"
#include "isa/text.h"

namespace hadal::fuzz {
namespace {

using isa::Instruction;
using isa::Opcode;
using isa::Program;

constexpr size_t programs = 10'000;
/// In so many programs, at least, every opcode and every kind of program occurs.
constexpr size_t least = 100;

/// Where programs are written: in memory where the host has such a folder, as writing waits for the disk.
class Folder {
 public:
  explicit Folder(const Campaign& campaign) {
    const std::filesystem::path memory = "/dev/shm";
    const std::filesystem::path& own = campaign.folder();
    path_ = std::filesystem::is_directory(memory) ? memory / own.filename() : own;
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

bool any(const Program& program, const std::function<bool(const Instruction&)>& holds) {
  return std::ranges::any_of(program.code, holds);
}

/// What is remarkable about a program.
std::set<std::string> kinds_of(const Program& program) {
  std::set<std::string> kinds;
  const auto is = [&](const char* kind, bool holds) {
    if (holds) kinds.insert(kind);
  };
  is("several cores", program.limits.cores > 1);
  is("weights", !program.weights.empty());
  is("predicate", any(program, [](const Instruction& in) { return in.predicate != isa::no_register; }));
  for (const Instruction& in : program.code) {
    if (in.op == Opcode::loop) {
      const isa::Field& count = in.fields[isa::at::loop_count];
      is(count.is_register ? "trips of a register" : count.value == 0 ? "no trips" : "trips of a constant", true);
    }
    if (in.op == Opcode::load) {
      is("shared load", in.fields[isa::at::load_share].value > 1);
      is("load with fill", in.fields[isa::at::load_fill].value != 0);
      const auto type = [&](size_t i) { return program.tensors[program.views[in.operands[i]].tensor].dtype; };
      is("load that converts", type(0) != type(1));
    }
    is("sums in parts", in.queue == isa::Queue::matrix && !in.fields.empty() && in.fields[isa::at::emit].is_register);
    is("epilogue",
       in.queue == isa::Queue::matrix && !in.fields.empty() && in.fields[isa::at::epilogue].value != isa::no_chain);
    is("written in place",
       in.queue == isa::Queue::vector && in.operands.size() > 1 && in.operands[0] == in.operands[1]);
    is("prefetch", in.queue == isa::Queue::prefetch);
    for (const isa::Sync& signal : in.signals) is("signal to all cores", signal.everywhere);
  }
  for (const isa::View& view : program.views) {
    is("ring", view.slots > 1);
    for (size_t i = 0; i < view.rank; ++i) {
      is("origin of two registers", view.origins[i].register_b != isa::no_register);
      is("extent of a register", view.extents[i].source != isa::no_register);
    }
  }
  for (const isa::TensorDescriptor& tensor : program.tensors) {
    is("shared space", tensor.space == isa::Space::shared);
    for (size_t i = 0; i < tensor.rank; ++i) {
      is("stride of 0", tensor.strides[i] == 0);
      is("stride backwards", tensor.strides[i] < 0);
    }
  }
  return kinds;
}

const std::set<std::string> all_kinds{"several cores",
                                      "weights",
                                      "predicate",
                                      "trips of a register",
                                      "no trips",
                                      "trips of a constant",
                                      "shared load",
                                      "load with fill",
                                      "load that converts",
                                      "sums in parts",
                                      "epilogue",
                                      "written in place",
                                      "prefetch",
                                      "signal to all cores",
                                      "ring",
                                      "origin of two registers",
                                      "extent of a register",
                                      "shared space",
                                      "stride of 0",
                                      "stride backwards"};

/// How much of what all programs had.
struct Census {
  size_t programs = 0, loops = 0, cores = 0;
  uint64_t executed = 0;
  std::map<std::string, size_t> opcodes, kinds;  ///< Programs with one.

  void add(const Program& program, const Outcome& outcome) {
    ++programs;
    cores += program.limits.cores;
    std::set<std::string> names;
    for (const Instruction& in : program.code) {
      loops += in.op == Opcode::loop ? 1 : 0;
      const bool control = in.queue == isa::Queue::sequencer;
      if (control || outcome.executed.contains(in.op)) names.emplace(isa::row_of(in.op)->name);
    }
    for (const auto& [op, count] : outcome.executed) executed += count;
    for (const std::string& name : names) ++opcodes[name];
    for (const std::string& kind : kinds_of(program)) ++kinds[kind];
  }
  void print() const {
    const auto list = [](const std::map<std::string, size_t>& counts) {
      std::string text;
      for (const auto& [name, count] : counts) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, count);
      return text;
    };
    fmt::print("well-formed: {} programs on {} cores, {} loops, {} instructions executed\n", programs, cores, loops,
               executed);
    fmt::print("  programs with {}\n  programs with {}\n", list(opcodes), list(kinds));
  }
};

/// The failure on a program made smaller, as assembler text.
std::string report(uint64_t seed, const WellFormed& made, const Outcome& outcome, const std::string& folder) {
  const WellFormed small =
      shrunk(made, [&](const WellFormed& m) { return check_well_formed(m, folder).stage == outcome.stage; });
  const auto text = isa::disassemble(small.program, isa::WeightText::inlined);
  return fmt::format("seed {}: {}\nof which is left, with the first: {}\n{}", seed, outcome.message,
                     check_well_formed(small, folder).message, text.ok() ? *text : text.error().text());
}

TEST(WellFormed, AllWhoReadAProgramAgree) {
  Campaign campaign("well-formed", programs);
  const Folder memory(campaign);
  const std::string folder = memory.path();
  Census census;
  int failures = 0;
  campaign.run([&](Random& random) -> Status {
    const uint64_t seed = random.next();
    const WellFormed made = well_formed(seed);
    const Outcome outcome = check_well_formed(made, folder);
    census.add(made.program, outcome);
    if (outcome.ok()) return {};
    if (++failures <= 3) ADD_FAILURE() << report(seed, made, outcome, folder);
    return Error{outcome.stage, outcome.message};
  });
  census.print();
  EXPECT_EQ(failures, 0);
  if (census.programs < programs) return;  // One input alone.
  for (const isa::Row& row : isa::table())
    EXPECT_GE(census.opcodes[std::string(row.name)], least)
        << row.name << " needs a rule of shapes: draw_" << row.name << " in well_formed_*.cpp";
  for (const std::string& kind : all_kinds) EXPECT_GE(census.kinds[kind], least) << kind;
}

TEST(WellFormed, ASeedIsAProgram) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const auto text = [&] { return isa::disassemble(well_formed(seed).program, isa::WeightText::inlined); };
    EXPECT_EQ(*text(), *text());
    EXPECT_NE(*text(), *isa::disassemble(well_formed(seed + 1).program, isa::WeightText::inlined));
  }
}

TEST(WellFormed, ARaceIsToldAndMadeSmall) {
  Campaign campaign("well-formed-race", 0);
  const Folder memory(campaign);
  const std::string folder = memory.path();
  const auto waits = [](const Instruction& in) { return in.op == Opcode::softmax && in.waits[0].count > 0; };
  uint64_t seed = 0;
  WellFormed made = well_formed(seed);
  while (made.program.code.size() < 30 || !any(made.program, waits)) made = well_formed(++seed);
  ASSERT_EQ(check_well_formed(made, folder).message, "");

  const uint8_t lost = std::ranges::find_if(made.program.code, waits)->waits[0].id;
  for (Instruction& in : made.program.code)
    for (auto* syncs : {&in.waits, &in.signals})
      std::ranges::replace_if(*syncs, [&](const isa::Sync& sync) { return sync.id == lost; }, isa::Sync{});
  isa::canonicalise(made.program);
  const auto races = [&](const WellFormed& m) { return check_well_formed(m, folder).stage == "race.R1"; };
  ASSERT_TRUE(races(made)) << check_well_formed(made, folder).message;
  const WellFormed small = shrunk(made, races);
  EXPECT_TRUE(races(small));
  EXPECT_LE(small.program.code.size(), 3u);  // The two that meet, and `halt`.
}

}  // namespace
}  // namespace hadal::fuzz

// hadal doctor: is everything here that Hadal needs, and does it compute?
#include <link.h>

#include <CLI/CLI.hpp>
#include <array>
#include <filesystem>

#include "chip/chip.h"
#include "cli/command.h"
#include "cli/console.h"
#include "isa/text.h"
#include "isa/verify.h"
#include "machine/functional/run.h"
#include "machine/timing/run.h"
#include "report/text.h"
#include "runtime/load.h"
#include "runtime/resources.h"

namespace hadal::cli {

namespace {

/// y = relu(x w) for x of 2x3 and w of 3x2, by load, matmul and store.
constexpr const char* self_test = R"(program self_test chip any precision f32
limit cores 1
limit scratchpad 256
limit accumulator 64
limit memory 64
limit matrix f32
region x input 24
region w input 24
region y output 16
tensor x in x f32 [1, 2, 3]
tensor w in w f32 [1, 3, 2]
tensor y in y f32 [1, 2, 2]
tensor a scratchpad f32 64 bytes at 0
tensor b scratchpad f32 64 bytes at 64
tensor c scratchpad f32 64 bytes at 128
chain 0 f32 inputs 1 = relu(i0)
semaphore full 0 for matrix
semaphore done 0 for store
layer product matmul nodes [product] macs 12 bytes 64 precision f32
input x f32 [2, 3] in x
input w f32 [3, 2] in w
output y f32 [2, 2] in y
code
  load a [1, 2, 3], x[0, 0, 0] [1, 2, 3]
  load b [1, 3, 2], w[0, 0, 0] [1, 3, 2] signal full
  matmul c [1, 2, 2], a [1, 2, 3], b [1, 3, 2] epilogue 0 wait full signal done
  store y[0, 0, 0] [1, 2, 2], c [1, 2, 2] wait done
  halt
)";

/// Computes and times the self-test on a chip.
Result<std::string> run_self_test(const chip::Chip& chip) {
  HADAL_TRY(const isa::Program program, isa::assemble(self_test, "self-test", {}));
  HADAL_CHECK(isa::verify(program));
  HADAL_TRY(const auto machine, machine::ValueMachine::make(program, chip.cores, {}));
  machine::ValueCounts counts;
  const std::vector<Tensor> inputs{Tensor::of<float>(DType::f32, {2, 3}, {1, 2, 3, -4, -5, -6}),
                                   Tensor::of<float>(DType::f32, {3, 2}, {1, 0, 0, 1, 1, 1})};
  HADAL_TRY(const auto outputs, machine->run(inputs, counts));
  const std::array<float, 4> expected{4, 5, 0, 0};
  if (outputs.size() != 1 || !std::ranges::equal(outputs[0].as<float>(), expected))
    return Error{"doctor.values", "the self-test computed wrong values"};
  HADAL_TRY(const machine::Timing timing, machine::time_program(program, chip, {}));
  return fmt::format("right values; {} cycles on {}", report::grouped(timing.cycles), chip.name);
}

std::string cpu_text() {
  std::string out;
#ifdef __x86_64__
  const std::array<std::pair<const char*, bool>, 5> features{
      {{"avx2", __builtin_cpu_supports("avx2") != 0},
       {"fma", __builtin_cpu_supports("fma") != 0},
       {"avx512f", __builtin_cpu_supports("avx512f") != 0},
       {"avx512vnni", __builtin_cpu_supports("avx512vnni") != 0},
       {"avx512bf16", __builtin_cpu_supports("avx512bf16") != 0}}};
  for (const auto& [name, has] : features) out += fmt::format(", {}{}", has ? "" : "no ", name);
#endif
  return fmt::format("{} usable{}", runtime::usable_cpus(), out);
}

/// The shared libraries that this process has loaded, by their files' names, which tell their versions.
std::string libraries_text() {
  std::string out;
  const auto add = [](dl_phdr_info* library, size_t, void* text) {
    static constexpr std::array<std::string_view, 4> ours{"libdnnl", "libfmt", "libhwy", "libprotobuf"};
    std::error_code ignored;
    const std::string file = std::filesystem::weakly_canonical(library->dlpi_name, ignored).filename().string();
    if (std::ranges::any_of(ours, [&](std::string_view name) { return file.starts_with(name); }))
      *static_cast<std::string*>(text) += (static_cast<std::string*>(text)->empty() ? "" : ", ") + file;
    return 0;
  };
  ::dl_iterate_phdr(add, &out);
  return out;
}

Result<int> execute() {
  report::Table table({{}, {}, {}});
  std::optional<Error> first;
  const auto row = [&](const char* what, const Result<std::string>& finding) {
    table.add({finding ? "ok" : "FAILED", what, finding ? *finding : finding.error().message});
    if (!finding && !first) first = finding.error();
  };
  row("hadal", std::string(HADAL_VERSION));
  row("CPUs", cpu_text());
  row("memory", fmt::format("{} usable", report::scaled(static_cast<double>(runtime::usable_memory()), "B")));
  row("libraries", libraries_text());
  const auto names = chip::shipped_chips();
  if (names.empty())
    row("chips", Error{"doctor.chips",
                       "no chip descriptions found",
                       {},
                       "the folder chips/ belongs beside the binary or in the source tree"});
  for (const std::string& name : names) {
    const auto chip = chip::load_chip(name);
    row("chip",
        chip ? Result<std::string>(fmt::format("{}: {}", name, chip->summary)) : Result<std::string>(chip.error()));
  }
  const auto chip = chip::load_chip(runtime::default_chip);
  row("self-test", chip ? run_self_test(*chip) : Result<std::string>(chip.error()));
  HADAL_CHECK(put(stdout, table.text()));
  if (first) return *first;
  return 0;
}

}  // namespace

void add_doctor(CLI::App& app, Action& action) {
  CLI::App& doctor =
      *app.add_subcommand("doctor", "Check this computer, the libraries and the chips, and run a self-test");
  doctor.footer("Exit code: 0 where all is well, else 1.\n\nExample:\n  hadal doctor");
  doctor.callback([&action] { action = execute; });
}

}  // namespace hadal::cli

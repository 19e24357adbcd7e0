// What `info` tells.
#include <fmt/ranges.h>

#include "debug/session.h"
#include "debug/tensors.h"
#include "debug/words.h"
#include "isa/check.h"
#include "isa/table.h"

namespace hadal::debug {

Session::Reply Session::info(const std::string& rest) {
  if (rest == "cores") return cores_text();
  if (rest == "semaphores") return semaphores_text();
  if (rest == "registers") return registers_text();
  if (rest == "breakpoints") return breakpoints_text();
  if (rest == "layers") return layers_text();
  if (rest == "tensors") return list_tensors(target_->program());
  if (rest == "queues") {
    HADAL_TRY(const Timeline* times, timeline());
    return times->queues(target_->program(), core(), cycle_);
  }
  return Error{"debug.command",
               fmt::format("info knows nothing of \"{}\"", printable(rest, 80)),
               {},
               "info breakpoints, cores, layers, queues, registers, semaphores or tensors"};
}

namespace {

std::string name_of(const isa::Program& program, uint8_t semaphore) {
  const std::string& name = program.semaphores[semaphore].name;
  return name.empty() ? fmt::format("#{}", semaphore) : printable(name);
}

/// "waits for 16 of ready.0, which has 3"; empty where nothing is missing.
std::string missing(const isa::Program& program, const machine::Stepper& stepper, size_t core) {
  for (const isa::Sync& wait : stepper.core(core).waiting()->waits) {
    const int32_t count = stepper.semaphore(core, wait.id);
    if (wait.count > count)
      return fmt::format(", waits for {} of {}, which has {}", wait.count, name_of(program, wait.id), count);
  }
  return {};
}

}  // namespace

std::string Session::cores_text() {
  (void)target_->stepper().turn();
  const machine::Stepper& stepper = target_->stepper();
  std::string out;
  for (size_t core = 0; core < stepper.cores(); ++core) {
    out += fmt::format("{} {:>3}  {:>8} executed", stepper.last_turn() == core ? "->" : "  ", core,
                       target_->executed(core));
    if (stepper.halted(core))
      out += ", halted";
    else if (const isa::Instruction* in = stepper.core(core).waiting())
      out += fmt::format(", at {} `{}`{}", isa::place_of(target_->program(), stepper.core(core).sequencer().index()),
                         isa::row_of(in->op)->name, missing(target_->program(), stepper, core));
    out += '\n';
  }
  return out;
}

std::string Session::semaphores_text() {
  const size_t number = core();
  const isa::Program& program = target_->program();
  std::string out = fmt::format("semaphores of core {}: count, and at first\n", number);
  for (size_t i = 0; i < program.semaphores.size(); ++i)
    out += fmt::format("  {:<20} {:>6} {:>6}  {} waits\n", name_of(program, static_cast<uint8_t>(i)),
                       target_->stepper().semaphore(number, i), program.semaphores[i].initial,
                       isa::name_of(program.semaphores[i].waiter));
  return out;
}

std::string Session::registers_text() {
  const size_t number = core();
  std::string out = fmt::format("registers of core {} that are not 0\n", number);
  const auto& values = target_->stepper().core(number).sequencer().values();
  for (size_t i = 0; i < values.size(); ++i)
    if (values[i] != 0) out += fmt::format("  r{:<3} {}\n", i, values[i]);
  return out;
}

std::string Session::breakpoints_text() {
  std::string out;
  for (const Breakpoint& breakpoint : target_->breakpoints())
    out += fmt::format("{:>3}  {}\n", breakpoint.number, printable(breakpoint.text));
  return out.empty() ? "no breakpoints\n" : out;
}

std::string Session::layers_text() {
  std::string out;
  const Layers& layers = target_->layers();
  for (size_t i = 0; i < target_->program().layers.size(); ++i) {
    const isa::Layer& layer = target_->program().layers[i];
    out += fmt::format("{:>3}  {}  {} of {} instructions, nodes", i, printable(layer.name), layers.done(i),
                       layers.steps(i));
    for (const std::string& node : layer.nodes) out += " " + printable(node);
    out += '\n';
  }
  return out;
}

}  // namespace hadal::debug

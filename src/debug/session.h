// The debugger's commands.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "chip/chip.h"
#include "debug/target.h"
#include "debug/timeline.h"

namespace hadal::debug {

class Session {
 public:
  /// `text`: the lines that the program was assembled from. Program, chip and text outlive the session. Errors: those
  /// of Target::of.
  static Result<Session> of(const isa::Program& program, const chip::Chip& chip, std::span<const std::string> text,
                            const machine::ValueOptions& options, const std::vector<Tensor>& inputs);

  /// Does a command, and returns what there is to print; an empty one, or one that begins with #, does nothing. Errors:
  /// debug.* of a command that makes no sense, those of the program; the session goes on.
  Result<std::string> execute(std::string_view line);
  /// Whether `quit` was asked for.
  [[nodiscard]] bool quitted() const { return quitted_; }

 private:
  struct Command;
  static const std::vector<Command>& commands();
  static Result<const Command*> command_named(const std::string& name);

  using Reply = Result<std::string>;
  Reply step(const std::string& rest);
  Reply next(const std::string& rest);
  Reply go_on(const std::string& rest);
  Reply until(const std::string& rest);
  Reply add_break(const std::string& rest);
  Reply remove_break(const std::string& rest);
  Reply info(const std::string& rest);
  Reply print(const std::string& rest);
  Reply list(const std::string& rest);
  Reply list_text(const std::string& rest);
  Reply select(const std::string& rest);
  Reply where(const std::string& rest);
  Reply help(const std::string& rest);
  Reply quit(const std::string& rest);

  Reply run(const Target::Enough& enough);
  size_t core();
  std::string cores_text();
  std::string semaphores_text();
  std::string registers_text();
  std::string breakpoints_text();
  std::string layers_text();
  Result<const Timeline*> timeline();
  /// "17 of conv1, `load`", of the instruction that a core comes to.
  std::string instruction_text(size_t core) const;

  const chip::Chip* chip_ = nullptr;
  std::optional<Target> target_;
  std::vector<std::string> texts_;     ///< Of each instruction.
  std::span<const std::string> text_;  ///< That was assembled; empty where none was.
  std::optional<Timeline> timeline_;
  std::optional<size_t> selected_;  ///< The core that is looked at; none: that whose turn it is.
  int64_t cycle_ = 0;               ///< That `until` came to last.
  int breakpoints_made_ = 0;
  bool quitted_ = false;
};

}  // namespace hadal::debug

// The instructions being written, and the first error.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "base/result.h"
#include "isa/program.h"

namespace hadal::tile {

struct Code {
  isa::Program program;
  uint32_t layer = 0;  ///< Of the next instruction.
  std::string line;    ///< Of the source text, of the next instruction.
  std::optional<Error> error;

  void emit(isa::Instruction in) {
    program.code.push_back(std::move(in));
    program.source.push_back(layer);
    program.lines.push_back(line);
  }
  void fail(std::string code, std::string message) {
    if (error) return;
    const std::string name = layer < program.layers.size() ? program.layers[layer].name : "";
    error = Error{std::move(code), std::move(message), fmt::format("layer {}", printable(name)), ""};
  }
};

}  // namespace hadal::tile

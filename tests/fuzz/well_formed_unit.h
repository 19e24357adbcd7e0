// A unit of work of a well-formed program: a nest of loops around loads, instructions of the engines, and stores.
#pragma once

#include <map>

#include "fuzz/well_formed.h"
#include "fuzz/well_formed_nest.h"
#include "fuzz/well_formed_shapes.h"

namespace hadal::fuzz {

/// Where the ports, their values and their bounds go while a program is made.
struct Making {
  Random& random;
  machine::ProgramBuilder builder;
  std::vector<Tensor> inputs;
  std::vector<Bound> bounds;
  int64_t cores = 1;
  std::vector<isa::Opcode> opcodes = {};  ///< Those that a unit begins with.
};

/// Values for what is loaded as this tile, stored in another type.
Tensor draw_values(Random& random, const Tile& tile, DType stored, int64_t count);

/// Memory of the layout that views may have: axes in any order, gaps, steps backwards or of 0. Of an input or a weight.
uint16_t draw_memory(Making& making, const Tile& tile, DType stored, const Shape& shape);
/// Dense, its axes in any order: a new output, which holds tiles like this one.
uint16_t draw_output(Making& making, const Tile& tile, const Shape& shape);

/// Appends an instruction to the program.
void write(Making& making, isa::Instruction in, uint32_t layer);

/// Tells the synchronisation of steps from what they read and write, and adds a unit's instructions to the program.
class Steps {
 public:
  explicit Steps(Making& making) : making_(making) {}

  struct Step {
    isa::Instruction in;
    std::vector<isa::Sync> waits = {}, signals = {};
  };
  /// Bytes of the scratchpad that steps write and read, one slot a trip.
  struct Buffer {
    uint16_t tensor = 0;
    Tile tile;
    int group = -1;  ///< Buffers that are filled for one instruction are waited for together; -1: alone.
    std::vector<size_t> writers = {}, readers = {};
  };

  size_t add(isa::Instruction in);
  size_t buffer(const Tile& tile, int64_t slots, int group = -1);
  Buffer& at(size_t buffer) { return buffers_[buffer]; }
  Step& step(size_t i) { return steps_[i]; }
  [[nodiscard]] size_t size() const { return steps_.size(); }

  /// Semaphores between the queues: full and free, as many as there are slots. Without `again`, in code that runs once,
  /// nothing need be free.
  void link(int64_t slots, bool again);
  /// Appends them. More than three waits or signals stand on `sync` of the same queue.
  void write(uint32_t layer);

 private:
  Making& making_;
  std::vector<Step> steps_;
  std::vector<Buffer> buffers_;
};

/// Makes a unit and appends it to the program.
void make_unit(Making& making, uint32_t layer);

}  // namespace hadal::fuzz

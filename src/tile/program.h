// The tile program: what stands between the graph (or a hand-written kernel) and the instructions.
//
// A program is a sequence of phases. All cores run each phase on their own part of its work; a phase's body is loops,
// tiles and instructions that mean what they say in order. Tiles live in rings of scratchpad slots: declaring a tile
// takes the ring's next slot, the end of the body that declared it gives the slot back. Semaphores, registers, slots
// and memory are not written here: `lower` derives them (see lower.h). But for what is written by hand: there the
// statements name semaphores and slots, and `lower` adds none.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "isa/fields.h"
#include "isa/program.h"
#include "isa/table.h"
#include "tile/expression.h"

namespace hadal::tile {

/// A range of memory with one lifetime. The planner finds its place: scratch may lie in HBM or in the shared space.
struct Storage {
  std::string name;
  isa::RegionKind kind = isa::RegionKind::scratch;
  int64_t bytes = 0;
  int64_t page_bytes = 0;  ///< In the shared space: what a core would best hold in one piece; 0 says nothing.
};

/// A strided tensor in a storage. Several may share one: reshaped, transposed, sliced.
struct Tensor {
  std::string name;
  int storage = 0;
  DType dtype = DType::f32;
  std::vector<int64_t> extents, strides;  ///< Elements; bytes.
  int64_t offset = 0;                     ///< Bytes into the storage.
};

/// Slots of the scratchpad through which tiles flow from one queue to another. Its tiles are given back in the order
/// they were taken; the producer may read a tile before it hands it on. Slot size and further slots are the planner's.
struct Ring {
  std::string name;
  isa::Queue producer = isa::Queue::load, consumer = isa::Queue::matrix;
  int slots = 2;           ///< At least.
  int most_slots = 2;      ///< Where room is left.
  int64_t slot_limit = 0;  ///< Bytes that a tile may have.
  bool by_hand = false;    ///< Views name its slots, of any queue; nothing is derived for it.
};

/// A tile of a ring, seen with extents. Dense in these extents.
struct TileView {
  int tile = 0;
  std::vector<Expr> extents;
  Expr slot = {};  ///< Of a ring by hand, modulo its slots.
};
/// A box of a tensor.
struct Window {
  int tensor = 0;
  std::vector<Expr> origins, extents;
};
using Operand = std::variant<std::monostate, TileView, Window>;

/// A tile that a body declares.
struct Tile {
  std::string name;
  int ring = 0;
  DType dtype = DType::f32;
};

struct Statement {
  enum class Kind : uint8_t { tile, loop, manual, instruction } kind = Kind::instruction;
  int tile = 0;                 ///< tile: its number in the phase.
  Expr index, count;            ///< loop: its variable, its trips.
  std::vector<Statement> body;  ///< loop; manual: what is written by hand.
  isa::Opcode op{};             ///< instruction.
  isa::Queue queue{};
  std::vector<Operand> operands;
  std::vector<Expr> fields;               ///< As the row has them; reals by their bits.
  std::vector<isa::Sync> waits, signals;  ///< By hand: of the program's semaphores.
  std::string line;                       ///< Of the source text.
};

struct Phase {
  isa::Layer layer;
  std::vector<Tile> tiles;
  std::vector<Statement> body;
};

struct Program {
  std::string model, chip, precision;
  std::vector<Storage> storages;
  std::vector<Tensor> tensors;
  std::vector<Ring> rings;
  std::vector<isa::Chain> chains;
  std::vector<isa::ResampleTable> tables;
  std::vector<std::string> functions;
  std::vector<isa::Semaphore> semaphores;  ///< By hand.
  std::vector<Phase> phases;
  std::vector<isa::Port> inputs, outputs;  ///< `region` is the storage here.
  std::vector<isa::State> states;
  std::vector<isa::WeightEntry> weights;  ///< Offsets in the storage `weight_storage`.
  int weight_storage = -1;
};

/// The variable that holds the core's number, 0 .. cores - 1.
Expr core_id(int64_t cores);

/// Readable text, stable.
std::string text_of(const Program& program);

}  // namespace hadal::tile

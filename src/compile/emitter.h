// What the emitters of all ops share: where values lie, rings, and the phase being written.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "chip/chip.h"
#include "compile/fuse.h"
#include "compile/plan.h"
#include "compile/rings.h"
#include "graph/graph.h"
#include "isa/sharing.h"
#include "tile/deal.h"
#include "tile/program.h"

namespace hadal::compile {

using tile::Expr;

/// Where a value lies: a strided tensor in a storage, its dims in the order of the graph's.
struct Placed {
  int storage = 0;
  DType dtype = DType::f32;
  std::vector<int64_t> extents, strides;  ///< Elements; bytes (0 repeats).
  int64_t offset = 0;
};

/// Dims of a value from the outermost in memory to the innermost.
using Order = std::vector<size_t>;

/// A value that a group has made, and the last phase that stores it.
struct Made {
  graph::ValueId value = graph::absent;
  size_t phase = 0;
  Placed placed;
};

/// What the model states of its inputs and outputs, before precision changed them.
struct Interface {
  std::string precision;
  std::vector<DType> inputs, outputs;
  std::vector<isa::State> states;
};

/// Turns groups into phases, and keeps where every value lies.
class Emitter {
 public:
  Emitter(graph::Graph& graph, const chip::Chip& chip, const Plan& plan);

  /// Writes the phases of all groups.
  Result<tile::Program> run(const std::vector<Group>& groups, const Interface& interface);

  // --- Facts.
  [[nodiscard]] const graph::Graph& graph() const { return graph_; }
  [[nodiscard]] const chip::Chip& chip() const { return chip_; }
  [[nodiscard]] const Plan& plan() const { return plan_; }
  [[nodiscard]] int64_t cores() const { return plan_.cores; }
  /// Which of `tiles` tiles the plan takes for such a layer, of which the search expects so many cycles.
  size_t choose(const MatrixShape& layer, size_t tiles, double cycles);
  [[nodiscard]] const std::vector<Made>& made() const { return made_; }
  /// The layers for which that was asked.
  [[nodiscard]] const std::map<MatrixShape, TileChoice>& choices() const { return choices_; }
  [[nodiscard]] Expr core() const { return core_; }
  /// Of a product's stationary operand: the ring of weights, which run ahead of other layers' work; or that of computed
  /// operands, where the layers of measured software begin one after another.
  [[nodiscard]] Ring stationary(bool constant) const {
    return constant && !plan_.profile ? Ring::weight : Ring::activation2;
  }
  /// Bytes that a tile of the ring may have.
  [[nodiscard]] int64_t limit(Ring ring) const { return program_.rings[static_cast<size_t>(ring)].slot_limit; }

  /// Whether a value lies in HBM rather than in the shared space, as far as the plan knows.
  [[nodiscard]] bool far(const Placed& placed) const {
    if (plan_.profile && !plan_.profile->layers.resident) return true;
    const tile::Storage& storage = program_.storages[static_cast<size_t>(placed.storage)];
    return storage.kind != isa::RegionKind::scratch || plan_.far.contains(storage.name);
  }

  // --- Values.
  /// Where an operand lies; views of other values are resolved, and made by a copy where no view can say them.
  Placed operand(graph::ValueId v);
  /// Where a group writes its result: its part of a concatenation, an output of the model, or a new storage.
  Placed result(graph::ValueId v);
  void set_placed(graph::ValueId v, Placed placed) { placed_[static_cast<size_t>(v)] = std::move(placed); }
  [[nodiscard]] const Order& order(graph::ValueId v) const { return orders_[static_cast<size_t>(v)]; }
  /// A new constant of the weight storage: row-major, as given.
  Placed constant(const std::string& name, const Tensor& tensor);
  /// A new storage that holds `extents` with the dims in `order`.
  Placed scratch(const std::string& name, DType dtype, const Shape& extents, const Order& order);
  /// A tensor of the program with these dims. What it touches of weights, inputs and outputs counts as compulsory
  /// traffic of this phase, once; a gather counts its rows itself.
  int tensor(const Placed& placed, const std::string& name, bool count = true);
  void count_bytes(const Placed& placed, int64_t bytes);
  [[nodiscard]] DType dtype_of(int tensor) const { return program_.tensors[static_cast<size_t>(tensor)].dtype; }
  int add_chain(const isa::Chain& chain);
  int add_table(isa::ResampleTable table);
  int add_function(const std::string& name);
  /// The scalar of an output of which data decide how much there is; none where nobody asks.
  [[nodiscard]] std::optional<Placed> count_of(graph::ValueId v) const;

  // --- The phase being written.
  void begin_phase(const std::string& name, std::string op, std::vector<std::string> nodes);
  /// Useful work and compulsory traffic of the phase, for the roofline.
  void account(uint64_t macs, DType precision) {
    phase().layer.macs += macs;
    phase().layer.precision = precision;
  }
  int tile(Ring ring, DType dtype, const std::string& name);
  /// A ring has so many slots at least, of as many tiles as are held together; and `most` where there is room.
  void hold(Ring ring, int64_t slots, int64_t most = 0) {
    tile::Ring& held = program_.rings[static_cast<size_t>(ring)];
    held.slots = std::max(held.slots, static_cast<int>(slots));
    held.most_slots = std::max({held.most_slots, held.slots, static_cast<int>(most)});
  }
  /// Whether a phase counts the tiles of its operands itself, by `hold`; else they flow through as many slots as usual.
  void count_tiles(bool itself) { counts_tiles_ = itself; }
  void emit(isa::Opcode op, isa::Queue queue, std::vector<tile::Operand> operands, std::vector<Expr> fields = {});
  /// A loop; `body` gets its index. A single trip is no loop.
  void loop(const std::string& name, const Expr& count, const std::function<void(const Expr&)>& body);
  /// Deals a grid of work to the cores; `body` gets the coordinates, and the number of the unit on this core.
  void units(const std::vector<int64_t>& counts,
             const std::function<void(const std::vector<Expr>&, const Expr&)>& body);
  /// A ring like a kernel's that is not `taken`, where it then is: those of earlier kernels serve again.
  int kernel_ring(const tile::Ring& like, std::set<int>& taken);
  /// Makes a node's own semaphores of those that its kernel has by hand; the number of the first.
  size_t kernel_semaphores(const std::vector<isa::Semaphore>& like, const std::string& name);
  /// The phase being written is all there.
  void fill_phase(std::vector<tile::Tile> tiles, std::vector<tile::Statement> body);
  /// Takes a tile of a ring and loads a window into it, by the ring's producer queue. Extents are those of the window,
  /// or `shape` (the same elements).
  /// A shared load's window is the same for all cores of a group. What passes the tensor's edges is `fill`, if given.
  tile::TileView load(Ring ring, const tile::Window& window, const std::string& name, std::vector<Expr> shape = {},
                      const isa::Sharing& sharing = {}, std::optional<double> fill = std::nullopt);
  /// tile::sharing_of; nobody under a profile.
  [[nodiscard]] isa::Sharing sharing(std::span<const int64_t> counts, tile::Dims varies) const;
  void store(const tile::Window& window, const tile::TileView& tile);
  /// The phase that stored last to where `placed` lies; -1: none.
  [[nodiscard]] int stored_at(const Placed& placed) const;
  /// The same tile with other extents of as many elements.
  static tile::TileView reshaped(const tile::TileView& view, std::vector<Expr> extents) {
    return {view.tile, std::move(extents)};
  }

  /// Names of the model's nodes that the group being emitted stands for.
  [[nodiscard]] const std::vector<std::string>& nodes() const { return nodes_; }
  void fail(std::string code, std::string message, std::string remedy = "");
  [[nodiscard]] bool failed() const { return error_.has_value(); }

 private:
  [[nodiscard]] tile::Phase& phase() { return program_.phases.back(); }
  void declare_ports(const Interface& interface);
  void declare_output(graph::ValueId v, int storage);
  [[nodiscard]] bool changes_in_place(graph::ValueId input, graph::ValueId output) const;
  void choose_orders();
  void choose_homes();
  void place_viewed_outputs();
  [[nodiscard]] Status check_ops() const;
  void take_error(const Group& group);
  [[nodiscard]] Error all_errors() const;
  void emit_group(const Group& group);
  void emit_parts(const Group& group);
  void note_made(const Group& group);
  void emit_main(const Group& group);
  void emit_view(const graph::Node& node);
  void emit_concat(const graph::Node& node);
  [[nodiscard]] Order order_of(const graph::Node& node) const;

  graph::Graph& graph_;
  const chip::Chip& chip_;
  Plan plan_;
  tile::Program program_;
  Expr core_;
  std::vector<std::optional<Placed>> placed_;
  std::vector<Order> orders_;
  std::vector<std::pair<int, size_t>>
      homes_;                        ///< Of a value: the concat node it is an operand of, and which; -1: none.
  std::vector<int> output_storage_;  ///< Of a value: storage of the model's output that it is; -1: none.
  std::map<graph::ValueId, int> count_storage_;         ///< Of outputs that are counted.
  std::map<int, int> stored_at_;                        ///< By storage.
  std::map<std::pair<int, int64_t>, int64_t> counted_;  ///< Compulsory bytes counted, by storage and offset.
  std::vector<std::vector<tile::Statement>*> body_;
  int64_t loops_ = 0;
  std::vector<tile::Ring> usual_;  ///< Rings as they are where no phase counts its tiles.
  bool counts_tiles_ = false;
  std::map<MatrixShape, TileChoice> choices_;
  std::vector<Made> made_;
  std::optional<Error> error_;
  std::vector<Error> errors_;       ///< Of groups before.
  std::vector<std::string> nodes_;  ///< Of the group being emitted.
};

/// A field of an instruction that is an f32.
Expr real_field(double value);
Order row_major(size_t rank);
/// [N, spatial..., C] of a [N, C, spatial...] value.
Order channels_last(size_t rank);

// --- Emitters, one a family; each in emit_NAME.cpp.
void emit_map(Emitter& e, const Group& group);
void emit_copy(Emitter& e, const Placed& from, const Placed& to, const std::string& name, const std::string& op,
               const std::vector<std::string>& nodes);
void emit_matmul(Emitter& e, const Group& group);
/// False, and nothing is emitted, where the scores of a few rows do not fit.
bool emit_attention(Emitter& e, const Group& group);
/// The same by blocks of keys.
bool emit_online_attention(class Attention& attention);
/// Attention whose scores a group before has stored.
void emit_stored_attention(Emitter& e, const Group& group);
void emit_conv(Emitter& e, const Group& group);
void emit_conv_transpose(Emitter& e, const Group& group);
void emit_pool(Emitter& e, const Group& group);
void emit_resize(Emitter& e, const Group& group);
void emit_reduce(Emitter& e, const Group& group);
void emit_arg_reduce(Emitter& e, const Group& group);
void emit_softmax(Emitter& e, const Group& group);
void emit_normalize(Emitter& e, const Group& group);
void emit_topk(Emitter& e, const Group& group);
void emit_cumsum(Emitter& e, const Group& group);
void emit_gather(Emitter& e, const Group& group);
void emit_gather_elements(Emitter& e, const Group& group);
void emit_pad(Emitter& e, const Group& group);
void emit_scatter(Emitter& e, const Group& group);
void emit_host_call(Emitter& e, const Group& group);
void emit_kernel(Emitter& e, const Group& group);

/// Smallest equal parts of `extent` that are at most `part`: 100 by 40 is 3 parts of 34.
inline int64_t even_part(int64_t extent, int64_t part) {
  const int64_t parts = (extent + part - 1) / part;
  return (extent + parts - 1) / parts;
}

}  // namespace hadal::compile

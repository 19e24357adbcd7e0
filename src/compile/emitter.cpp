#include "compile/emitter.h"

#include <algorithm>
#include <bit>
#include <tuple>

namespace hadal::compile {

using isa::Opcode;
using isa::Queue;
using tile::Statement;

Emitter::Emitter(graph::Graph& graph, const chip::Chip& chip, const Plan& plan)
    : graph_(graph),
      chip_(chip),
      plan_(plan),
      core_(tile::core_id(plan.cores)),
      placed_(graph.values.size()),
      orders_(graph.values.size()),
      homes_(graph.values.size(), {-1, 0}),
      output_storage_(graph.values.size(), -1) {
  program_.rings = usual_ = rings_of(chip, plan);
  if (!plan.profile || plan.profile->matmul.whole_bytes == 0) return;
  // Where operands are loaded whole, no room for further ones lets those of the next layer begin.
  for (const Ring ring : {Ring::activation, Ring::activation2}) {
    program_.rings[static_cast<size_t>(ring)].slots = 1;
    program_.rings[static_cast<size_t>(ring)].most_slots = 1;
  }
}

void Emitter::fail(std::string code, std::string message, std::string remedy) {
  if (error_) return;
  std::string place;
  for (const std::string& node : nodes_) place += (place.empty() ? "node " : ", ") + printable(node);
  error_ = Error{std::move(code), std::move(message), std::move(place), std::move(remedy)};
}

size_t Emitter::choose(const MatrixShape& layer, size_t tiles, double cycles) {
  TileChoice& choice = choices_[layer];
  choice.tiles = std::max(choice.tiles, tiles);
  choice.cycles += cycles;
  const auto found = plan_.tiles.find(layer);
  return found == plan_.tiles.end() ? 0 : std::min(found->second, tiles - 1);
}

Placed Emitter::constant(const std::string& name, const Tensor& tensor) {
  if (program_.weight_storage < 0) {
    program_.weight_storage = static_cast<int>(program_.storages.size());
    program_.storages.push_back({"weights", isa::RegionKind::weight, 0});
  }
  tile::Storage& weights = program_.storages[static_cast<size_t>(program_.weight_storage)];
  const int64_t bytes = tensor.size() * bytes_of(tensor.dtype);
  const int64_t offset = (weights.bytes + 4095) / 4096 * 4096;
  weights.bytes = offset + bytes;
  program_.weights.push_back({name, static_cast<uint64_t>(offset), tensor.bytes, static_cast<uint64_t>(bytes)});
  Placed placed{program_.weight_storage, tensor.dtype, tensor.shape, {}, offset};
  placed.strides.resize(tensor.shape.size());
  int64_t stride = bytes_of(tensor.dtype);
  for (size_t i = tensor.shape.size(); i-- > 0; stride *= tensor.shape[i]) placed.strides[i] = stride;
  return placed;
}

Placed Emitter::scratch(const std::string& name, DType dtype, const Shape& extents, const Order& order) {
  Placed placed{static_cast<int>(program_.storages.size()), dtype, extents, std::vector<int64_t>(extents.size()), 0};
  int64_t stride = bytes_of(dtype);
  for (size_t i = order.size(); i-- > 0; stride *= extents[order[i]]) placed.strides[order[i]] = stride;
  // Cores take the outermost dims in turn, an equal part each: that part may well stay with them.
  const int64_t row = order.empty() ? stride : extents[order.back()] * bytes_of(dtype);
  const int64_t rows = row == 0 ? 0 : stride / row;
  const int64_t page = (rows + cores() - 1) / cores() * row;
  program_.storages.push_back({name, isa::RegionKind::scratch, stride, (page + 63) / 64 * 64});
  return placed;
}

void Emitter::count_bytes(const Placed& placed, int64_t bytes) {
  const isa::RegionKind kind = program_.storages[static_cast<size_t>(placed.storage)].kind;
  if (kind == isa::RegionKind::scratch) return;
  int64_t first = placed.offset;
  for (size_t i = 0; i < placed.extents.size(); ++i)
    if (placed.strides[i] < 0 && placed.extents[i] > 0) first += (placed.extents[i] - 1) * placed.strides[i];
  int64_t& counted = counted_[{placed.storage, first}];
  if (bytes <= counted) return;
  phase().layer.compulsory_bytes += static_cast<uint64_t>(bytes - counted);
  counted = bytes;
}

int Emitter::tensor(const Placed& placed, const std::string& name, bool count) {
  if (count) {
    int64_t bytes = bytes_of(placed.dtype);
    for (size_t i = 0; i < placed.extents.size(); ++i) bytes *= placed.strides[i] == 0 ? 1 : placed.extents[i];
    count_bytes(placed, bytes);
  }
  if (placed.extents.size() > isa::rank_limit)
    fail("compile.rank", fmt::format("a tensor of rank {} has more than {} dims that do not merge",
                                     placed.extents.size(), isa::rank_limit));
  tile::Tensor tensor{name, placed.storage, placed.dtype, placed.extents, placed.strides, placed.offset};
  if (tensor.extents.empty()) {  // A scalar is a vector of one.
    tensor.extents = {1};
    tensor.strides = {bytes_of(placed.dtype)};
  }
  program_.tensors.push_back(std::move(tensor));
  return static_cast<int>(program_.tensors.size()) - 1;
}

int Emitter::add_chain(const isa::Chain& chain) {
  const auto found = std::find(program_.chains.begin(), program_.chains.end(), chain);
  if (found == program_.chains.end()) {
    program_.chains.push_back(chain);
    return static_cast<int>(program_.chains.size()) - 1;
  }
  return static_cast<int>(found - program_.chains.begin());
}

int Emitter::add_table(isa::ResampleTable table) {
  const auto found = std::find_if(program_.tables.begin(), program_.tables.end(), [&](const isa::ResampleTable& t) {
    return t.taps == table.taps && t.indices == table.indices && t.weights == table.weights;
  });
  if (found != program_.tables.end()) return static_cast<int>(found - program_.tables.begin());
  table.name = fmt::format("table{}", program_.tables.size());
  program_.tables.push_back(std::move(table));
  return static_cast<int>(program_.tables.size()) - 1;
}

int Emitter::add_function(const std::string& name) {
  const auto found = std::find(program_.functions.begin(), program_.functions.end(), name);
  if (found != program_.functions.end()) return static_cast<int>(found - program_.functions.begin());
  program_.functions.push_back(name);
  return static_cast<int>(program_.functions.size()) - 1;
}

std::optional<Placed> Emitter::count_of(graph::ValueId v) const {
  const auto found = count_storage_.find(v);
  if (found == count_storage_.end()) return std::nullopt;
  return Placed{found->second, DType::i64, {1}, {8}, 0};
}

void Emitter::begin_phase(const std::string& name, std::string op, std::vector<std::string> nodes) {
  tile::Phase phase;
  phase.layer.name = name;
  phase.layer.op = std::move(op);
  phase.layer.nodes = std::move(nodes);
  program_.phases.push_back(std::move(phase));
  body_ = {&program_.phases.back().body};
  loops_ = 0;
}

int Emitter::kernel_ring(const tile::Ring& like, std::set<int>& taken) {
  const auto kind = [](const tile::Ring& ring) {
    return std::tuple(ring.producer, ring.consumer, ring.slots, ring.most_slots, ring.by_hand);
  };
  auto number = static_cast<int>(usual_.size());
  for (; number < static_cast<int>(program_.rings.size()); ++number)
    if (!like.by_hand && kind(program_.rings[static_cast<size_t>(number)]) == kind(like) && !taken.contains(number))
      break;
  if (number == static_cast<int>(program_.rings.size())) {
    program_.rings.push_back(like);
    program_.rings.back().name = fmt::format("kernel{}", number - static_cast<int>(usual_.size()));
  }
  taken.insert(number);
  return number;
}

size_t Emitter::kernel_semaphores(const std::vector<isa::Semaphore>& like, const std::string& name) {
  const size_t first = program_.semaphores.size();
  for (isa::Semaphore semaphore : like) {
    semaphore.name = fmt::format("{}.{}", name, semaphore.name);
    program_.semaphores.push_back(std::move(semaphore));
  }
  if (program_.semaphores.size() > isa::semaphores)
    fail("lower.semaphores", fmt::format("the model's kernels make {} semaphores by hand; there are {}",
                                         program_.semaphores.size(), isa::semaphores));
  return first;
}

void Emitter::fill_phase(std::vector<tile::Tile> tiles, std::vector<tile::Statement> body) {
  const std::function<void(const std::vector<Statement>&)> note_stores = [&](const std::vector<Statement>& statements) {
    for (const Statement& statement : statements) {
      note_stores(statement.body);
      if (statement.queue != Queue::store || statement.operands.empty()) continue;
      const auto& to = std::get<tile::Window>(statement.operands[0]);
      stored_at_[program_.tensors[static_cast<size_t>(to.tensor)].storage] = static_cast<int>(program_.phases.size());
    }
  };
  note_stores(body);
  phase().tiles = std::move(tiles);
  phase().body = std::move(body);
}

int Emitter::tile(Ring ring, DType dtype, const std::string& name) {
  const int number = static_cast<int>(phase().tiles.size());
  const tile::Ring& usual = usual_[static_cast<size_t>(ring)];
  if (!counts_tiles_) hold(ring, usual.slots, usual.most_slots);
  phase().tiles.push_back({fmt::format("{}{}", name, number), static_cast<int>(ring), dtype});
  Statement statement;
  statement.kind = Statement::Kind::tile;
  statement.tile = number;
  body_.back()->push_back(std::move(statement));
  return number;
}

void Emitter::emit(Opcode op, Queue queue, std::vector<tile::Operand> operands, std::vector<Expr> fields) {
  const isa::Row& row = *isa::row_of(op);
  operands.resize(row.operand_count());
  for (size_t i = fields.size(); i < row.field_count(); ++i) fields.emplace_back(row.fields[i].otherwise);
  Statement statement;
  statement.op = op;
  statement.queue = queue;
  statement.operands = std::move(operands);
  statement.fields = std::move(fields);
  body_.back()->push_back(std::move(statement));
}

void Emitter::loop(const std::string& name, const Expr& count, const std::function<void(const Expr&)>& body) {
  if (count.is_constant() && count.constant() == 1) return body(Expr(0));
  Statement statement;
  statement.kind = Statement::Kind::loop;
  statement.index = Expr::variable(fmt::format("{}{}", name, loops_++), 0, std::max<int64_t>(count.highest() - 1, 0));
  // A variable of one value folds to a constant, which is what its body sees.
  statement.count = count;
  body_.back()->push_back(std::move(statement));
  Statement& made = body_.back()->back();
  std::vector<Statement> inner;
  body_.push_back(&inner);
  body(made.index.is_constant() ? Expr(0) : made.index);
  body_.pop_back();
  body_.back()->back().body = std::move(inner);
}

void Emitter::units(const std::vector<int64_t>& counts,
                    const std::function<void(const std::vector<Expr>&, const Expr&)>& body) {
  loop("u", tile::trips_of(counts, cores()),
       [&](const Expr& i) { body(tile::unit_at(counts, cores(), i, plan_.profile != nullptr), i); });
}

isa::Sharing Emitter::sharing(std::span<const int64_t> counts, tile::Dims varies) const {
  if (plan_.profile) return {};  // Measured chips have a cache for that.
  return tile::sharing_of(counts, varies, cores());
}

Expr real_field(double value) { return Expr(static_cast<int64_t>(std::bit_cast<uint32_t>(static_cast<float>(value)))); }

tile::TileView Emitter::load(Ring ring, const tile::Window& window, const std::string& name, std::vector<Expr> shape,
                             const isa::Sharing& sharing, std::optional<double> fill) {
  const DType dtype = program_.tensors[static_cast<size_t>(window.tensor)].dtype;
  tile::TileView view{tile(ring, dtype, name), window.extents};
  emit(Opcode::load, program_.rings[static_cast<size_t>(ring)].producer, {view, window},
       {Expr(fill ? 1 : 0), real_field(fill.value_or(0)), Expr(sharing.size), Expr(sharing.step)});
  if (!shape.empty()) view.extents = std::move(shape);
  return view;
}

int Emitter::stored_at(const Placed& placed) const {
  const auto found = stored_at_.find(placed.storage);
  return found == stored_at_.end() ? -1 : found->second;
}

void Emitter::store(const tile::Window& window, const tile::TileView& tile) {
  stored_at_[program_.tensors[static_cast<size_t>(window.tensor)].storage] = static_cast<int>(program_.phases.size());
  emit(Opcode::store, Queue::store, {window, reshaped(tile, window.extents)});
}

}  // namespace hadal::compile

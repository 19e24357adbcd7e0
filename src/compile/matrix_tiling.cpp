#include "compile/matrix_tiling.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

#include "isa/fields.h"
#include "rules/cycles.h"
#include "rules/matrix.h"

namespace hadal::compile {

namespace {

/// Sizes worth trying: for each number of parts the smallest even part; thinned to ratios of 1.25, but for equal shares
/// of all cores.
std::vector<int64_t> part_sizes(int64_t extent, int64_t cores) {
  std::vector<int64_t> sizes;
  const auto add = [&](int64_t parts) {
    if (parts > extent) return;
    const int64_t size = (extent + parts - 1) / parts;
    if (std::find(sizes.begin(), sizes.end(), size) == sizes.end()) sizes.push_back(size);
  };
  for (int64_t parts = 1; parts <= extent; parts = parts < 20 ? parts + 1 : parts + parts / 4) add(parts);
  for (int64_t rounds = 1; rounds <= 6; ++rounds) add(rounds * cores);
  return sizes;
}

struct Cost {
  const Emitter& e;
  const MatrixLayer& layer;
  double hbm_bytes_per_cycle = 1, port_bytes_per_cycle = 1, link_bytes_per_cycle = 1;

  /// A tile's own groups are streamed.
  [[nodiscard]] int64_t groups(int64_t n) const { return layer.grouped ? n / layer.n_step : 1; }
  [[nodiscard]] int64_t stream_bytes(int64_t rows, int64_t n, int64_t k) const {
    return layer.stream_bytes(rows, k) * groups(n);
  }

  /// How many times the bytes of runs of `run` out of rows of `whole` are moved, in bursts.
  [[nodiscard]] double bursts(int64_t run, int64_t whole) const {
    if (run >= whole) return 1;
    const int64_t burst = e.chip().dma.burst_bytes;
    return static_cast<double>(rules::ceil_div(run, burst) * burst) / static_cast<double>(run);
  }

  /// Largest chunk of `part` whose operands fit the rings; 0: none.
  [[nodiscard]] int64_t largest_k(int64_t rows, int64_t n, int64_t part) const {
    const int64_t bytes = bytes_of(layer.operands);
    const int64_t weight_limit = e.limit(e.stationary(layer.constant_weights));
    int64_t k = std::min(part, weight_limit / (n * bytes));
    if (stream_bytes(rows, n, k) > e.limit(Ring::activation)) {
      const double each = static_cast<double>(stream_bytes(rows, n, layer.k)) / static_cast<double>(layer.k);
      k = std::min(k, static_cast<int64_t>(static_cast<double>(e.limit(Ring::activation)) / each));
    }
    if (k >= part) return part;
    if (layer.grouped) return 0;
    k = k / layer.k_step * layer.k_step;
    return k == 0 ? 0 : even_part(part / layer.k_step, k / layer.k_step) * layer.k_step;
  }

  /// Of one tile's chunk.
  [[nodiscard]] rules::MatrixCycles array(const MatrixTile& tile) const {
    const int64_t rows = tile.rows * layer.row_pixels, parallel = groups(tile.n);
    if (layer.depthwise) {
      rules::MatrixCycles lanes{};
      lanes.array = rules::depthwise_cycles(e.chip(), rows, tile.n, layer.k, layer.operands);
      return lanes;
    }
    const int64_t block = layer.scaled ? isa::scale_block : 0;
    return rules::matrix_cycles(e.chip().matrix, {rows, tile.k, tile.n / parallel, parallel, layer.operands, block});
  }

  /// The layer on its own: the first operands come in, chunks follow one another at the pace of the array or of the
  /// loads, the last results go out; and no faster than ports, network and memory take the bytes of all units.
  [[nodiscard]] double cycles(const MatrixTile& tile, const rules::MatrixCycles& array) const {
    const chip::Chip& chip = e.chip();
    const auto count = [](int64_t extent, int64_t part) { return (extent + part - 1) / part; };
    const int64_t columns = count(layer.n, tile.n), high = count(layer.rows, tile.rows * tile.stack);
    const int64_t rows = layer.batch * high;
    const std::array<int64_t, 4> counts{layer.batch, high, columns, tile.splits};
    const auto share_w =
        static_cast<double>(e.sharing(counts, tile::dims_of({!layer.constant_weights, false, true, true})).size);
    const auto share_x = static_cast<double>(e.sharing(counts, tile::dims_of({true, true, layer.grouped, true})).size);
    const int64_t units = rows * columns * tile.splits, chunks = count(tile.part, tile.k);
    const auto steps = static_cast<double>(count(units, e.cores()) * chunks * tile.stack);
    const auto all = static_cast<double>(units * chunks * tile.stack);
    const auto fresh = 1 / static_cast<double>(tile.stack);  // Weights that a step loads.
    const int64_t results = tile.rows * layer.row_pixels * tile.n;
    const int64_t emit = rules::emit_cycles(chip.matrix, results);
    const int64_t stored = tile.splits > 1 ? 4 : layer.stored_bytes, bytes = bytes_of(layer.operands);
    const double result_bytes = static_cast<double>(results * stored) * bursts(tile.n * stored, layer.n * stored);
    const double stream =
        static_cast<double>(stream_bytes(tile.rows, tile.n, tile.k)) *
        bursts(tile.k / layer.k_step * groups(tile.n) * bytes, layer.k / layer.k_step * groups(layer.n) * bytes);
    const double weights = static_cast<double>(tile.k * tile.n * bytes_of(layer.operands));
    const double compute = static_cast<double>(array.array);

    // What comes from the memory comes to all cores at once. Operands that are computed come by one queue, in turn.
    // Loads that only just keep up do not always.
    const auto load = [&](double size, bool far, double share) {
      const double memory_share = far ? hbm_bytes_per_cycle * share / static_cast<double>(e.cores()) : 1e30;
      return size / std::min({port_bytes_per_cycle, memory_share, share > 1 ? link_bytes_per_cycle : 1e30});
    };
    const double first = load(stream, layer.far_stream, share_x);
    const double loads = first + (layer.constant_weights ? 0 : load(weights * fresh, layer.far_weights, share_w));
    const double pace =
        std::max(std::sqrt(std::sqrt(compute * compute * compute * compute + loads * loads * loads * loads)),
                 static_cast<double>(emit) / static_cast<double>(chunks));
    const double last = static_cast<double>(rules::emit_tail(array, emit)) + load(result_bytes, layer.far_result, 1);
    const double alone = loads + steps * pace + last;
    const double port = steps * (stream + weights * fresh) / port_bytes_per_cycle;
    const double streams = all * stream, stores = all / static_cast<double>(chunks) * result_bytes;
    const double memory = ((layer.far_weights ? all * weights * fresh / share_w : 0) +
                           (layer.far_stream ? streams / share_x : 0) + (layer.far_result ? stores : 0)) /
                          hbm_bytes_per_cycle;
    // Half of what the cores' links take together is what a mesh's bisection leaves; a tree passes two links a core.
    const double crossing =
        (streams / std::max(1.0, share_x / 2) + stores) / (static_cast<double>(e.cores()) * link_bytes_per_cycle / 2);
    // Units in several uneven rounds are dealt in turn, and find nothing in their own core.
    const double far = units > e.cores() && units % e.cores() != 0 ? 2 : 1;
    constexpr double issue = 6;  // Instructions and registers of a step.
    // Weights are prefetched while other layers run: what counts of their time is what it takes from those.
    return std::max(alone, port) + e.plan().contended * (2 * far * crossing + memory) + steps * issue + combine(tile) +
           e.plan().held * held(all * fresh, weights, share_w);
  }

  /// Room that is full of weights stops those of later layers, which else come while the memory has nothing to do: the
  /// time of as many bytes as slots hold in all cores beyond one copy of the weights.
  [[nodiscard]] double held(double loads, double size, double share) const {
    if (!layer.constant_weights || !layer.far_weights) return 0;
    const double room = loads * static_cast<double>(e.limit(Ring::weight));
    return std::max(0.0, room - loads * size / share) / hbm_bytes_per_cycle;
  }

  /// Another phase: its latency, and the partial sums in, over all cores.
  [[nodiscard]] double combine(const MatrixTile& tile) const {
    if (tile.splits == 1) return 0;
    const double results = static_cast<double>(layer.batch * layer.rows * layer.row_pixels * layer.n);
    constexpr double latency = 300;  // Join, load, add, store: measured on small layers of the flagship chip.
    return latency +
           results * 4 * static_cast<double>(tile.splits + 1) / static_cast<double>(e.cores()) / port_bytes_per_cycle;
  }
};

constexpr int64_t most_chunks = 16;  // More would pay for their descriptors only.

/// Chunks of the contraction worth trying: the fewest that fit, and more, since smaller ones let the array start before
/// all of the operands are there. Even parts, and those that fill whole passes of the array's rows.
std::vector<int64_t> chunk_sizes(const MatrixLayer& layer, const chip::Chip& chip, int64_t part, int64_t largest) {
  if (largest == 0) return {};
  if (layer.grouped) return {largest};
  std::vector<int64_t> sizes;
  const int64_t steps = part / layer.k_step, fewest = (part + largest - 1) / largest;
  for (int64_t chunks = fewest; chunks <= std::max(fewest, std::min(steps, most_chunks));
       chunks = std::max(chunks + 1, chunks * 3 / 2)) {
    const int64_t even = even_part(steps, (steps + chunks - 1) / chunks) * layer.k_step;
    const int64_t passes = (even + chip.matrix.rows - 1) / chip.matrix.rows;
    const int64_t whole = std::min(part, passes * chip.matrix.rows / layer.k_step * layer.k_step);
    for (const int64_t size : {even, whole})
      if (size > 0 && size <= largest && std::find(sizes.begin(), sizes.end(), size) == sizes.end())
        sizes.push_back(size);
  }
  return sizes;
}

/// How many tiles of rows may hold the same weights: one, all, or what gives every core a stack.
std::vector<int64_t> stack_sizes(const MatrixLayer& layer, const MatrixTile& tile, int64_t cores) {
  const int64_t tiles = (layer.rows + tile.rows - 1) / tile.rows;
  if (tile.k < layer.k || tiles == 1) return {1};
  const int64_t columns = layer.batch * ((layer.n + tile.n - 1) / tile.n),
                stacks = std::max<int64_t>(1, cores / columns);
  std::vector<int64_t> sizes{1, tiles};
  if (const int64_t each = even_part(tiles, (tiles + stacks - 1) / stacks); each > 1 && each < tiles)
    sizes.push_back(each);
  return sizes;
}

constexpr int64_t most_splits = 4;  // Partial sums and three operands of an epilogue are streams of one chain.

}  // namespace

std::vector<MatrixTile> best_tiles(std::vector<MatrixTile> tiles) {
  constexpr size_t most = 4;
  const auto alike = [](const MatrixTile& a, const MatrixTile& b) {
    return a.rows == b.rows && a.row_pixels == b.row_pixels && a.n == b.n && a.splits == b.splits;
  };
  std::ranges::stable_sort(tiles, {}, &MatrixTile::cycles);
  std::vector<MatrixTile> best;
  for (const MatrixTile& tile : tiles) {
    if (best.size() == most) break;
    if (std::ranges::none_of(best, [&](const MatrixTile& other) { return alike(tile, other); })) best.push_back(tile);
  }
  return best;
}

namespace {

std::vector<MatrixTile> search_tiles(const Emitter& e, const MatrixLayer& layer) {
  const chip::Chip& chip = e.chip();
  Cost cost{
      e, layer, e.plan().pace * chip.memory.bytes_per_second * chip.memory.efficiency / chip.clock.hertz(),
      std::max(chip.dma.bytes_per_cycle, 1.0),
      chip.network.topology == "none" ? std::max(chip.dma.bytes_per_cycle, 1.0) : chip.network.link_bytes_per_cycle};
  const int64_t sums = chip.scratchpad.accumulator_bytes / std::max<int64_t>(chip.scratchpad.accumulator_tiles, 1) / 4;
  std::vector<MatrixTile> tiles;
  std::vector<int64_t> widths;
  for (const int64_t n : part_sizes(layer.n / layer.n_step, e.cores())) widths.push_back(n * layer.n_step);
  if (!layer.grouped)  // Whole columns of the array.
    for (int64_t n = chip.matrix.columns; n < layer.n; n *= 2) widths.push_back(n);
  const int64_t steps = layer.k / layer.k_step;
  for (int64_t splits = 1; splits <= (layer.may_split ? std::min({most_splits, steps, e.cores()}) : 1); ++splits) {
    const int64_t part = (steps + splits - 1) / splits * layer.k_step;
    for (const int64_t rows : part_sizes(layer.rows, e.cores()))
      for (const int64_t n : widths) {
        if (layer.equal_parts && layer.n % n != 0) continue;
        const int64_t results = rows * layer.row_pixels * n;
        if (results > sums || results * (splits > 1 ? 4 : layer.stored_bytes) > e.limit(Ring::result)) continue;
        const int64_t largest = cost.largest_k(rows, n, part);
        MatrixTile best{.rows = 0, .cycles = std::numeric_limits<double>::infinity()};
        for (const int64_t k : chunk_sizes(layer, chip, part, largest)) {
          MatrixTile tile{.rows = rows,
                          .n = n,
                          .row_pixels = layer.row_pixels,
                          .k = k,
                          .splits = (layer.k + part - 1) / part,
                          .part = part};
          const auto chunks = [&](int64_t of) { return (of + k - 1) / k; };
          if (chunks(layer.k - (tile.splits - 1) * part) != chunks(part)) continue;  // No part may run out of chunks.
          const rules::MatrixCycles array = cost.array(tile);
          for (const int64_t stack : stack_sizes(layer, tile, e.cores())) {
            tile.stack = stack;
            tile.cycles = cost.cycles(tile, array);
            if (tile.cycles < best.cycles) best = tile;
          }
        }
        if (best.rows > 0) tiles.push_back(best);
      }
  }
  return best_tiles(std::move(tiles));
}

}  // namespace

std::vector<MatrixTile> TileMemo::get(const Key& key, const std::function<std::vector<MatrixTile>()>& search) {
  {
    const std::scoped_lock lock(mutex_);
    if (const auto found = tiles_.find(key); found != tiles_.end()) return found->second;
  }
  std::vector<MatrixTile> tiles = search();
  const std::scoped_lock lock(mutex_);
  return tiles_.emplace(key, std::move(tiles)).first->second;
}

MatrixTile choose_tile(Emitter& e, const MatrixShape& layer, const std::vector<MatrixTile>& tiles) {
  if (tiles.empty()) return {.rows = 0};
  return tiles[e.choose(layer, tiles.size(), tiles.front().cycles)];
}

std::vector<MatrixTile> matrix_tiles(const Emitter& e, const MatrixLayer& layer) {
  if (!e.plan().found) return search_tiles(e, layer);
  return e.plan().found->get({layer, e.cores(), e.plan().contended, e.plan().held, e.plan().pace},
                             [&] { return search_tiles(e, layer); });
}

Expr stack_tiles(const TileBox& stack, size_t rows, const MatrixTile& tile) {
  if (tile.stack == 1) return Expr(1);
  return ceil_div(stack.extents[rows], Expr(tile.rows)).within(1, tile.stack);
}

TileBox tile_of_stack(const TileBox& stack, size_t rows, const MatrixTile& tile, const Expr& i) {
  if (tile.stack == 1) return stack;
  TileBox box = stack;
  const Expr first = i * Expr(tile.rows), extent = stack.extents[rows];
  box.origins[rows] = stack.origins[rows] + first;
  const bool even = extent.is_constant() && extent.constant() % tile.rows == 0;
  box.extents[rows] = even ? Expr(tile.rows) : min(Expr(tile.rows), extent - first).within(1, tile.rows);
  return box;
}

Placed partial_sums(Emitter& e, const Placed& out, int64_t splits, const std::string& name) {
  Shape extents = out.extents;
  extents.insert(extents.begin(), splits);
  return e.scratch(name + ".parts", DType::f32, extents, row_major(extents.size()));
}

void emit_combine(Emitter& e, const Group& group, const Placed& partial, const Placed& out,
                  const std::vector<Placed>& streams, const std::vector<std::vector<int64_t>>& strides,
                  const std::string& op) {
  const auto splits = static_cast<uint8_t>(partial.extents[0]);
  std::vector<MapOperand> operands;
  isa::Chain chain{DType::f32, static_cast<uint8_t>(splits + streams.size()), {}};
  const auto result_of = [](size_t step) {
    return static_cast<uint8_t>(static_cast<size_t>(isa::chain_inputs) + step);
  };
  Placed slice = partial;
  slice.extents.erase(slice.extents.begin());
  slice.strides.erase(slice.strides.begin());
  for (uint8_t s = 0; s < splits; ++s) {
    operands.push_back({slice, slice.strides, e.graph().value(group.result).name + ".parts", false});
    slice.offset += partial.strides[0];
    if (s > 0)
      chain.steps.push_back(
          {*isa::chain_op_named("add"), {s == 1 ? uint8_t{0} : result_of(chain.steps.size() - 1), s, 0}, 0, 0});
  }
  const size_t adds = chain.steps.size();
  for (isa::ChainStep step : group.chain.steps) {
    for (int i = 0; i < isa::chain_ops()[step.op].operands; ++i) {
      uint8_t& operand = step.operands[static_cast<size_t>(i)];
      operand = operand == 0                  ? result_of(adds - 1)
                : operand < isa::chain_inputs ? static_cast<uint8_t>(operand + splits - 1)
                                              : static_cast<uint8_t>(operand + adds);
    }
    chain.steps.push_back(step);
  }
  for (size_t i = 0; i < streams.size(); ++i)
    operands.push_back(
        {streams[i], strides[i], e.graph().value(group.streams[i]).name, e.graph().is_constant(group.streams[i])});
  emit_chain(e, e.graph().value(group.result).name, op, out, operands, chain);
}

namespace {

/// Whether a stream is a vector of constants along the last dim of a box.
bool is_vector(const Emitter& e, const Epilogue& epilogue, size_t i, const TileBox& box) {
  const auto& own = epilogue.strides[i];
  return e.graph().is_constant(epilogue.group.streams[i]) &&
         std::all_of(own.begin(), own.end() - 1, [](int64_t s) { return s == 0; }) &&
         box.extents.back().highest() * bytes_of(epilogue.streams[i].dtype) <= e.limit(Ring::parameter);
}

tile::TileView load_operand(Emitter& e, const Epilogue& epilogue, size_t i, const TileBox& box, Ring ring,
                            const isa::Sharing& sharing) {
  const tile::Window window = window_of(epilogue.tensors[i], epilogue.strides[i], box);
  // Leading dims of the box are single: what is left is the view's rank.
  const size_t kept = std::min(epilogue.rank, window.extents.size());
  std::vector<Expr> shape(window.extents.end() - static_cast<std::ptrdiff_t>(kept), window.extents.end());
  while (shape.size() < epilogue.rank) shape.insert(shape.begin(), Expr(1));
  return e.load(ring, window, ring == Ring::parameter ? "p" : "r", shape, sharing);
}

}  // namespace

std::vector<tile::Operand> load_vectors(Emitter& e, const Epilogue& epilogue, const TileBox& box,
                                        const isa::Sharing& sharing) {
  std::vector<tile::Operand> out(epilogue.streams.size());
  for (size_t i = 0; i < out.size(); ++i)
    if (is_vector(e, epilogue, i, box)) out[i] = load_operand(e, epilogue, i, box, Ring::parameter, sharing);
  return out;
}

void load_tiles(Emitter& e, const Epilogue& epilogue, const TileBox& box, std::vector<tile::Operand>& operands) {
  for (size_t i = 0; i < operands.size(); ++i)
    if (std::holds_alternative<std::monostate>(operands[i]))
      operands[i] = load_operand(e, epilogue, i, box, Ring::residual, {});
}

bool epilogue_first(const Emitter& e, const std::vector<Placed>& streams, const Placed& x, int64_t chunks) {
  return chunks > 1 || std::all_of(streams.begin(), streams.end(),
                                   [&](const Placed& stream) { return e.stored_at(stream) < e.stored_at(x); });
}

Expr accumulator_offset(const Emitter& e, const Expr& i) {
  const int64_t tiles = std::max<int64_t>(e.chip().scratchpad.accumulator_tiles, 1);
  return mod(i, Expr(tiles)) * Expr(e.chip().scratchpad.accumulator_bytes / tiles / 128 * 128);
}

}  // namespace hadal::compile

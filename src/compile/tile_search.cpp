#include "compile/tile_search.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

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

  /// Cores that load the same weights, and the same rows of the streamed operand.
  struct Shares {
    double weights = 1, stream = 1;
  };
  [[nodiscard]] Shares shares(const MatrixTile& tile) const {
    const std::array<int64_t, 4> counts{layer.batch, rules::ceil_div(layer.rows, tile.rows * tile.stack),
                                        rules::ceil_div(layer.n, tile.n), tile.splits};
    const auto size = [&](tile::Dims varies) { return static_cast<double>(e.sharing(counts, varies).size); };
    return {size(tile::dims_of({!layer.constant_weights, false, true, true})),
            size(tile::dims_of({true, true, layer.grouped, true}))};
  }

  /// Cycles of a layer.
  struct Time {
    double own = 0;    ///< On its own.
    double taken = 0;  ///< That it keeps memory and network from others.
    double held = 0;   ///< That its weights' room keeps the memory from others.
    [[nodiscard]] double seen(const Regard& regard) const {
      return own + regard.contended * taken + regard.held * held;
    }
  };
  /// On its own the first operands come in, chunks follow one another at the pace of the array or of the loads, the
  /// last results go out; and no faster than ports, network and memory take the bytes of all units.
  [[nodiscard]] Time time(const MatrixTile& tile, const rules::MatrixCycles& array, const Shares& share) const {
    const chip::Chip& chip = e.chip();
    const int64_t columns = rules::ceil_div(layer.n, tile.n);
    const int64_t rows = layer.batch * rules::ceil_div(layer.rows, tile.rows * tile.stack);
    const int64_t units = rows * columns * tile.splits, chunks = rules::ceil_div(tile.part, tile.k);
    const auto steps = static_cast<double>(rules::ceil_div(units, e.cores()) * chunks * tile.stack);
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
    const auto load = [&](double size, bool far, double sharing) {
      const double memory_share = far ? hbm_bytes_per_cycle * sharing / static_cast<double>(e.cores()) : 1e30;
      return size / std::min({port_bytes_per_cycle, memory_share, sharing > 1 ? link_bytes_per_cycle : 1e30});
    };
    const double first = load(stream, layer.far_stream, share.stream);
    const double loads = first + (layer.constant_weights ? 0 : load(weights * fresh, layer.far_weights, share.weights));
    const double pace =
        std::max(std::sqrt(std::sqrt(compute * compute * compute * compute + loads * loads * loads * loads)),
                 static_cast<double>(emit) / static_cast<double>(chunks));
    const double last = static_cast<double>(rules::emit_tail(array, emit)) + load(result_bytes, layer.far_result, 1);
    const double alone = loads + steps * pace + last;
    const double port = steps * (stream + weights * fresh) / port_bytes_per_cycle;
    const double streams = all * stream, stores = all / static_cast<double>(chunks) * result_bytes;
    const double memory = ((layer.far_weights ? all * weights * fresh / share.weights : 0) +
                           (layer.far_stream ? streams / share.stream : 0) + (layer.far_result ? stores : 0)) /
                          hbm_bytes_per_cycle;
    // Half of what the cores' links take together is what a mesh's bisection leaves; a tree passes two links a core.
    const double crossing = (streams / std::max(1.0, share.stream / 2) + stores) /
                            (static_cast<double>(e.cores()) * link_bytes_per_cycle / 2);
    // Units in several uneven rounds are dealt in turn, and find nothing in their own core.
    const double far = units > e.cores() && units % e.cores() != 0 ? 2 : 1;
    constexpr double issue = 6;  // Instructions and registers of a step.
    // Weights are prefetched while other layers run: what counts of their time is what it takes from those.
    return {std::max(alone, port) + steps * issue + combine(tile), 2 * far * crossing + memory,
            held(all * fresh, weights, share.weights)};
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

std::vector<MatrixTile> best_tiles(const std::vector<MatrixTile>& tiles) {
  constexpr size_t most = 4;
  const auto alike = [](const MatrixTile& a, const MatrixTile& b) {
    return a.rows == b.rows && a.row_pixels == b.row_pixels && a.images == b.images && a.n == b.n &&
           a.splits == b.splits;
  };
  std::vector<MatrixTile> best;  // In order; the first of equals comes first.
  for (const MatrixTile& tile : tiles) {
    if (best.size() == most && tile.cycles >= best.back().cycles) continue;
    const auto known = std::ranges::find_if(best, [&](const MatrixTile& other) { return alike(tile, other); });
    if (known != best.end()) {
      if (known->cycles <= tile.cycles) continue;
      best.erase(known);
    }
    best.insert(std::ranges::upper_bound(best, tile.cycles, {}, &MatrixTile::cycles), tile);
    if (best.size() > most) best.pop_back();
  }
  return best;
}

namespace {

/// Widths of tiles worth trying: even parts, and whole columns of the array.
std::vector<int64_t> widths_of(const MatrixLayer& layer, const chip::Chip& chip, int64_t cores) {
  std::vector<int64_t> widths;
  for (const int64_t n : part_sizes(layer.n / layer.n_step, cores)) widths.push_back(n * layer.n_step);
  if (!layer.grouped)
    for (int64_t n = chip.matrix.columns; n < layer.n; n *= 2) widths.push_back(n);
  if (layer.equal_parts) std::erase_if(widths, [&](int64_t n) { return layer.n % n != 0; });
  return widths;
}

/// One search in the eyes of several regards: what a tile costs is worked out once.
class TileSearch {
 public:
  TileSearch(const Emitter& e, const MatrixLayer& layer, const std::vector<Regard>& regards)
      : e_(e),
        layer_(layer),
        chip_(e.chip()),
        cost_{e, layer, e.plan().pace * chip_.memory.bytes_per_second * chip_.memory.efficiency / chip_.clock.hertz,
              std::max(chip_.dma.bytes_per_cycle, 1.0),
              chip_.network.topology == "none" ? std::max(chip_.dma.bytes_per_cycle, 1.0)
                                               : chip_.network.link_bytes_per_cycle} {
    for (const Regard& regard : regards) views_.push_back({regard});
  }

  RegardedTiles run() {
    const int64_t steps = layer_.k / layer_.k_step;
    const std::vector<int64_t> heights = part_sizes(layer_.rows, e_.cores());
    const std::vector<int64_t> widths = widths_of(layer_, chip_, e_.cores());
    for (int64_t splits = 1; splits <= (layer_.may_split ? std::min({most_splits, steps, e_.cores()}) : 1); ++splits) {
      const int64_t part = (steps + splits - 1) / splits * layer_.k_step;
      for (const int64_t rows : heights)
        for (const int64_t n : widths)
          attempt({.rows = rows,
                   .n = n,
                   .row_pixels = layer_.row_pixels,
                   .splits = (layer_.k + part - 1) / part,
                   .part = part});
    }
    RegardedTiles found;
    for (View& view : views_) found[view.regard] = best_tiles(view.tiles);
    return found;
  }

 private:
  struct View {
    Regard regard;
    std::vector<MatrixTile> tiles{};  ///< The best of each height, width and split.
    MatrixTile best{};                ///< Of those at hand.
  };

  /// Chunks and stacks of a tile of results.
  void attempt(MatrixTile tile) {
    const chip::Scratchpad& pad = chip_.scratchpad;
    const int64_t results = tile.rows * layer_.row_pixels * tile.n;
    if (results > pad.accumulator_bytes / std::max<int64_t>(pad.accumulator_tiles, 1) / 4 ||
        results * (tile.splits > 1 ? 4 : layer_.stored_bytes) > e_.limit(Ring::result))
      return;
    for (View& view : views_) view.best = {.rows = 0, .cycles = std::numeric_limits<double>::infinity()};
    std::map<int64_t, Cost::Shares> shares;  // By stacks.
    for (const int64_t k : chunk_sizes(layer_, chip_, tile.part, cost_.largest_k(tile.rows, tile.n, tile.part))) {
      const auto chunks = [&](int64_t of) { return (of + k - 1) / k; };
      if (chunks(layer_.k - (tile.splits - 1) * tile.part) != chunks(tile.part))
        continue;  // No part may run out of chunks.
      tile.k = k;
      const rules::MatrixCycles array = cost_.array(tile);
      for (const int64_t stack : stack_sizes(layer_, tile, e_.cores())) {
        tile.stack = stack;
        auto share = shares.find(stack);
        if (share == shares.end()) share = shares.emplace(stack, cost_.shares(tile)).first;
        consider(tile, cost_.time(tile, array, share->second));
      }
    }
    for (View& view : views_)
      if (view.best.rows > 0) view.tiles.push_back(view.best);
  }

  void consider(MatrixTile& tile, const Cost::Time& time) {
    for (View& view : views_) {
      tile.cycles = time.seen(view.regard);
      if (tile.cycles < view.best.cycles) view.best = tile;
    }
  }

  const Emitter& e_;
  const MatrixLayer& layer_;
  const chip::Chip& chip_;
  Cost cost_;
  std::vector<View> views_;
};

}  // namespace

std::vector<MatrixTile> TileMemo::get(const Key& key, const Regard& regard,
                                      const std::function<RegardedTiles(const std::vector<Regard>&)>& search) {
  const auto known = [&]() -> const std::vector<MatrixTile>* {
    const auto found = tiles_.find(key);
    if (found == tiles_.end()) return nullptr;
    const auto tiles = found->second.find(regard);
    return tiles == found->second.end() ? nullptr : &tiles->second;
  };
  {
    const std::scoped_lock lock(mutex_);
    if (const auto* tiles = known()) return *tiles;
  }
  RegardedTiles found = search(std::ranges::find(regards_, regard) == regards_.end() ? std::vector{regard} : regards_);
  const std::scoped_lock lock(mutex_);
  tiles_[key].merge(std::move(found));
  return *known();
}

MatrixTile choose_tile(Emitter& e, const MatrixShape& layer, const std::vector<MatrixTile>& tiles) {
  if (tiles.empty()) return {.rows = 0};
  return tiles[e.choose(layer, tiles.size(), tiles.front().cycles)];
}

std::vector<MatrixTile> matrix_tiles(const Emitter& e, const MatrixLayer& layer) {
  const auto search = [&](const std::vector<Regard>& regards) { return TileSearch(e, layer, regards).run(); };
  const Plan& plan = e.plan();
  if (!plan.found) return search({plan.regard})[plan.regard];
  return plan.found->get({layer, e.cores(), plan.pace}, plan.regard, search);
}

}  // namespace hadal::compile

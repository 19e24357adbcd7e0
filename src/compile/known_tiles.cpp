#include "compile/known_tiles.h"

#include <algorithm>
#include <limits>

#include "isa/fields.h"
#include "rules/cycles.h"
#include "rules/matrix.h"

namespace hadal::compile {

namespace {

class Choice {
 public:
  Choice(const Emitter& e, const MatrixLayer& layer)
      : e_(e),
        layer_(layer),
        memory_(e.chip().memory.bytes_per_second * e.chip().memory.efficiency / e.chip().clock.hertz) {}

  void attempt(const MatrixTile& tile) {
    const Work work = work_of(tile);
    if (!fits(tile, work)) return;
    if (e_.plan().profile->matmul.rule == "waves") {
      if (best_.rows == 0 || fills_better(tile)) best_ = tile;
      return;
    }
    const double cycles = cycles_of(tile, work);
    if (cycles >= least_) return;
    least_ = cycles;
    best_ = tile;
  }
  [[nodiscard]] const MatrixTile& best() const { return best_; }

 private:
  /// Fewer waves over the cores, or more tiles in the last one; among equals the smaller of the same height or width,
  /// else the wider. As DeepGEMM's get_best_configs has it.
  [[nodiscard]] bool fills_better(const MatrixTile& tile) const {
    const auto tiles = [&](const MatrixTile& t) {
      return layer_.batch * rules::ceil_div(layer_.rows, t.rows) * rules::ceil_div(layer_.n, t.n);
    };
    const auto last = [&](const MatrixTile& t) { return (tiles(t) - 1) % e_.cores(); };
    const int64_t waves = rules::ceil_div(tiles(tile), e_.cores()), best = rules::ceil_div(tiles(best_), e_.cores());
    if (waves != best) return waves < best;
    if (last(tile) != last(best_)) return last(tile) > last(best_);
    if (tile.rows == best_.rows) return tile.n < best_.n;
    return tile.n == best_.n ? tile.rows < best_.rows : tile.n > best_.n;
  }

  /// Of a tile: rows of the array, results, and bytes of the operands of a chunk and of what is stored.
  struct Work {
    int64_t m = 0, results = 0, a = 0, b = 0, stored = 0;
  };
  [[nodiscard]] Work work_of(const MatrixTile& tile) const {
    Work work;
    work.m = tile.rows * layer_.row_pixels * tile.images;
    work.results = work.m * tile.n;
    work.a = layer_.stream_bytes(tile.rows, tile.k) * tile.images;
    work.b = tile.k * tile.n * bytes_of(layer_.operands);
    work.stored = work.results * (tile.splits > 1 ? 4 : layer_.stored_bytes);
    return work;
  }

  [[nodiscard]] bool fits(const MatrixTile& tile, const Work& work) const {
    const chip::Scratchpad& pad = e_.chip().scratchpad;
    const int64_t room = tile.splits > 1 ? pad.bytes / 4 * 3 : pad.bytes;  // Sums are added beside them.
    return tile.k > 0 && work.results * 4 <= pad.accumulator_bytes / std::max<int64_t>(pad.accumulator_tiles, 1) &&
           work.a <= e_.limit(Ring::activation) && work.b <= e_.limit(e_.stationary(layer_.constant_weights)) &&
           work.stored <= e_.limit(Ring::result) && 2 * (work.a + work.b + work.stored) <= room;
  }

  [[nodiscard]] double cycles_of(const MatrixTile& tile, const Work& work) const {
    const auto real = [](int64_t value) { return static_cast<double>(value); };
    const int64_t rows = rules::ceil_div(layer_.batch, tile.images) * rules::ceil_div(layer_.rows, tile.rows);
    const int64_t columns = rules::ceil_div(layer_.n, tile.n), chunks = rules::ceil_div(tile.part, tile.k);
    const int64_t units = rows * (tile.panel ? 1 : columns) * tile.splits;
    const int64_t waves = rules::ceil_div(units, e_.cores()) * (tile.panel ? columns : 1);
    const int64_t block = layer_.scaled ? isa::scale_block : 0;
    const double array =
        real(rules::matrix_cycles(e_.chip().matrix, {work.m, tile.k, tile.n, 1, layer_.operands, block}).array);
    const double loads = real((tile.panel ? 0 : work.a) + work.b) / e_.chip().dma.bytes_per_cycle;
    const double computed = real(waves * chunks) * std::max(array, loads);

    const bool cached = e_.chip().cache.bytes > 0;                       // Then operands come from memory once.
    const bool held = layer_.k_step > 1 && chunks == 1 && columns == 1;  // Weights of a convolution stay in the core.
    const double streamed = real(work.a * chunks * tile.splits * rows) * (cached || tile.panel ? 1 : real(columns));
    const double weights = real(layer_.k * layer_.n * bytes_of(layer_.operands)) * (cached || held ? 1 : real(rows));
    const double outputs = real(layer_.batch * layer_.rows * layer_.row_pixels * layer_.n);
    const double moved = streamed + weights + outputs * real(layer_.stored_bytes);
    const double ends = cached ? 0 : real(work.a + work.b + work.stored) / memory_ + array;
    const double sums = tile.splits > 1 ? 2 * real(tile.splits) * outputs * 4 / memory_ + combine_cycles() : 0;
    return std::max(computed, moved / memory_) + ends + sums;
  }

  /// Another layer: what it waits for memory, there and back.
  [[nodiscard]] double combine_cycles() const {
    const chip::Chip& chip = e_.chip();
    return 4 * static_cast<double>(chip.memory.latency_femtoseconds) * 1e-15 * chip.clock.hertz;
  }

  const Emitter& e_;
  const MatrixLayer& layer_;
  double memory_;
  MatrixTile best_{.rows = 0};
  double least_ = std::numeric_limits<double>::infinity();
};

}  // namespace

MatrixTile choose_whole_product(const Emitter& e, const MatrixLayer& layer) {
  const Profile::Matmul& known = e.plan().profile->matmul;
  const chip::Scratchpad& pad = e.chip().scratchpad;
  const int64_t bytes = bytes_of(layer.operands), weights = layer.k * layer.n * bytes;
  const bool whole = e.plan().whole && e.cores() == 1 && layer.batch == 1 && layer.rows >= known.whole_rows &&
                     layer.stream_bytes(layer.rows, layer.k) + weights <= known.whole_bytes;
  constexpr int64_t most_tiles = 256;  // They are written one by one.
  MatrixTile best{.rows = 0};
  std::pair fewest{whole ? layer.n + 1 : 0, int64_t{0}};  // Columns of tiles, which all rows meet; then rows.
  for (const Block& block : known.tiles) {
    const int64_t rows = std::min(block.rows, layer.rows), n = std::min(block.columns, layer.n);
    const int64_t down = rules::ceil_div(layer.rows, rows), across = rules::ceil_div(layer.n, n);
    const int64_t results = 2 * rows * n * layer.stored_bytes;
    const int64_t streamed = layer.stream_bytes(rows, layer.k) * (layer.far_stream ? down : 2);
    const bool fits = rows * n * 4 <= pad.accumulator_bytes / std::max<int64_t>(pad.accumulator_tiles, 1) &&
                      streamed + layer.k * n * bytes * across + results <= pad.bytes;
    if (!fits || down * across > most_tiles || std::pair(across, down) >= fewest) continue;
    fewest = {across, down};
    best = {.rows = rows, .n = n, .k = layer.k, .part = layer.k, .whole = true};
  }
  return best;
}

MatrixTile choose_known_product(const Emitter& e, const MatrixLayer& layer) {
  const Profile::Matmul& known = e.plan().profile->matmul;
  Choice choice(e, layer);
  for (const Block& block : known.tiles) {
    const int64_t rows = std::min(block.rows, layer.rows), n = std::min(block.columns, layer.n);
    if (known.window_bytes > 0 && rows > known.window_rows && layer.stream_bytes(rows, layer.k) > known.window_bytes)
      continue;
    if (known.panels) choice.attempt({.rows = rows, .n = n, .k = layer.k, .part = layer.k, .panel = true});
    for (const int64_t splits : known.splits.empty() ? std::vector<int64_t>{1} : known.splits) {
      const int64_t chunks = rules::ceil_div(layer.k, known.chunk);
      if (splits > 1 && (!layer.may_split || chunks % splits != 0)) continue;  // No part may run out of chunks.
      const int64_t part = splits == 1 ? layer.k : chunks / splits * known.chunk;
      choice.attempt({.rows = rows, .n = n, .k = std::min(known.chunk, layer.k), .splits = splits, .part = part});
    }
  }
  return choice.best();
}

MatrixTile choose_known_convolution(const Emitter& e, const MatrixLayer& layer) {
  Choice choice(e, layer);
  const int64_t channels = layer.k / layer.k_step, image = layer.rows * layer.row_pixels;
  for (const Block& block : e.plan().profile->convolution.tiles) {
    MatrixTile tile{
        .rows = layer.rows, .n = std::min(block.columns, layer.n), .row_pixels = layer.row_pixels, .part = layer.k};
    if (image > block.rows) tile.rows = even_part(layer.rows, std::max<int64_t>(1, block.rows / layer.row_pixels));
    if (image < block.rows) tile.images = std::min(layer.batch, std::max<int64_t>(1, block.rows / image));
    for (int64_t parts = 1; parts <= channels; parts *= 2) {
      if (channels % parts != 0 || (parts > 1 && channels / parts < e.plan().profile->convolution.lanes)) break;
      tile.k = channels / parts * layer.k_step;
      choice.attempt(tile);
    }
  }
  return choice.best();
}

}  // namespace hadal::compile

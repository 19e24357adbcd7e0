// Attention by blocks of keys: each row keeps its largest score so far, the sum of its weights and of the weighted
// values, and fades them as a larger score comes (Milakov and Gimelshein, 2018; Dao et al., 2022). Rows are in parts,
// so that the lanes work on one while the array multiplies others.
#include <algorithm>
#include <array>
#include <limits>
#include <optional>

#include "compile/attention.h"
#include "rules/matrix.h"
#include "rules/vector.h"

namespace hadal::compile {

using isa::Opcode;
using isa::Queue;
using tile::TileView;

namespace {

isa::ChainStep step(const char* op, std::array<uint8_t, 3> operands, float alpha = 0) {
  return {*isa::chain_op_named(op), operands, alpha, 0};
}

/// How an attention is cut.
struct Cut {
  int64_t parts = 1, part = 1;  ///< Of a unit's rows, and the rows of one.
  int64_t keys = 1;             ///< Of a block.
  double cycles = std::numeric_limits<double>::infinity();
  [[nodiscard]] int64_t block() const { return parts * part; }
};

class Online {
 public:
  explicit Online(Attention& a) : a_(a), e_(a.e), reach_(a.reach()) {}
  /// False where nothing fits.
  bool emit();

 private:
  void choose();
  [[nodiscard]] bool holds(const Cut& cut) const;
  [[nodiscard]] struct PartCycles part_cycles(const Cut& cut) const;
  [[nodiscard]] double cycles_of(const Cut& cut) const;
  [[nodiscard]] int64_t seen_from(int64_t row) const {
    return reach_ < a_.s - row ? std::max<int64_t>(reach_ + row, 0) : a_.s;
  }
  [[nodiscard]] int64_t visible() const;
  void declare();
  void share(const std::vector<int64_t>& counts);
  [[nodiscard]] Expr clear_blocks(const TileBox& unit) const;
  void emit_unit(const std::vector<Expr>& at);
  [[nodiscard]] TileView column(Ring ring, const Expr& rows, const char* name) {
    return {e_.tile(ring, DType::f32, name), {rows, Expr(1)}};
  }
  void map(const Expr& chain, std::vector<tile::Operand> operands);
  TileView reduce(int64_t kind, const TileView& of, const char* name);
  struct Part {
    TileBox box;
    TileView q, top, total, mixed, fade, weights;
  };
  void emit_block(std::vector<Part>& parts, const TileBox& unit, const Expr& number, const std::optional<Expr>& upto);
  void weigh(Part& part, const TileView& score);
  void finish(const Part& part);

  Attention& a_;
  Emitter& e_;
  int64_t reach_;
  Cut cut_;
  isa::Sharing share_k_, share_v_;
  Expr lowest_, zero_, larger_, fading_, adding_, copying_, ending_;  ///< Chains.
};

/// Scores that a row may see, of all.
int64_t Online::visible() const {
  int64_t sum = 0;
  for (int64_t row = 0; row < a_.m; ++row) sum += std::min(seen_from(row) + 1, a_.s);
  return a_.batch() * sum;
}

/// The rings' least slots are all held at once, beside those of other layers.
bool Online::holds(const Cut& cut) const {
  const chip::Scratchpad& pad = e_.chip().scratchpad;
  const int64_t sums = pad.accumulator_bytes / std::max<int64_t>(pad.accumulator_tiles, 1) / 4;
  const int64_t bytes = bytes_of(a_.q.dtype), wide = std::max(a_.d, a_.n);
  const int64_t scores = cut.part * cut.keys, mixed = cut.part * a_.n * 4;
  if (cut.part * std::max(cut.keys, a_.n) > sums || scores * bytes_of(a_.scores_type) > e_.limit(Ring::score) ||
      scores * bytes_of(a_.weights_type) > e_.limit(Ring::probability) ||
      cut.part * a_.d * bytes > e_.limit(Ring::activation) || cut.keys * wide * bytes > e_.limit(Ring::activation2) ||
      mixed > std::min(e_.limit(Ring::mixture), e_.limit(Ring::output)) ||
      (!a_.scores.streams.empty() && scores * 4 > e_.limit(Ring::residual)))
    return false;
  const int64_t held = cut.parts * (2 * cut.part * a_.d * bytes + scores * bytes_of(a_.scores_type) +
                                    scores * bytes_of(a_.weights_type) + 2 * mixed) +
                       4 * cut.keys * wide * bytes + 2 * mixed +
                       (a_.scores.streams.empty() ? 0 : 4 * cut.parts * scores);
  return held <= pad.bytes / 2;
}

/// What one part of a block takes of array and lanes, each until the other may go on.
struct PartCycles {
  double score = 0, mix = 0;            ///< Of the array,
  double fill = 0;                      ///< and until what it made is there.
  double weigh = 0, until_weights = 0;  ///< Of the lanes, and until the weights are there.
  double add = 0;
};

/// Cycles from one block of keys to the next: array and lanes take the parts' work in order, and wait for each other.
double block_cycles(const PartCycles& part, int64_t parts) {
  const auto count = static_cast<size_t>(parts);
  double array = 0, lanes = 0, begin = 0;
  std::vector<double> at(count);  // When what the other waits for is there.
  constexpr int blocks = 4;       // From the second on they are alike.
  for (int block = 0; block < blocks; ++block) {
    begin = std::max(array, lanes);
    for (double& scored : at) scored = (array += part.score) + part.fill;
    for (double& weighed : at) {
      const double start = std::max(lanes, weighed);
      lanes = start + part.weigh;
      weighed = start + part.until_weights;
    }
    for (double& mixed : at) mixed = (array = std::max(array, mixed) + part.mix) + part.fill;
    for (const double mixed : at) lanes = std::max(lanes, mixed) + part.add;
  }
  return std::max(array, lanes) - begin;
}

PartCycles Online::part_cycles(const Cut& cut) const {
  const chip::Chip& chip = e_.chip();
  const rules::VectorUnit unit = rules::vector_unit(chip);
  const auto array = [&](int64_t k, int64_t n) {
    return rules::matrix_cycles(chip.matrix, {cut.part, k, n, 1, a_.q.dtype});
  };
  const rules::MatrixCycles score = array(a_.d, cut.keys), mix = array(cut.keys, a_.n);
  const int64_t scores = cut.part * cut.keys, mixed = cut.part * a_.n, wide = bytes_of(a_.scores_type);
  const auto weigh = static_cast<double>(rules::vector_cycles(unit, {scores, 1, 1, scores * wide}));
  const auto largest = static_cast<double>(rules::reduce_cycles(unit, {cut.part, cut.keys, scores * wide, true}));
  const int64_t narrow = scores * bytes_of(a_.weights_type);
  const auto sum = static_cast<double>(rules::reduce_cycles(unit, {cut.part, cut.keys, narrow, true}));
  const auto column = static_cast<double>(rules::vector_cycles(unit, {cut.part, 2, 1, cut.part * 8}));
  return {static_cast<double>(score.array), static_cast<double>(mix.array),
          static_cast<double>(score.fill),  largest + weigh + sum + 4 * column,
          largest + weigh + column,         static_cast<double>(rules::vector_cycles(unit, {mixed, 2, 0, mixed * 8}))};
}

/// Of all units of a core.
double Online::cycles_of(const Cut& cut) const {
  const chip::Chip& chip = e_.chip();
  const double bytes = static_cast<double>(cut.keys * (a_.d + a_.n) * bytes_of(a_.q.dtype) * e_.cores());
  const double memory = bytes * chip.clock.hertz / chip.memory.bytes_per_second;
  const double block = std::max(block_cycles(part_cycles(cut), cut.parts), memory);
  const int64_t blocks = (a_.m + cut.block() - 1) / cut.block();
  int64_t trips = 0;
  for (int64_t b = 0; b < blocks; ++b)
    trips += (std::min(seen_from(std::min((b + 1) * cut.block(), a_.m) - 1) + 1, a_.s) + cut.keys - 1) / cut.keys;
  const int64_t rounds = (a_.batch() * blocks + e_.cores() - 1) / e_.cores();
  return static_cast<double>(rounds) * (static_cast<double>(trips) / static_cast<double>(blocks) * block + block / 2);
}

/// The plan says which of the best cuts.
void Online::choose() {
  constexpr size_t most_cuts = 6;
  std::vector<Cut> cuts;
  for (const int64_t parts : {1, 2, 4})
    for (int64_t part = 16; part <= 512; part *= 2)
      for (int64_t keys = 64; keys <= 2048; keys *= 2) {
        if (part / 2 * parts >= a_.m || keys / 2 >= a_.s) continue;
        Cut cut{parts, std::min(part, (a_.m + parts - 1) / parts), std::min(keys, a_.s)};
        if (!holds(cut)) continue;
        cut.cycles = cycles_of(cut);
        cuts.push_back(cut);
      }
  if (cuts.empty()) return;
  std::ranges::stable_sort(cuts, {}, &Cut::cycles);
  cuts.resize(std::min(cuts.size(), most_cuts));
  const MatrixShape shape{.batch = a_.batch(),
                          .rows = a_.m,
                          .n = a_.s,
                          .k = a_.d,
                          .operands = a_.q.dtype,
                          .window = {a_.n, reach_},
                          .constant_weights = false};
  cut_ = cuts[e_.choose(shape, cuts.size(), cuts[0].cycles)];
}

void Online::declare() {
  const auto chain = [&](uint8_t inputs, std::vector<isa::ChainStep> steps) {
    return Expr(e_.add_chain({DType::f32, inputs, std::move(steps)}));
  };
  const uint8_t last = isa::chain_inputs;
  lowest_ = chain(0, {step("constant", {}, std::numeric_limits<float>::lowest())});
  zero_ = chain(0, {step("constant", {})});
  larger_ = chain(2, {step("max", {0, 1, 0})});
  fading_ = chain(2, {step("sub", {0, 1, 0}), step("exp", {last, 0, 0})});
  adding_ = chain(3, {step("mul", {0, 1, 0}), step("add", {last, 2, 0})});
  copying_ = chain(1, {step("copy", {0, 0, 0})});
  const isa::Chain mean{DType::f32, 2, {step("reciprocal", {1, 0, 0}), step("mul", {0, last, 0})}};
  ending_ = Expr(e_.add_chain(continued(mean, a_.mixed.group.chain)));
}

void Online::map(const Expr& chain, std::vector<tile::Operand> operands) {
  e_.emit(Opcode::map, Queue::vector, std::move(operands), {chain});
}

TileView Online::reduce(int64_t kind, const TileView& of, const char* name) {
  const TileView y = column(Ring::temporary, of.extents[0], name);
  e_.emit(Opcode::reduce, Queue::vector, {y, of}, {Expr(kind), Expr(2)});
  return y;
}

/// The weights of a part's scores, as far as its largest is known.
void Online::weigh(Part& part, const TileView& score) {
  constexpr int64_t largest = 2, sum = 0;  // Of reduce.kind.
  const TileView s = Emitter::reshaped(score, {score.extents[1], score.extents[2]});
  const TileView most = reduce(largest, s, "most"), top = column(Ring::temporary, s.extents[0], "top");
  map(larger_, {top, part.top, most});
  part.weights = {e_.tile(Ring::probability, a_.weights_type, "p"), s.extents};
  map(fading_, {part.weights, s, top});
  part.fade = column(Ring::fade, s.extents[0], "fade");
  map(fading_, {part.fade, part.top, top});
  map(copying_, {part.top, top});
  map(adding_, {part.total, part.total, part.fade, reduce(sum, part.weights, "sum")});
}

/// One block of keys, those before `upto`; without, all of them, in none of which the mask adds anything.
void Online::emit_block(std::vector<Part>& parts, const TileBox& unit, const Expr& number,
                        const std::optional<Expr>& upto) {
  const size_t last = a_.rows.size();
  const Expr s0 = number * Expr(cut_.keys);
  const bool even = !upto || (upto->is_constant() && upto->constant() % cut_.keys == 0);
  const Expr st = even ? Expr(cut_.keys) : min(Expr(cut_.keys), *upto - s0).within(0, cut_.keys);
  const TileView k = a_.load_k(unit, s0, st, share_k_);
  std::vector<TileView> scores;
  for (size_t i = 0; i < parts.size(); ++i) {
    TileBox box = parts[i].box;
    box.origins[last] = s0;
    box.extents[last] = st;
    scores.push_back(a_.score(box, parts[i].q, k, Expr(static_cast<int64_t>(i)), upto.has_value()));
  }
  const TileView v = a_.load_v(unit, s0, st, share_v_);
  std::vector<TileView> products;
  for (size_t i = 0; i < parts.size(); ++i) {
    weigh(parts[i], scores[i]);
    const Expr rows = parts[i].box.extents[last - 1];
    const TileView y =
        a_.mix(parts[i].box, Ring::mixture, DType::f32, false, Emitter::reshaped(parts[i].weights, {Expr(1), rows, st}),
               v, Expr(static_cast<int64_t>(parts.size() + i)));
    products.push_back(Emitter::reshaped(y, {rows, Expr(a_.n)}));
  }
  for (size_t i = 0; i < parts.size(); ++i) map(adding_, {parts[i].mixed, parts[i].mixed, parts[i].fade, products[i]});
}

void Online::finish(const Part& part) {
  const size_t row = a_.rows.size() - 1;
  const std::vector<Expr> dims{part.box.extents[row], Expr(a_.n)};
  const TileView y{e_.tile(Ring::output, a_.out.dtype, "y"), dims};
  std::vector<tile::Operand> operands{y, part.mixed, part.total};
  const Epilogue epilogue{a_.mixed.group, a_.mixed.streams, a_.mixed.tensors, a_.mixed.strides, 2};
  for (size_t i = 0; i < a_.mixed.streams.size(); ++i)
    operands.emplace_back(load_operand(e_, epilogue, i, part.box, Ring::stream));
  map(ending_, std::move(operands));
  e_.store({a_.to, part.box.origins, part.box.extents}, y);
}

/// Of blocks of keys, the first ones to which the mask adds nothing in all rows of a unit.
Expr Online::clear_blocks(const TileBox& unit) const {
  if (a_.clear() < 0) return Expr(0);
  const Expr keys = min(unit.origins[a_.rows.size() - 1] + Expr(a_.clear() + 1), Expr(a_.s));
  return floor_div(keys, Expr(cut_.keys)).within(0, a_.s / cut_.keys);
}

void Online::emit_unit(const std::vector<Expr>& at) {
  const size_t row = a_.rows.size() - 1;
  const TileBox unit = a_.unit_box(at);
  std::vector<Part> parts;
  for (TileBox& box : a_.rows_of(unit, cut_.parts, cut_.part)) parts.emplace_back().box = std::move(box);
  for (Part& part : parts) part.q = a_.load_q(part.box);
  for (Part& part : parts) {
    const Expr rows = part.box.extents[row];
    part.top = column(Ring::top, rows, "top");
    part.total = column(Ring::total, rows, "total");
    part.mixed = {e_.tile(Ring::sums, DType::f32, "mixed"), {rows, Expr(a_.n)}};
    map(lowest_, {part.top});
    map(zero_, {part.total});
    map(zero_, {part.mixed});
  }
  const Expr end = unit.origins[row] + unit.extents[row];
  const Expr upto = reach_ >= a_.s ? Expr(a_.s) : max(min(end + Expr(reach_), Expr(a_.s)), Expr(1)).within(1, a_.s);
  const Expr blocks = ceil_div(upto, Expr(cut_.keys)), clear = clear_blocks(unit);
  if (clear.highest() > 0) e_.loop("s", clear, [&](const Expr& j) { emit_block(parts, unit, j, std::nullopt); });
  e_.loop("s", blocks - clear, [&](const Expr& j) { emit_block(parts, unit, clear + j, upto); });
  for (const Part& part : parts) finish(part);
}

void Online::share(const std::vector<int64_t>& counts) {
  const auto varies = [&](const std::vector<int64_t>& strides) {
    tile::Dims dims;
    for (size_t i = 0; i < a_.rows.size(); ++i) dims[i] = i < strides.size() && strides[i] != 0;
    if (reach_ < a_.s) dims[a_.rows.size() - 1] = true;  // So does the number of blocks.
    return dims;
  };
  share_k_ = e_.sharing(counts, varies(a_.strides_k()));
  share_v_ = e_.sharing(counts, varies(a_.strides_v()));
  for (const auto& strides : a_.scores.strides) a_.scores.sharing.push_back(e_.sharing(counts, varies(strides)));
}

bool Online::emit() {
  const size_t streams = a_.mixed.streams.size(), steps = a_.mixed.group.chain.steps.size();
  const auto narrow = [](DType dtype) { return is_float(dtype) && bytes_of(dtype) <= 4; };
  if (e_.plan().profile || streams + 2 > static_cast<size_t>(isa::chain_inputs) ||
      steps + 2 > static_cast<size_t>(isa::chain_steps) || !narrow(a_.q.dtype) || !narrow(a_.scores_type) ||
      a_.rows.size() + 1 > 16)
    return false;
  choose();
  if (cut_.cycles == std::numeric_limits<double>::infinity()) return false;
  a_.begin(visible());
  declare();
  const std::vector<int64_t> counts = a_.unit_counts(cut_.block(), 1);
  share(counts);
  const int64_t parts = cut_.parts;
  for (const Ring ring :
       {Ring::score, Ring::probability, Ring::mixture, Ring::top, Ring::total, Ring::sums, Ring::fade})
    e_.hold(ring, parts);
  e_.hold(Ring::activation, parts, 2 * parts);
  e_.hold(Ring::activation2, 4);
  if (!a_.scores.streams.empty()) e_.hold(Ring::residual, parts);
  e_.units(counts, [&](const std::vector<Expr>& at, const Expr&) { emit_unit(at); });
  return true;
}

}  // namespace

bool emit_online_attention(Attention& attention) { return Online(attention).emit(); }

}  // namespace hadal::compile

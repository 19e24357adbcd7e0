// Attention whose scores of a block of rows, their softmax and its product with the values stay in the core. The block
// is in halves, so that the lanes work on one while the array multiplies the other.
#include <algorithm>
#include <limits>

#include "compile/attention.h"
#include "rules/matrix.h"
#include "rules/vector.h"

namespace hadal::compile {

using isa::Opcode;
using isa::Queue;
using tile::TileView;

namespace {

/// Scores of whole rows.
class WholeRows {
 public:
  explicit WholeRows(Attention& a) : a_(a), e_(a.e) { choose_block(); }
  /// False where the scores of a few rows do not fit.
  [[nodiscard]] bool fits() const { return block_ > 0; }
  void emit();

 private:
  void choose_block();
  [[nodiscard]] bool holds(int64_t half) const;
  void obey(const Profile::Attention& kernel);
  [[nodiscard]] double unit_cycles(int64_t half, int64_t halves) const;

  Attention& a_;
  Emitter& e_;
  int64_t block_ = 0, halves_ = 1, half_ = 0;  ///< Rows of a unit; parts of it, and their rows.
  int64_t heads_ = 1;                          ///< Of the batch, in a unit; more than one where a unit has all rows.
};

/// The array multiplies one half while the lanes are at the other.
double WholeRows::unit_cycles(int64_t half, int64_t halves) const {
  const chip::Chip& chip = e_.chip();
  const auto array = [&](int64_t k, int64_t n) {
    return static_cast<double>(rules::matrix_cycles(chip.matrix, {half, k, n, 1, a_.q.dtype}).array);
  };
  const rules::RowWork rows{half, a_.s, half * a_.s * bytes_of(a_.scores_type), true};
  const auto lanes = static_cast<double>(rules::softmax_cycles(rules::vector_unit(chip), rows, {}));
  const double scores = array(a_.d, a_.s), mix = array(a_.s, a_.n);
  return halves == 1 ? scores + lanes + mix : scores + std::max(scores, lanes) + std::max(lanes, mix) + mix;
}

bool WholeRows::holds(int64_t half) const {
  const chip::Scratchpad& pad = e_.chip().scratchpad;
  const int64_t sums = pad.accumulator_bytes / std::max<int64_t>(pad.accumulator_tiles, 1) / 4;
  return half * a_.s * bytes_of(a_.scores_type) <= e_.limit(Ring::score) && half * a_.s <= sums &&
         half * a_.s * bytes_of(a_.weights_type) <= e_.limit(Ring::probability) &&
         half * a_.d * bytes_of(a_.q.dtype) <= e_.limit(Ring::activation) &&
         half * a_.n * bytes_of(a_.out.dtype) <= e_.limit(Ring::result) &&
         half * std::max(a_.s, a_.n) * 4 <= e_.limit(Ring::residual);
}

/// The block that measured software takes.
void WholeRows::obey(const Profile::Attention& kernel) {
  half_ = std::min(a_.m, kernel.queries);
  const int64_t bytes = a_.s * std::max(a_.d, a_.n) * bytes_of(a_.q.dtype);
  const auto fits = [&] { return holds(half_ * heads_) && heads_ * bytes <= e_.limit(Ring::activation2); };
  while (half_ > 1 && !fits()) half_ = (half_ + 1) / 2;
  if (half_ == a_.m && a_.rows.size() == 2) heads_ = std::min(a_.rows[0], kernel.heads);
  while (heads_ > 1 && !fits()) heads_ = (heads_ + 1) / 2;
  if (fits()) block_ = half_;
}

void WholeRows::choose_block() {
  if (a_.s * std::max(a_.d, a_.n) * bytes_of(a_.q.dtype) > e_.limit(Ring::activation2)) return;
  if (e_.plan().profile && e_.plan().profile->attention.queries > 0) return obey(e_.plan().profile->attention);
  constexpr int64_t least_rows = 8, most_parts = 64;  // Below that the unfused phases waste less of the array.
  constexpr double start = 200;                       // Of a unit: its first loads, its last store.
  double least = std::numeric_limits<double>::infinity();
  for (int64_t parts = 1; parts <= std::min(a_.m, most_parts); ++parts) {
    const int64_t block = (a_.m + parts - 1) / parts;
    for (const int64_t halves : {1, 2}) {
      const int64_t half = (block + halves - 1) / halves;
      if (half < std::min(a_.m, least_rows) || !holds(half)) continue;
      const int64_t rounds = (a_.batch() * ((a_.m + block - 1) / block) + e_.cores() - 1) / e_.cores();
      const double cycles = static_cast<double>(rounds) * unit_cycles(half, halves) + start;
      if (cycles >= least) continue;
      least = cycles;
      block_ = block;
      halves_ = halves;
      half_ = half;
    }
  }
}

void WholeRows::emit() {
  a_.begin(a_.batch() * a_.m * a_.s);
  const size_t last = a_.rows.size();
  e_.units(a_.unit_counts(block_, heads_), [&](const std::vector<Expr>& at, const Expr& number) {
    const TileBox unit = a_.unit_box(at);
    const std::vector<TileBox> boxes = a_.rows_of(unit, halves_, half_);
    const auto turn = [&](int64_t product) { return number * Expr(2 * halves_) + Expr(product); };
    std::vector<TileView> q, scores, weights;
    for (const TileBox& box : boxes) q.push_back(a_.load_q(box));
    const TileView k = a_.load_k(unit, Expr(0), Expr(a_.s));
    for (size_t h = 0; h < boxes.size(); ++h) {
      TileBox box = boxes[h];
      box.origins[last] = Expr(0);
      box.extents[last] = Expr(a_.s);
      scores.push_back(a_.score(box, q[h], k, turn(static_cast<int64_t>(h))));
    }
    const TileView v = a_.load_v(unit, Expr(0), Expr(a_.s));
    for (const TileView& score : scores) {
      weights.push_back({e_.tile(Ring::probability, a_.weights_type, "p"), score.extents});
      e_.emit(Opcode::softmax, Queue::vector, {weights.back(), score}, {Expr(0)});
    }
    for (size_t h = 0; h < boxes.size(); ++h) {
      const TileView y =
          a_.mix(boxes[h], Ring::result, a_.out.dtype, true, weights[h], v, turn(halves_ + static_cast<int64_t>(h)));
      e_.store({a_.to, boxes[h].origins, boxes[h].extents}, y);
    }
  });
}

}  // namespace

bool emit_attention(Emitter& e, const Group& group) {
  Attention attention(e, group.before[0], group);
  if (e.plan().attention == Scores::online && emit_online_attention(attention)) return true;
  WholeRows whole(attention);
  if (whole.fits()) {
    whole.emit();
    return true;
  }
  return e.plan().attention == Scores::whole && emit_online_attention(attention);
}

}  // namespace hadal::compile

// Classical learning: trees as products of matrices, counts of word sequences, thresholds.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "onnx/terms.h"

namespace hadal::onnx {

namespace {

constexpr std::string_view ml = "ai.onnx.ml";

Values binarizer(Site& n) {
  const Term x = input(n, 0);
  return {(x > n.number("threshold")).as(x.dtype()).id};
}

/// Picks elements of the last axis.
Values array_feature_extractor(Site& n) {
  Term x = input(n, 0);
  if (x.shape().empty()) fail("onnx.shape", "the operand is a scalar");
  if (x.shape().size() == 1) x = x.reshaped({1, x.shape()[0]});
  const Term index = input(n, 1).as(DType::i64).reshaped({elements(n.b.shape(n[1]))});
  return {x.gathered(index, std::ssize(x.shape()) - 1).id};
}

// ---- TfIdfVectorizer

Term constant_of(Site& n, DType dtype, const Shape& shape, const std::vector<double>& values) {
  n.b.check_size({DType::f64, shape});
  n.b.book(checked_bytes(shape, bytes_of(dtype)));
  return {&n.b, n.b.constant(hadal::cast(Tensor::of(DType::f64, shape, values), dtype))};
}

/// How often each of `count` sequences of `size` tokens is in a row of x [rows, length], with so much between tokens.
std::optional<Term> occurrences(const Term& x, const Term& pool, int64_t count, int64_t size, int64_t distance) {
  const int64_t rows = x.shape()[0], places = x.shape()[1] - (size - 1) * distance;
  if (places < 1) return std::nullopt;
  std::optional<Term> all;
  for (int64_t k = 0; k < size; ++k) {
    const Term tokens = x.slice(1, k * distance, places).reshaped({rows, places, 1});
    const Term hit = equal(tokens, pool.slice(1, k, 1).reshaped({1, 1, count}));
    all = all ? *all & hit : hit;
  }
  return all->as(DType::f32).reduced("sum", {1}, false);
}

Values tfidf(Site& n) {
  if (n.has("pool_strings")) fail("onnx.unsupported", "pool_strings are not supported");
  const Integers pool = n.attribute("pool_int64s").integers, starts = n.attribute("ngram_counts").integers,
                 columns = n.attribute("ngram_indexes").integers;
  const int64_t least = n.attribute("min_gram_length").integer, most = n.attribute("max_gram_length").integer,
                skips = n.attribute("max_skip_count").integer;
  const std::string mode = n.text("mode");
  if (mode != "TF" && mode != "IDF" && mode != "TFIDF")
    fail("onnx.attribute", "mode: '{}' is not known", printable(mode));
  const Shape shape = n.b.shape(n[0]);
  if (shape.empty() || shape.size() > 2 || columns.empty() || least < 1 || most < least || skips < 0 || skips > 1024)
    fail("onnx.shape", "sequences of {} to {} in {}", least, most, text_of(shape));
  const int64_t width = *std::ranges::max_element(columns) + 1;
  if (*std::ranges::min_element(columns) < 0 || width > int64_t{1} << 31) fail("onnx.attribute", "ngram_indexes");
  const Term x = input(n, 0).as(DType::i64).reshaped({shape.size() == 2 ? shape[0] : 1, shape.back()});
  std::optional<Term> counts;
  int64_t first = 0;  // Of the sequences of a size, among all.
  for (int64_t size = 1; size <= std::ssize(starts); ++size) {
    const auto at = static_cast<size_t>(size);
    const int64_t begin = starts[at - 1], end = at < starts.size() ? starts[at] : std::ssize(pool);
    if (begin < 0 || end < begin || end > std::ssize(pool) || (end - begin) % size != 0)
      fail("onnx.attribute", "ngram_counts: {} tokens in sequences of {}", end - begin, size);
    const int64_t count = (end - begin) / size;
    if (first + count > std::ssize(columns)) fail("onnx.attribute", "ngram_indexes has {} entries", columns.size());
    if (count > 0 && size >= least && size <= most) {
      const Term tokens{&n.b, n.b.constant(Tensor::of(DType::i64, {count, size},
                                                      Integers(pool.begin() + begin, pool.begin() + end)))};
      std::vector<double> places(static_cast<size_t>(count * width));
      for (int64_t i = 0; i < count; ++i)
        places[static_cast<size_t>(i * width + columns[static_cast<size_t>(first + i)])] = 1;
      const Term placed = constant_of(n, DType::f32, {count, width}, places);
      for (int64_t distance = 1; distance <= (size == 1 ? 1 : skips + 1); ++distance)
        if (const auto found = occurrences(x, tokens, count, size, distance)) {
          const Term part = product(*found, placed);
          counts = counts ? *counts + part : part;
        }
    }
    first += count;
  }
  Term y = counts ? *counts : Term{&n.b, n.b.constant(n.b.filled(DType::f32, {x.shape()[0], width}, 0))};
  if (mode == "IDF") y = (y > 0).as(DType::f32);
  if (mode != "TF" && n.has("weights")) {
    const std::vector<double>& weights = n.attribute("weights").numbers;
    if (std::ssize(weights) != width) fail("onnx.attribute", "{} weights for {} columns", weights.size(), width);
    y = y * constant_of(n, DType::f32, {width}, weights);
  }
  return {shape.size() == 2 ? y.id : y.reshaped({width}).id};
}

// ---- TreeEnsemble

/// A leaf and the way to it: nodes, and whether each must be true.
struct Way {
  std::vector<std::pair<int64_t, bool>> nodes;
  int64_t leaf = 0;
};

/// All decisions at once, then for each leaf how many on its way went its way: it is reached where all did.
class Trees {
 public:
  explicit Trees(Site& site) : n_(site), x_(input(site, 0)) {
    features_ = list("nodes_featureids");
    count_ = std::ssize(features_);
    true_ids_ = list("nodes_truenodeids"), false_ids_ = list("nodes_falsenodeids");
    true_leafs_ = list("nodes_trueleafs"), false_leafs_ = list("nodes_falseleafs");
    targets_ = list("leaf_targetids");
    for (const Integers* each : {&true_ids_, &false_ids_, &true_leafs_, &false_leafs_})
      if (std::ssize(*each) != count_) fail("onnx.attribute", "the nodes' lists are not equally long");
    if (x_.shape().size() != 2 || count_ < 1) fail("onnx.shape", "{} nodes for {}", count_, text_of(x_.shape()));
    for (const int64_t feature : features_)
      if (feature < 0 || feature >= x_.shape()[1]) fail("onnx.attribute", "feature {} does not exist", feature);
    for (const int64_t root : list("tree_roots")) follow(root);
  }

  Values run() {
    const int64_t rows = x_.shape()[0], leafs = std::ssize(ways_), width = n_.attribute("n_targets").integer;
    if (width < 1 || width > int64_t{1} << 20) fail("onnx.attribute", "n_targets is {}", width);
    std::vector<double> steps(static_cast<size_t>(count_ * leafs)), all;
    for (int64_t leaf = 0; leaf < leafs; ++leaf) {
      const Way& way = ways_[static_cast<size_t>(leaf)];
      double wrong = 0;
      for (const auto& [node, must] : way.nodes) {
        steps[static_cast<size_t>(node * leafs + leaf)] = must ? 1 : -1;
        wrong += must ? 0 : 1;
      }
      all.push_back(static_cast<double>(way.nodes.size()) - wrong);
    }
    const Term score = product(decisions().as(DType::f32), constant_of(n_, DType::f32, {count_, leafs}, steps));
    const Term reached = equal(score, constant_of(n_, DType::f32, {1, leafs}, all));
    return {transformed(summed(reached.reshaped({rows, leafs, 1}), width)).id};
  }

 private:
  [[nodiscard]] Integers list(const std::string& name) const { return n_.attribute(name).integers; }
  [[nodiscard]] std::vector<double> numbers(const std::string& name) const {
    std::vector<double> out;
    const Tensor& from = n_.attribute(name).tensor;
    for (int64_t i = 0; i < from.size(); ++i) out.push_back(number_at(from, i));
    return out;
  }

  /// Adds the ways from a root. A node is on one way only: trees do not share, and do not go round.
  void follow(int64_t root) {
    struct Open {
      int64_t node;
      bool is_leaf;
      std::vector<std::pair<int64_t, bool>> nodes;
    };
    const auto at = [&](int64_t i) {
      if (i < 0 || i >= count_) fail("onnx.attribute", "node {} does not exist", i);
      return static_cast<size_t>(i);
    };
    const size_t r = at(root);
    const bool only_leaf = true_leafs_[r] != 0 && false_leafs_[r] != 0 && true_ids_[r] == false_ids_[r];
    std::vector<Open> open{{only_leaf ? true_ids_[r] : root, only_leaf, {}}};
    seen_.resize(static_cast<size_t>(count_));
    while (!open.empty()) {
      const Open now = std::move(open.back());
      open.pop_back();
      if (now.is_leaf) {
        if (now.node < 0 || now.node >= std::ssize(targets_))
          fail("onnx.attribute", "leaf {} does not exist", now.node);
        ways_.push_back({now.nodes, now.node});
        continue;
      }
      const size_t i = at(now.node);
      if (seen_[i]) fail("onnx.attribute", "node {} is reached in two ways", now.node);
      seen_[i] = true;
      for (const bool branch : {false, true}) {
        Open next{branch ? true_ids_[i] : false_ids_[i], (branch ? true_leafs_ : false_leafs_)[i] != 0, now.nodes};
        next.nodes.emplace_back(now.node, branch);
        open.push_back(std::move(next));
      }
    }
  }

  /// Values of an attribute's list at nodes of one mode, as a mask over all nodes.
  [[nodiscard]] Term mask(const std::vector<bool>& nodes) const {
    std::vector<double> values;
    for (const bool node : nodes) values.push_back(node ? 1 : 0);
    return constant_of(n_, DType::boolean, {1, count_}, values);
  }

  /// Whether each node's comparison holds: [rows, nodes].
  [[nodiscard]] Term decisions() const {
    const std::vector<double> modes = numbers("nodes_modes"), splits = numbers("nodes_splits");
    if (std::ssize(modes) != count_ || std::ssize(splits) != count_)
      fail("onnx.attribute", "{} modes and {} splits for {} nodes", modes.size(), splits.size(), count_);
    const Term v = x_.gathered(Term{&n_.b, n_.b.constant(features_)}, 1);
    const Term split = constant_of(n_, x_.dtype(), {1, count_}, splits);
    std::optional<Term> out;
    for (int mode = 0; mode <= 6; ++mode) {
      std::vector<bool> of_mode;
      for (const double m : modes) of_mode.push_back(m == mode);
      if (std::ranges::count(of_mode, true) == 0) continue;
      const Term held = mask(of_mode) & (mode == 6 ? membership(v, of_mode) : compared(v, split, mode));
      out = out ? *out | held : held;
    }
    if (!out) fail("onnx.attribute", "nodes_modes are 0 to 6");
    if (!n_.has("nodes_missing_value_tracks_true")) return *out;
    std::vector<bool> tracks;
    for (const int64_t node : list("nodes_missing_value_tracks_true")) tracks.push_back(node != 0);
    if (std::ssize(tracks) != count_) fail("onnx.attribute", "nodes_missing_value_tracks_true has another length");
    return *out | (mask(tracks) & v.apply(ops::is_nan));
  }

  [[nodiscard]] static Term compared(const Term& v, const Term& split, int mode) {
    switch (mode) {
      case 0:
        return v <= split;
      case 1:
        return v < split;
      case 2:
        return split <= v;
      case 3:
        return split < v;
      case 4:
        return equal(v, split);
      default:
        return equal(v, split).apply(ops::not_);
    }
  }

  /// Members of each such node stand in turn in one list, ended by NaN: equal to none.
  [[nodiscard]] Term membership(const Term& v, const std::vector<bool>& of_mode) const {
    if (!n_.has("membership_values")) fail("onnx.attribute", "membership_values are missing");
    std::vector<std::vector<double>> members(1);
    for (const double value : numbers("membership_values")) {
      if (std::isnan(value))
        members.emplace_back();
      else
        members.back().push_back(value);
    }
    size_t most = 1, next = 0;
    for (const auto& set : members) most = std::max(most, set.size());
    std::vector<double> values;
    for (const bool node : of_mode) {
      std::vector<double> set = node && next < members.size() ? members[next++] : std::vector<double>{};
      set.resize(most, std::numeric_limits<double>::quiet_NaN());
      values.insert(values.end(), set.begin(), set.end());
    }
    const Term sets = constant_of(n_, x_.dtype(), {1, count_, static_cast<int64_t>(most)}, values);
    return equal(v.reshaped({v.shape()[0], count_, 1}), sets).reduced("max", {2}, false);
  }

  /// The reached leaves' weights by target: [rows, targets].
  [[nodiscard]] Term summed(const Term& reached, int64_t width) const {
    const int64_t leafs = std::ssize(ways_), aggregate = n_.integer("aggregate_function", 1);
    const std::vector<double> weights = numbers("leaf_weights");
    if (aggregate < 0 || aggregate > 3) fail("onnx.attribute", "aggregate_function is {}", aggregate);
    const double trees = static_cast<double>(list("tree_roots").size());
    constexpr double infinity = std::numeric_limits<double>::max();
    const double other = aggregate < 2 ? 0 : aggregate == 2 ? infinity : -infinity;
    std::vector<double> table(static_cast<size_t>(leafs * width), other);
    for (int64_t leaf = 0; leaf < leafs; ++leaf) {
      const auto id = static_cast<size_t>(ways_[static_cast<size_t>(leaf)].leaf);
      if (id >= weights.size() || targets_[id] < 0 || targets_[id] >= width)
        fail("onnx.attribute", "leaf {} has no weight or no target", id);
      table[static_cast<size_t>(leaf * width + targets_[id])] = aggregate == 0 ? weights[id] / trees : weights[id];
    }
    const Term by_leaf = constant_of(n_, x_.dtype(), {1, leafs, width}, table);
    static constexpr std::string_view kinds[] = {"sum", "sum", "min", "max"};
    return where(reached, by_leaf, x_.number(other))
        .reduced(std::string(kinds[static_cast<size_t>(aggregate)]), {1}, false);
  }

  [[nodiscard]] Term transformed(const Term& y) const {
    switch (n_.integer("post_transform")) {
      case 0:
        return y;
      case 1:
        return y.apply(ops::softmax, {{"axis", int64_t{1}}});
      case 2:
        return y.apply(ops::sigmoid);
      default:
        fail("onnx.unsupported", "post_transform {} is not supported", n_.integer("post_transform"));
    }
  }

  Site& n_;
  Term x_;
  int64_t count_ = 0;
  Integers features_, true_ids_, false_ids_, true_leafs_, false_leafs_, targets_;
  std::vector<bool> seen_;
  std::vector<Way> ways_;
};

Values tree_ensemble(Site& n) { return Trees(n).run(); }

constexpr Operator rows[] = {
    {"ArrayFeatureExtractor", array_feature_extractor, "gather cast reshape", 2, 2, "", ml},
    {"Binarizer", binarizer, "greater cast", 1, 1, "threshold:f", ml},
    {"TfIdfVectorizer", tfidf, "matmul equal and reduce add mul greater cast slice reshape", 1, 1,
     "max_gram_length:i max_skip_count:i min_gram_length:i mode:s ngram_counts:is ngram_indexes:is pool_int64s:is "
     "weights:fs"},
    {"TreeEnsemble", tree_ensemble,
     "matmul gather less less_equal equal not and or is_nan where reduce softmax sigmoid cast reshape", 1, 1,
     "aggregate_function:i leaf_targetids:is leaf_weights:t membership_values:t n_targets:i nodes_falseleafs:is "
     "nodes_falsenodeids:is nodes_featureids:is nodes_hitrates:t nodes_missing_value_tracks_true:is nodes_modes:t "
     "nodes_splits:t nodes_trueleafs:is nodes_truenodeids:is post_transform:i tree_roots:is",
     ml},
};

}  // namespace

std::span<const Operator> learn_operators() { return rows; }

}  // namespace hadal::onnx

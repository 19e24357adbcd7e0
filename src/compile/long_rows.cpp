#include "compile/long_rows.h"

#include <algorithm>
#include <map>
#include <set>

#include "compile/row_pieces.h"
#include "graph/simplify.h"

namespace hadal::compile {

namespace {

namespace ops = graph::ops;
using graph::ValueId;

/// What the instructions sum in.
DType wide(DType dtype) { return is_float(dtype) && dtype != DType::f64 ? DType::f32 : dtype; }

/// A reduction as another one and element-wise work on its result: what is not known from results of pieces.
Result<bool> finish_reduction(RowWriter& w, const std::string& kind, const std::string& basis) {
  const DType dtype = w.result().dtype, sums = is_float(dtype) ? wide(dtype) : DType::f64;
  const auto axes = w.node.attributes.integers("axes");
  const ValueId given = w.node.inputs[0];
  HADAL_TRY(const ValueId x, w.cast(given, is_float(dtype) ? w.type(given).dtype : sums));
  HADAL_TRY(ValueId y, w.reduce(x, basis, axes, w.node.attributes.integer("keep", 1) != 0, sums));
  if (kind == "mean") {
    HADAL_TRY(y, w.add(ops::div, {y, w.scalar(sums, static_cast<double>(w.fit.row))}));
  } else if (kind != basis) {
    HADAL_TRY(y, w.add(kind == "l2" ? ops::sqrt : ops::log, {y}));
  }
  HADAL_TRY(y, w.cast(y, dtype));
  w.replace(0, y);
  return true;
}

/// Whole axes from the last as far as they fit, or pieces of the last; then the results of those.
Result<bool> cut_reduction(RowWriter& w, const std::string& kind) {
  const ValueId x = w.node.inputs[0];
  auto axes = w.node.attributes.integers("axes");
  std::sort(axes.begin(), axes.end());
  const std::string rest = kind == "sum_square" || kind == "l1" ? "sum" : kind;
  const DType dtype = kind == "max" || kind == "min" ? w.type(x).dtype : wide(w.type(x).dtype);
  size_t first = axes.size();
  int64_t fitted = 1;
  while (fitted * w.extent(x, axes[first - 1]) <= w.fit.most) fitted *= w.extent(x, axes[--first]);
  ValueId partial = x;
  if (fitted > 1) {
    const std::vector<int64_t> last(axes.begin() + static_cast<std::ptrdiff_t>(first), axes.end());
    HADAL_TRY(partial, w.reduce(x, kind, last, true, dtype));
  } else {
    const int64_t axis = axes[first - 1];
    HADAL_TRY(const std::vector<Pieces> cut, w.cut(x, axis));
    if (kind == "mean" && cut.size() > 1) return finish_reduction(w, kind, "sum");
    std::vector<ValueId> parts;
    for (const Pieces& pieces : cut) {
      HADAL_TRY(const ValueId part, w.reduce(pieces.value, kind, {axis + 1}, false, dtype));
      parts.push_back(part);
    }
    HADAL_TRY(partial, w.concat(std::move(parts), axis));
  }
  const bool keep = w.node.attributes.integer("keep", 1) != 0;
  HADAL_TRY(const ValueId y, w.reduce(partial, rest, axes, keep, w.result().dtype));
  w.replace(0, y);
  return true;
}

Result<bool> cut_reduce(RowWriter& w) {
  const std::string kind = w.node.attributes.text("kind");
  const bool floats = is_float(w.type(w.node.inputs[0]).dtype);
  if (kind == "l2") return finish_reduction(w, kind, "sum_square");
  if (kind == "log_sum" || (kind == "mean" && !floats)) return finish_reduction(w, kind, "sum");
  if (kind == "log_sum_exp" && !floats) return finish_reduction(w, kind, kind);
  return cut_reduction(w, kind);
}

/// Puts y, scaled and shifted as the node says, in the place of a normalisation.
Result<bool> put_normalized(RowWriter& w, ValueId y) {
  HADAL_TRY(y, w.cast(y, w.result().dtype));
  for (size_t i = 1; i < w.node.inputs.size(); ++i) {
    if (w.node.inputs[i] == graph::absent) continue;
    HADAL_TRY(y, w.add(i == 1 ? ops::mul : ops::add, {y, w.node.inputs[i]}));
  }
  w.replace(0, y);
  return true;
}

/// Mean first, then squares of what is left: as exact as with the whole row at hand.
Result<bool> cut_normalize(RowWriter& w) {
  const ValueId x = w.node.inputs[0];
  const DType sums = wide(w.result().dtype);
  const auto axes = w.node.attributes.integers("axes");
  HADAL_TRY(ValueId centred, w.cast(x, sums));
  ValueId squared = x;
  if (w.node.attributes.text("kind", "layer") == "layer") {
    HADAL_TRY(const ValueId mean, w.reduce(x, "mean", axes, true, sums));
    HADAL_TRY(centred, w.add(ops::sub, {centred, mean}));
    squared = centred;
  }
  HADAL_TRY(ValueId scale, w.reduce(squared, "sum_square", axes, true, sums));
  HADAL_TRY(scale, w.add(ops::div, {scale, w.scalar(sums, static_cast<double>(w.fit.row))}));
  HADAL_TRY(scale, w.add(ops::add, {scale, w.scalar(sums, w.node.attributes.number("epsilon", 1e-5))}));
  HADAL_TRY(scale, w.add(ops::rsqrt, {scale}));
  HADAL_TRY(const ValueId y, w.add(ops::mul, {centred, scale}));
  return put_normalized(w, y);
}

/// Puts y - log_sum, or its exponential, in the place of a softmax.
Result<bool> put_softmax(RowWriter& w, ValueId y, ValueId log_sum) {
  HADAL_TRY(y, w.add(ops::sub, {y, log_sum}));
  if (w.node.attributes.integer("log") == 0) {
    HADAL_TRY(y, w.add(ops::exp, {y}));
  }
  HADAL_TRY(y, w.cast(y, w.result().dtype));
  w.replace(0, y);
  return true;
}

/// d = x - max; log softmax is d - log(sum(exp(d))), and softmax its exponential.
Result<bool> cut_softmax(RowWriter& w) {
  const ValueId x = w.node.inputs[0];
  const int64_t axis = w.node.attributes.integer("axis");
  const DType sums = wide(w.result().dtype);
  HADAL_TRY(const ValueId most, w.reduce(x, "max", {axis}, true, sums));
  HADAL_TRY(ValueId y, w.cast(x, sums));
  HADAL_TRY(y, w.add(ops::sub, {y, most}));
  HADAL_TRY(const ValueId log_sum, w.reduce(y, "log_sum_exp", {axis}, true, sums));
  return put_softmax(w, y, log_sum);
}

/// Softmax whose passes are layers of their own: the maximum, the sum of exponentials, and what follows from both. No
/// element is above the maximum, so taking the lesser of the two changes nothing but what must be there before.
Result<bool> softmax_by_passes(RowWriter& w) {
  const ValueId x = w.node.inputs[0];
  const int64_t axis = w.node.attributes.integer("axis");
  const DType sums = wide(w.result().dtype);
  HADAL_TRY(const ValueId most, w.reduce(x, "max", {axis}, true, sums));
  HADAL_TRY(const ValueId log_sum, w.reduce(x, "log_sum_exp", {axis}, true, sums));
  HADAL_TRY(ValueId y, w.cast(x, sums));
  HADAL_TRY(y, w.add(ops::min, {y, most}));
  return put_softmax(w, y, log_sum);
}

/// The same of layer norm, whose passes read and none but the last writes: the variance from sums of squares.
Result<bool> normalize_by_passes(RowWriter& w) {
  const ValueId x = w.node.inputs[0];
  const DType sums = wide(w.result().dtype);
  const auto axes = w.node.attributes.integers("axes");
  HADAL_TRY(ValueId variance, w.reduce(x, "sum_square", axes, true, sums));
  HADAL_TRY(variance, w.add(ops::div, {variance, w.scalar(sums, static_cast<double>(w.fit.row))}));
  HADAL_TRY(ValueId y, w.cast(x, sums));
  if (w.node.attributes.text("kind", "layer") == "layer") {
    HADAL_TRY(const ValueId mean, w.reduce(x, "mean", axes, true, sums));
    HADAL_TRY(const ValueId square, w.add(ops::mul, {mean, mean}));
    HADAL_TRY(variance, w.add(ops::sub, {variance, square}));
    HADAL_TRY(variance, w.add(ops::max, {variance, w.scalar(sums, 0)}));  // Rounding may leave less.
    HADAL_TRY(y, w.add(ops::sub, {y, mean}));
  }
  HADAL_TRY(ValueId scale, w.add(ops::add, {variance, w.scalar(sums, w.node.attributes.number("epsilon", 1e-5))}));
  HADAL_TRY(scale, w.add(ops::rsqrt, {scale}));
  HADAL_TRY(y, w.add(ops::mul, {y, scale}));
  return put_normalized(w, y);
}

/// Running sums of pieces, each plus the sum of the pieces before it.
Result<bool> cut_cumsum(RowWriter& w) {
  const int64_t axis = w.node.attributes.integer("axis"), reverse = w.node.attributes.integer("reverse");
  const int64_t exclusive = w.node.attributes.integer("exclusive");
  const DType sums = wide(w.result().dtype);
  HADAL_TRY(const ValueId x, w.cast(w.node.inputs[0], sums));
  HADAL_TRY(const std::vector<Pieces> cut, w.cut(x, axis));
  std::vector<ValueId> totals, parts;
  for (const Pieces& pieces : cut) {
    HADAL_TRY(const ValueId total, w.reduce(pieces.value, "sum", {axis + 1}, false, sums));
    totals.push_back(total);
  }
  HADAL_TRY(ValueId before, w.concat(std::move(totals), axis));
  HADAL_TRY(before, w.add(ops::cumsum, {before}, {{"axis", axis}, {"exclusive", int64_t{1}}, {"reverse", reverse}}));
  int64_t first = 0;
  for (const Pieces& pieces : cut) {
    HADAL_TRY(const ValueId sum,
              w.add(ops::cumsum, {pieces.value}, {{"axis", axis + 1}, {"exclusive", exclusive}, {"reverse", reverse}}));
    HADAL_TRY(ValueId offset, w.slice(before, axis, first, pieces.count));
    Shape shape = w.type(pieces.value).shape;
    shape[static_cast<size_t>(axis + 1)] = 1;
    HADAL_TRY(offset, w.reshape(offset, std::move(shape)));
    HADAL_TRY(ValueId y, w.add(ops::add, {sum, offset}));
    HADAL_TRY(y, w.cast(y, w.result().dtype));
    HADAL_TRY(y, w.joined(y, axis));
    parts.push_back(y);
    first += pieces.count;
  }
  HADAL_TRY(const ValueId y, w.concat(std::move(parts), axis));
  w.replace(0, y);
  return true;
}

/// The extreme of each piece and its place; the first (or last) piece that has the extreme of all.
Result<bool> cut_arg_reduce(RowWriter& w) {
  const ValueId x = w.node.inputs[0];
  const int64_t axis = w.node.attributes.integer("axis"), last = w.node.attributes.integer("last");
  const std::string kind = w.node.attributes.text("kind");
  HADAL_TRY(const std::vector<Pieces> cut, w.cut(x, axis));
  std::vector<ValueId> places, extremes;
  for (const Pieces& pieces : cut) {
    HADAL_TRY(const ValueId place, w.add(ops::arg_reduce, {pieces.value},
                                         {{"kind", kind}, {"axis", axis + 1}, {"keep", int64_t{0}}, {"last", last}}));
    HADAL_TRY(const ValueId extreme, w.reduce(pieces.value, kind, {axis + 1}, false, w.type(x).dtype));
    places.push_back(place);
    extremes.push_back(extreme);
  }
  HADAL_TRY(const ValueId place, w.concat(std::move(places), axis));
  HADAL_TRY(const ValueId extreme, w.concat(std::move(extremes), axis));
  HADAL_TRY(const ValueId piece,
            w.add(ops::arg_reduce, {extreme}, {{"kind", kind}, {"axis", axis}, {"keep", int64_t{1}}, {"last", last}}));
  HADAL_TRY(const ValueId inside, w.add(ops::gather_elements, {place, piece}, {{"axis", axis}}));
  HADAL_TRY(ValueId y, w.add(ops::mul, {piece, w.scalar(DType::i64, static_cast<double>(cut[0].length))}));
  HADAL_TRY(y, w.add(ops::add, {y, inside}));
  HADAL_TRY(y, w.reshape(y, w.result().shape));
  w.replace(0, y);
  return true;
}

/// Where pieces begin, to be added to indices [..., count, k, ...] along them.
Tensor piece_starts(const Pieces& pieces, int64_t dims_behind) {
  std::vector<int64_t> starts;
  for (int64_t i = 0; i < pieces.count; ++i) starts.push_back(pieces.start + i * pieces.length);
  Shape shape(static_cast<size_t>(dims_behind) + 1, 1);
  shape[0] = pieces.count;
  return Tensor::of(DType::i64, shape, starts);
}

/// The best k of each piece, then those of them. Equals stand in the order of their indices, so the lower still wins.
Result<bool> cut_topk(RowWriter& w) {
  const ValueId x = w.node.inputs[0];
  const int64_t axis = w.node.attributes.integer("axis"), k = w.node.attributes.integer("k");
  if (w.fit.most < 2 * k) return false;  // The winners of all pieces would be as many as there were.
  HADAL_TRY(const std::vector<Pieces> cut, w.cut(x, axis, 2 * k));
  graph::Attributes attributes = w.node.attributes;
  std::vector<ValueId> values, indices;
  for (const Pieces& pieces : cut) {
    attributes.set("axis", axis + 1);
    attributes.set("k", std::min(k, pieces.length));
    HADAL_TRY(ValueId value, w.add(ops::topk, {pieces.value}, attributes));
    ValueId index = w.second();
    const int64_t behind = static_cast<int64_t>(w.type(pieces.value).shape.size()) - 1 - axis;
    HADAL_TRY(index, w.add(ops::add, {index, w.constant(piece_starts(pieces, behind))}));
    HADAL_TRY(value, w.joined(value, axis));
    HADAL_TRY(index, w.joined(index, axis));
    values.push_back(value);
    indices.push_back(index);
  }
  HADAL_TRY(const ValueId value, w.concat(std::move(values), axis));
  HADAL_TRY(const ValueId index, w.concat(std::move(indices), axis));
  HADAL_TRY(const ValueId best, w.add(ops::topk, {value}, w.node.attributes));
  HADAL_TRY(const ValueId place, w.add(ops::gather_elements, {index, w.second()}, {{"axis", axis}}));
  w.replace(0, best);
  w.replace(1, place);
  return true;
}

/// Elements of a long axis are looked up in memory instead, by their places in the whole tensor.
Result<bool> look_up(RowWriter& w) {
  const ValueId x = w.node.inputs[0];
  const int64_t axis = w.node.attributes.integer("axis"), n = w.extent(x, axis);
  const Shape shape = w.type(x).shape;
  Shape bases_shape = w.result().shape;
  bases_shape[static_cast<size_t>(axis)] = 1;
  std::vector<int64_t> strides(shape.size(), 1), bases;
  for (size_t d = shape.size() - 1; d-- > 0;) strides[d] = strides[d + 1] * shape[d + 1];
  for (int64_t i = 0; i < elements(bases_shape); ++i) {
    int64_t base = 0, rest = i;
    for (size_t d = shape.size(); d-- > 0; rest /= bases_shape[d]) base += rest % bases_shape[d] * strides[d];
    bases.push_back(base);
  }
  const auto number = [&](int64_t value) { return w.scalar(DType::i64, static_cast<double>(value)); };
  HADAL_TRY(const ValueId index, w.cast(w.node.inputs[1], DType::i64));
  HADAL_TRY(const ValueId negative, w.add(ops::less, {index, number(0)}));
  HADAL_TRY(const ValueId from_end, w.add(ops::add, {index, number(n)}));
  HADAL_TRY(ValueId place, w.add(ops::where, {negative, from_end, index}));
  HADAL_TRY(place, w.add(ops::max, {place, number(0)}));
  HADAL_TRY(place, w.add(ops::min, {place, number(n - 1)}));
  HADAL_TRY(place, w.add(ops::mul, {place, number(strides[static_cast<size_t>(axis)])}));
  HADAL_TRY(place, w.add(ops::add, {place, w.constant(Tensor::of(DType::i64, bases_shape, bases))}));
  HADAL_TRY(const ValueId table, w.reshape(x, {elements(shape)}));
  HADAL_TRY(const ValueId y, w.add(ops::gather, {table, place}, {{"axis", int64_t{0}}}));
  w.replace(0, y);
  return true;
}

/// Results that products multiply with values: of attention, which has habits of its own.
std::set<ValueId> attention_weights(const graph::Graph& graph) {
  std::set<ValueId> out;
  for (const graph::Node& node : graph.nodes)
    if (node.op == &ops::matmul) out.insert(node.inputs[0]);
  return out;
}

/// Nodes whose passes over rows are layers of their own in the profile's software, by their results.
std::set<ValueId> nodes_apart(const graph::Graph& graph, const Profile* profile) {
  std::set<ValueId> out;
  if (!profile) return out;
  const std::set<ValueId> attention = attention_weights(graph);
  for (const graph::Node& node : graph.nodes)
    if ((node.op == &ops::normalize && profile->normalize.passes == "apart") ||
        (node.op == &ops::softmax && profile->softmax.passes == "apart" && !attention.contains(node.outputs[0])))
      out.insert(node.outputs[0]);
  return out;
}

/// Whether the node was rewritten.
Result<bool> cut(graph::Graph& graph, const graph::Node& node, const chip::Chip& chip, bool apart,
                 const Profile* profile) {
  static const std::map<const graph::Op*, Result<bool> (*)(RowWriter&)> rules{
      {&ops::reduce, cut_reduce},      {&ops::normalize, cut_normalize},   {&ops::softmax, cut_softmax},
      {&ops::cumsum, cut_cumsum},      {&ops::arg_reduce, cut_arg_reduce}, {&ops::topk, cut_topk},
      {&ops::gather_elements, look_up}};
  RowWriter writer(graph, node, chip, profile);
  if ((writer.fit.fits() && !apart) || elements(writer.result().shape) == 0) return false;
  if (profile && node.op == &ops::softmax) return softmax_by_passes(writer);
  if (profile && node.op == &ops::normalize && !apart) return normalize_by_passes(writer);
  return rules.at(node.op)(writer);
}

}  // namespace

Status cut_long_rows(graph::Graph& graph, const chip::Chip& chip, const Profile* profile) {
  for (bool changed = true; changed;) {
    changed = false;
    const std::set<ValueId> apart = nodes_apart(graph, profile);
    std::vector<graph::Node> nodes = std::move(graph.nodes);
    graph.nodes.clear();
    for (graph::Node& node : nodes) {
      HADAL_TRY(const bool did, cut(graph, node, chip, apart.contains(node.outputs[0]), profile));
      changed = changed || did;
      if (did) continue;
      for (const ValueId v : node.outputs) graph.value(v).producer = static_cast<int32_t>(graph.nodes.size());
      graph.nodes.push_back(std::move(node));
    }
    if (changed) graph::compact(graph);
  }
  return {};
}

}  // namespace hadal::compile

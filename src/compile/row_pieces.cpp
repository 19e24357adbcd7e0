#include "compile/row_pieces.h"

#include <algorithm>

#include "compile/tiling.h"

namespace hadal::compile {

namespace ops = graph::ops;
using graph::ValueId;

Result<ValueId> RowWriter::add(const graph::Op& op, std::vector<ValueId> inputs, graph::Attributes attributes) {
  HADAL_TRY(const std::vector<ValueId> made, graph_.add(op, std::move(inputs), std::move(attributes), node.origins));
  return made[0];
}

ValueId RowWriter::constant(Tensor tensor) {
  return graph_.add_constant(fmt::format("{}#{}", node.origins.front(), graph_.values.size()), std::move(tensor));
}

ValueId RowWriter::scalar(DType dtype, double value) {
  return constant(hadal::cast(Tensor::of(DType::f64, {}, std::vector<double>{value}), dtype));
}

Result<ValueId> RowWriter::cast(ValueId v, DType dtype) {
  if (type(v).dtype == dtype) return v;
  return add(ops::cast, {v}, {{"to", std::string(name_of(dtype))}});
}

Result<ValueId> RowWriter::reshape(ValueId v, Shape shape) {
  if (type(v).shape == shape) return v;
  return add(ops::reshape, {v}, {{"shape", std::move(shape)}});
}

Result<ValueId> RowWriter::slice(ValueId v, int64_t axis, int64_t start, int64_t size) {
  if (extent(v, axis) == size) return v;
  Shape sizes = type(v).shape;
  std::vector<int64_t> starts(sizes.size(), 0), steps(sizes.size(), 1);
  starts[static_cast<size_t>(axis)] = start;
  sizes[static_cast<size_t>(axis)] = size;
  return add(ops::slice, {v},
             {{"starts", std::move(starts)}, {"steps", std::move(steps)}, {"sizes", std::move(sizes)}});
}

Result<ValueId> RowWriter::concat(std::vector<ValueId> parts, int64_t axis) {
  if (parts.size() == 1) return parts[0];
  return add(ops::concat, std::move(parts), {{"axis", axis}});
}

Result<ValueId> RowWriter::reduce(ValueId v, const std::string& kind, std::vector<int64_t> axes, bool keep, DType to) {
  return add(ops::reduce, {v},
             {{"kind", kind}, {"axes", std::move(axes)}, {"keep", int64_t{keep}}, {"to", std::string(name_of(to))}});
}

namespace {

/// The length of equal pieces of `extent`, from `least` to `most`, with which the busiest of the cores has least to do;
/// an even part where none divides it. There are `rows` such extents.
int64_t piece_length(int64_t extent, int64_t least, int64_t most, int64_t rows, int64_t cores) {
  int64_t best = 0, least_work = INT64_MAX;
  for (int64_t length = most; length >= least; --length) {
    if (extent % length != 0) continue;
    const int64_t work = (rows * (extent / length) + cores - 1) / cores * length;
    if (work >= least_work) continue;
    least_work = work;
    best = length;
  }
  return best > 0 ? best : even_part(extent, most);
}

}  // namespace

Result<std::vector<Pieces>> RowWriter::cut(ValueId v, int64_t axis, int64_t least) {
  const int64_t n = extent(v, axis), total = elements(type(v).shape);
  const int64_t most = std::clamp(tile_elements(total, cores_, fit.most), std::min(least, fit.most), fit.most);
  const int64_t length = piece_length(n, std::max({most / 4, least, int64_t{2}}), most, total / n, cores_);
  std::vector<Pieces> out;
  for (int64_t start = 0; start < n;) {
    const int64_t left = n - start;
    Pieces pieces{graph::absent, start, std::max<int64_t>(left / length, 1), std::min(left, length)};
    HADAL_TRY(const ValueId part, slice(v, axis, start, pieces.count * pieces.length));
    Shape shape = type(part).shape;
    shape[static_cast<size_t>(axis)] = pieces.count;
    shape.insert(shape.begin() + axis + 1, pieces.length);
    HADAL_TRY(pieces.value, reshape(part, std::move(shape)));
    start += pieces.count * pieces.length;
    out.push_back(pieces);
  }
  return out;
}

Result<ValueId> RowWriter::joined(ValueId v, int64_t axis) {
  Shape shape = type(v).shape;
  shape[static_cast<size_t>(axis)] *= extent(v, axis + 1);
  shape.erase(shape.begin() + axis + 1);
  return reshape(v, std::move(shape));
}

void RowWriter::replace(size_t i, ValueId v) {
  const int32_t maker = graph_.value(v).producer;
  for (ValueId& made : graph_.nodes[static_cast<size_t>(maker)].outputs)
    if (made == v) made = node.outputs[i];
  graph_.value(node.outputs[i]).producer = maker;
}

}  // namespace hadal::compile

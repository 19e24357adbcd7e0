// Ops that read at positions given by a tensor.
#include "graph/backward.h"
#include "graph/ops.h"
#include "graph/ops/support.h"

namespace hadal::graph::ops {

namespace {

Status check_indices(std::string_view op, const Type& indices) {
  if (indices.dtype == DType::i32 || indices.dtype == DType::i64) return {};
  return rule(fmt::format("{}.indices", op), "indices are i32 or i64, found {}", name_of(indices.dtype));
}

Result<std::vector<Type>> infer_gather(const OperandTypes& in, const Attributes& a) {
  HADAL_CHECK(check_operands("gather", in, 2, 2));
  HADAL_CHECK(check_indices("gather", *in[1]));
  const Shape& x = in[0]->shape;
  const int64_t axis = a.integer("axis");
  HADAL_CHECK(check_axis("gather", axis, x.size()));
  if (x[index(axis)] == 0 && elements(in[1]->shape) > 0) return rule("gather.C1", "axis {} is empty", axis);
  Shape shape(x.begin(), x.begin() + axis);
  shape.insert(shape.end(), in[1]->shape.begin(), in[1]->shape.end());
  shape.insert(shape.end(), x.begin() + axis + 1, x.end());
  if (checked_bytes(shape, bytes_of(in[0]->dtype)) < 0) return rule("gather.C2", "the result is too large");
  return std::vector<Type>{{in[0]->dtype, shape}};
}

std::vector<Tensor> reference_gather(const OperandTensors& in, const Attributes& a, const std::vector<Type>& results) {
  const Tensor& x = *in[0];
  const auto axis = index(a.integer("axis"));
  Output out(results[0]);
  const int64_t slab = extent_of(x.shape, axis + 1, x.shape.size()) * bytes_of(x.dtype);
  std::byte* to = out.data;
  if (slab == 0) return {out.tensor};
  for (int64_t row = 0; row < extent_of(x.shape, 0, axis); ++row)
    for (int64_t i = 0; i < in[1]->size(); ++i, to += slab) {
      const int64_t from = resolve_index(integer_at(*in[1], i), x.shape[axis]);
      std::memcpy(to, x.bytes.view.data() + (row * x.shape[axis] + from) * slab, index(slab));
    }
  return {out.tensor};
}

Result<std::vector<Type>> infer_gather_elements(const OperandTypes& in, const Attributes& a) {
  HADAL_CHECK(check_operands("gather_elements", in, 2, 2));
  HADAL_CHECK(check_indices("gather_elements", *in[1]));
  const Shape &x = in[0]->shape, &i = in[1]->shape;
  const int64_t axis = a.integer("axis");
  HADAL_CHECK(check_axis("gather_elements", axis, x.size()));
  if (i.size() != x.size()) return rule("gather_elements.C1", "ranks differ: {} and {}", x.size(), i.size());
  for (size_t k = 0; k < x.size(); ++k)
    if (k == index(axis) ? x[k] == 0 && elements(i) > 0 : i[k] > x[k])
      return rule("gather_elements.C2", "axis {}: {} indices into {}", k, i[k], x[k]);
  return std::vector<Type>{{in[0]->dtype, i}};
}

std::vector<Tensor> reference_gather_elements(const OperandTensors& in, const Attributes& a,
                                              const std::vector<Type>& results) {
  const Tensor& x = *in[0];
  const auto axis = index(a.integer("axis"));
  Output out(results[0]);
  Integers strides = strides_of(x.shape);
  const int64_t along = strides[axis];
  strides[axis] = 0;
  const int width = bytes_of(x.dtype);
  Walk walk(results[0].shape, {strides});
  for (int64_t i = 0; i < out.tensor.size(); ++i, walk.next()) {
    const int64_t from = walk.offset(0) + along * resolve_index(integer_at(*in[1], i), x.shape[axis]);
    std::memcpy(out.data + i * width, x.bytes.view.data() + from * width, index(width));
  }
  return {out.tensor};
}

Term sums_at(Backward& n, const Term& indices, const Term& updates, int64_t axis, const Shape& shape) {
  const Term zeros = updates.number(0).broadcast(shape);
  return zeros.with(n.b.make(scatter, {zeros.id, indices.id, updates.id}, {{"axis", axis}, {"combine", "add"}}));
}

/// A slab gets the sum of the gradients at all places that it was read for.
void gradient_gather(Backward& n) {
  if (!n.wants(0)) return;
  const int64_t axis = n.node.attributes.integer("axis"), count = elements(n.in(1).shape());
  const Shape shape = n.in(0).shape();
  Shape updates = shape, along(shape.size(), 1);
  updates[index(axis)] = along[index(axis)] = count;
  n.give(0, sums_at(n, n.in(1).reshaped(along), n.upstream().reshaped(updates), axis, shape));
}

void gradient_gather_elements(Backward& n) {
  if (n.wants(0)) n.give(0, sums_at(n, n.in(1), n.upstream(), n.node.attributes.integer("axis"), n.in(0).shape()));
}

}  // namespace

const Op gather{"gather",         "Slabs of x along an axis, in the order that the indices say.",
                {"axis"},         infer_gather,
                reference_gather, gradient_gather};
const Op gather_elements{"gather_elements",
                         "For each index, the element of x at its own position but for one axis.",
                         {"axis"},
                         infer_gather_elements,
                         reference_gather_elements,
                         gradient_gather_elements};

}  // namespace hadal::graph::ops

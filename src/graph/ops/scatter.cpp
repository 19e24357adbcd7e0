// Writes at positions given by a tensor. Updates are applied in row-major order: of equal positions with combine = set,
// the last one stays.
#include "graph/backward.h"
#include "graph/ops.h"
#include "graph/ops/support.h"

namespace hadal::graph::ops {

namespace {

Status check_operands(const OperandTypes& in, const Attributes& a) {
  HADAL_CHECK(graph::check_operands("scatter", in, 3, 3));
  if (in[1]->dtype != DType::i32 && in[1]->dtype != DType::i64)
    return rule("scatter.indices", "indices are i32 or i64, found {}", name_of(in[1]->dtype));
  if (in[0]->dtype != in[2]->dtype)
    return rule("scatter.updates", "updates are {}, the operand is {}", name_of(in[2]->dtype), name_of(in[0]->dtype));
  const std::string combine = a.text("combine", "set");
  for (const std::string_view known : {"set", "add", "mul", "min", "max"})
    if (combine == known) return {};
  return rule("scatter.combine", "'{}' is no way to combine", printable(combine));
}

void combine_into(DType dtype, std::byte* to, const std::byte* from, const std::string& combine) {
  if (combine == "set") {
    std::memcpy(to, from, index(bytes_of(dtype)));
    return;
  }
  const auto combined = [&](auto old, auto update) {
    if (combine == "add") return old + update;
    if (combine == "mul") return old * update;
    if (combine == "min") return std::min(old, update);
    return std::max(old, update);
  };
  if (is_float(dtype))
    store_number(dtype, to, combined(load_number(dtype, to), load_number(dtype, from)));
  else
    store_integer(dtype, to, combined(load_integer(dtype, to), load_integer(dtype, from)));
}

Result<std::vector<Type>> infer(const OperandTypes& in, const Attributes& a) {
  HADAL_CHECK(check_operands(in, a));
  const Shape &x = in[0]->shape, &i = in[1]->shape, &updates = in[2]->shape;
  const int64_t axis = a.integer("axis");
  HADAL_CHECK(check_axis("scatter", axis, x.size()));
  if (i.size() != x.size() || updates.size() != x.size())
    return rule("scatter.C1", "indices {}, updates {}, operand {}", hadal::text_of(i), hadal::text_of(updates),
                hadal::text_of(x));
  for (size_t k = 0; k < x.size(); ++k) {
    const bool along = k == index(axis);
    if (i[k] != updates[k] && (along || i[k] != 1))
      return rule("scatter.C1", "axis {}: {} indices for {} updates", k, i[k], updates[k]);
    if (along ? x[k] == 0 && elements(updates) > 0 : updates[k] > x[k])
      return rule("scatter.C2", "axis {}: {} updates into {}", k, updates[k], x[k]);
  }
  return std::vector<Type>{*in[0]};
}

std::vector<Tensor> reference(const OperandTensors& in, const Attributes& a, const std::vector<Type>&) {
  const Tensor &x = *in[0], &indices = *in[1], &updates = *in[2];
  Output out(x.dtype, x.shape);
  if (!x.bytes.view.empty()) std::memcpy(out.data, x.bytes.view.data(), x.bytes.view.size());
  const auto axis = index(a.integer("axis"));
  Integers strides = strides_of(x.shape);
  const int64_t along = strides[axis];
  strides[axis] = 0;
  const int width = bytes_of(x.dtype);
  const std::string combine = a.text("combine", "set");
  Walk walk(updates.shape, {strides, broadcast_strides(indices.shape, updates.shape)});
  for (int64_t i = 0; i < updates.size(); ++i, walk.next()) {
    const int64_t to = walk.offset(0) + along * resolve_index(integer_at(indices, walk.offset(1)), x.shape[axis]);
    combine_into(x.dtype, out.data + to * width, updates.bytes.view.data() + i * width, combine);
  }
  return {out.tensor};
}

/// Of equal positions with combine = set, only the update that stays has a gradient: the one whose number is there.
void gradient(Backward& n) {
  const int64_t axis = n.node.attributes.integer("axis");
  const std::string combine = n.node.attributes.text("combine", "set");
  const Term g = n.upstream(), indices = n.in(1).broadcast(n.in(2).shape());
  const auto written = [&](const Term& x, const Term& updates) {
    return x.with(n.b.make(scatter, {x.id, indices.id, updates.id}, {{"axis", axis}, {"combine", "set"}}));
  };
  const auto read = [&](const Term& x) { return x.apply(gather_elements, indices, {{"axis", axis}}); };
  if (combine == "add") {
    n.give(0, g);
    n.give(2, read(g));
  } else if (combine == "set") {
    if (n.wants(0)) n.give(0, written(g, g.number(0).broadcast(n.in(2).shape())));
    if (!n.wants(2)) return;
    const Term numbers = graph::positions(n.b, elements(n.in(2).shape())).reshaped(n.in(2).shape());
    const Term last = read(written(numbers.number(0).broadcast(g.shape()), numbers));
    n.give(2, where(equal(last, numbers), read(g), g.number(0)));
  } else {
    fail("gradient.missing", "scatter has no gradient where it combines by {}", combine);
  }
}

}  // namespace

const Op scatter{"scatter",           "x with each update combined at its own position but for one axis.",
                 {"axis", "combine"}, infer,
                 reference,           gradient};

}  // namespace hadal::graph::ops

// Ops that write at positions given by a tensor. Updates are applied in row-major order: of equal positions with
// combine = set, the last one stays.
#include "graph/ops.h"
#include "graph/ops/support.h"

namespace hadal::graph::ops {

namespace {

Status check_scatter(std::string_view op, const OperandTypes& in, const Attributes& a) {
  HADAL_CHECK(check_operands(op, in, 3, 3));
  if (in[1]->dtype != DType::i32 && in[1]->dtype != DType::i64)
    return rule(fmt::format("{}.indices", op), "indices are i32 or i64, found {}", name_of(in[1]->dtype));
  if (in[0]->dtype != in[2]->dtype)
    return rule(fmt::format("{}.updates", op), "updates are {}, the operand is {}", name_of(in[2]->dtype),
                name_of(in[0]->dtype));
  const std::string combine = a.text("combine", "set");
  for (const std::string_view known : {"set", "add", "mul", "min", "max"})
    if (combine == known) return {};
  return rule(fmt::format("{}.combine", op), "'{}' is no way to combine", printable(combine));
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

Output copy_of(const Tensor& x) {
  Output out(x.dtype, x.shape);
  if (!x.bytes.view.empty()) std::memcpy(out.data, x.bytes.view.data(), x.bytes.view.size());
  return out;
}

Result<std::vector<Type>> infer_elements(const OperandTypes& in, const Attributes& a) {
  HADAL_CHECK(check_scatter("scatter_elements", in, a));
  const Shape &x = in[0]->shape, &i = in[1]->shape;
  const int64_t axis = a.integer("axis");
  HADAL_CHECK(check_axis("scatter_elements", axis, x.size()));
  if (i != in[2]->shape || i.size() != x.size())
    return rule("scatter_elements.C1", "indices {}, updates {}, operand {}", hadal::text_of(i),
                hadal::text_of(in[2]->shape), hadal::text_of(x));
  for (size_t k = 0; k < x.size(); ++k)
    if (k == index(axis) ? x[k] == 0 && elements(i) > 0 : i[k] > x[k])
      return rule("scatter_elements.C2", "axis {}: {} indices into {}", k, i[k], x[k]);
  return std::vector<Type>{*in[0]};
}

std::vector<Tensor> reference_elements(const OperandTensors& in, const Attributes& a, const std::vector<Type>&) {
  Output out = copy_of(*in[0]);
  const auto axis = index(a.integer("axis"));
  Integers strides = strides_of(in[0]->shape);
  const int64_t along = strides[axis];
  strides[axis] = 0;
  const int width = bytes_of(in[0]->dtype);
  const std::string combine = a.text("combine", "set");
  Walk walk(in[1]->shape, {strides});
  for (int64_t i = 0; i < in[1]->size(); ++i, walk.next()) {
    const int64_t to = walk.offset(0) + along * resolve_index(integer_at(*in[1], i), in[0]->shape[axis]);
    combine_into(in[0]->dtype, out.data + to * width, in[2]->bytes.view.data() + i * width, combine);
  }
  return {out.tensor};
}

Result<std::vector<Type>> infer_nd(const OperandTypes& in, const Attributes& a) {
  HADAL_CHECK(check_scatter("scatter_nd", in, a));
  const Shape &x = in[0]->shape, &i = in[1]->shape;
  if (i.empty() || i.back() > rank_of(x))
    return rule("scatter_nd.C1", "indices {} into {}", hadal::text_of(i), hadal::text_of(x));
  Shape updates(i.begin(), i.end() - 1);
  updates.insert(updates.end(), x.begin() + i.back(), x.end());
  if (updates != in[2]->shape)
    return rule("scatter_nd.C2", "updates are {}, expected {}", hadal::text_of(in[2]->shape), hadal::text_of(updates));
  for (size_t k = 0; k < index(i.back()); ++k)
    if (x[k] == 0 && elements(i) > 0) return rule("scatter_nd.C3", "axis {} is empty", k);
  return std::vector<Type>{*in[0]};
}

std::vector<Tensor> reference_nd(const OperandTensors& in, const Attributes& a, const std::vector<Type>&) {
  Output out = copy_of(*in[0]);
  const Tensor &x = *in[0], &indices = *in[1];
  const int64_t depth = indices.shape.back();
  const Integers strides = strides_of(x.shape);
  const int64_t slab = extent_of(x.shape, index(depth), x.shape.size());
  const int64_t tuples = extent_of(indices.shape, 0, indices.shape.size() - 1);
  const int width = bytes_of(x.dtype);
  const std::string combine = a.text("combine", "set");
  for (int64_t t = 0; t < tuples; ++t) {
    int64_t to = 0;
    for (int64_t d = 0; d < depth; ++d)
      to += strides[index(d)] * resolve_index(integer_at(indices, t * depth + d), x.shape[index(d)]);
    for (int64_t i = 0; i < slab; ++i)
      combine_into(x.dtype, out.data + (to + i) * width, in[2]->bytes.view.data() + (t * slab + i) * width, combine);
  }
  return {out.tensor};
}

}  // namespace

const Op scatter_elements{"scatter_elements",
                          "x with each update combined at its own position but for one axis.",
                          {"axis", "combine"},
                          infer_elements,
                          reference_elements};
const Op scatter_nd{"scatter_nd",
                    "x with slabs combined at the positions in the last axis of the indices.",
                    {"combine"},
                    infer_nd,
                    reference_nd};

}  // namespace hadal::graph::ops

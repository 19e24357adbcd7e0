#include "graph/backward.h"
#include "graph/ops.h"
#include "graph/ops/support.h"

namespace hadal::graph::ops {

namespace {

Result<std::vector<Type>> infer(const OperandTypes& in, const Attributes& a) {
  HADAL_CHECK(check_operands("pad", in, 1, 1));
  const Integers low = a.integers("low"), high = a.integers("high");
  const std::string mode = a.text("mode", "constant");
  Type out = *in[0];
  HADAL_CHECK(check_count("pad", "low", low, out.shape.size()));
  HADAL_CHECK(check_count("pad", "high", high, out.shape.size()));
  if (mode != "constant" && mode != "reflect" && mode != "edge" && mode != "wrap")
    return rule("pad.mode", "'{}' is no mode", printable(mode));
  constexpr int64_t most = int64_t{1} << 40;
  for (size_t i = 0; i < low.size(); ++i) {
    const int64_t extent = out.shape[i];
    if (low[i] < 0 || high[i] < 0 || low[i] > most || high[i] > most)
      return rule("pad.C1", "axis {}: pads {} and {}", i, low[i], high[i]);
    if (mode != "constant" && low[i] + high[i] > 0 && extent == 0)
      return rule("pad.C2", "axis {} is empty: there is nothing to repeat", i);
    out.shape[i] += low[i] + high[i];
  }
  if (checked_bytes(out.shape, bytes_of(out.dtype)) < 0) return rule("pad.C3", "the result is too large");
  return std::vector<Type>{out};
}

/// The operand's position that stands at position i (counted from the operand's start), or -1.
int64_t source(int64_t i, int64_t extent, const std::string& mode) {
  if (i >= 0 && i < extent) return i;
  if (mode == "constant") return -1;
  if (mode == "edge") return std::clamp<int64_t>(i, 0, extent - 1);
  if (mode == "wrap") return ((i % extent) + extent) % extent;
  if (extent == 1) return 0;
  const int64_t period = 2 * (extent - 1);
  const int64_t phase = ((i % period) + period) % period;
  return phase < extent ? phase : period - phase;
}

/// Pads one axis: whole slabs are copied.
Tensor pad_axis(const Tensor& x, size_t axis, int64_t low, int64_t high, const std::string& mode, double value) {
  Shape shape = x.shape;
  const int64_t extent = shape[axis];
  shape[axis] += low + high;
  Output out(x.dtype, shape);
  const auto width = static_cast<size_t>(bytes_of(x.dtype));
  const auto slab = static_cast<size_t>(extent_of(x.shape, axis + 1, x.shape.size())) * width;
  std::vector<std::byte> fill(slab);
  for (size_t i = 0; i < slab; i += width) store_number(x.dtype, fill.data() + i, value);
  std::byte* to = out.data;
  for (int64_t row = 0; row < extent_of(x.shape, 0, axis); ++row)
    for (int64_t i = -low; i < extent + high; ++i, to += slab) {
      const int64_t from = source(i, extent, mode);
      if (slab > 0)
        std::memcpy(to, from < 0 ? fill.data() : x.bytes.view.data() + index(row * extent + from) * slab, slab);
    }
  return out.tensor;
}

std::vector<Tensor> reference(const OperandTensors& in, const Attributes& a, const std::vector<Type>&) {
  const Integers low = a.integers("low"), high = a.integers("high");
  Tensor x = *in[0];
  for (size_t axis = 0; axis < low.size(); ++axis)
    if (low[axis] + high[axis] > 0)
      x = pad_axis(x, axis, low[axis], high[axis], a.text("mode", "constant"), a.number("value"));
  return {x};
}

/// Each element gets the gradients of all positions that it stands at: of an axis that repeats, those beyond the ends
/// too.
void gradient(Backward& n) {
  const Integers low = n.node.attributes.integers("low"), high = n.node.attributes.integers("high");
  const std::string mode = n.node.attributes.text("mode", "constant");
  const Shape shape = n.in(0).shape();
  Term g = n.upstream();
  for (size_t i = 0; i < low.size(); ++i) {
    const auto axis = static_cast<int64_t>(i);
    if (low[i] + high[i] == 0) continue;
    if (mode == "constant") {
      g = g.slice(axis, low[i], shape[i]);
      continue;
    }
    Integers sources;
    for (int64_t p = -low[i]; p < shape[i] + high[i]; ++p) sources.push_back(source(p, shape[i], mode));
    Shape along(low.size(), 1), part = g.shape();
    along[i] = std::ssize(sources);
    part[i] = shape[i];
    const Term at = Term{&n.b, n.b.constant(sources)}.reshaped(along);
    const Term zeros = g.number(0).broadcast(part);
    g = g.with(n.b.make(scatter, {zeros.id, at.id, g.id}, {{"axis", axis}, {"combine", "add"}}));
  }
  n.give(0, g);
}

}  // namespace

const Op pad{"pad",
             "Elements before and behind each axis: a constant, or the operand's mirrored, repeated or wrapped.",
             {"low", "high", "mode", "value"},
             infer,
             reference,
             gradient};

}  // namespace hadal::graph::ops

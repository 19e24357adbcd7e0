#include "onnx/heads.h"

#include <cmath>

namespace hadal::onnx {

Term split_heads(const Term& x, int64_t heads) {
  const Shape s = x.shape();
  if (s.size() == 4) return x;
  if (s.size() != 3 || heads < 1 || s[2] % heads != 0) fail("onnx.shape", "{} heads in {}", heads, text_of(s));
  return x.reshaped({s[0], s[1], heads, s[2] / heads}).transposed({0, 2, 1, 3});
}

Term merged_heads(const Term& x) {
  const Shape s = x.shape();
  return x.transposed({0, 2, 1, 3}).reshaped({s[0], s[2], s[1] * s[3]});
}

Term repeat_heads(const Term& x, int64_t heads) {
  const Shape s = x.shape();
  if (s[1] == heads) return x;
  if (s[1] < 1 || heads % s[1] != 0) fail("onnx.shape", "{} heads of keys for {} of queries", s[1], heads);
  const int64_t times = heads / s[1];
  return x.reshaped({s[0], s[1], 1, s[2], s[3]})
      .broadcast({s[0], s[1], times, s[2], s[3]})
      .reshaped({s[0], heads, s[2], s[3]});
}

SharedHeads::SharedHeads(const Term& query, const Term& key)
    : heads_(query.shape()[1]), shared_(key.shape()[1]), rows_(query.shape()[2]) {
  if (shared_ < 1 || heads_ % shared_ != 0) fail("onnx.shape", "{} heads of keys for {} of queries", shared_, heads_);
}

Term SharedHeads::apart(const Term& x) const {
  Shape s = x.shape();
  if (heads_ == shared_ || s.size() < 3) return x;
  const auto head = s.end() - 3;
  if (*head == 1 && rows_ == 1) return x;
  const int64_t times = *head == 1 ? 1 : heads_ / shared_;
  *head /= times;
  if (rows_ == 1)
    *(head + 1) = times;
  else
    s.insert(head + 1, times);
  return x.reshaped(s);
}

Term SharedHeads::shared(const Term& x) const {
  const Shape s = x.shape();
  return heads_ == shared_ || rows_ == 1 ? x : x.reshaped({s[0], s[1], 1, s[2], s[3]});
}

Term SharedHeads::together(const Term& x) const {
  const Shape s = x.shape();
  return heads_ == shared_ ? x : x.reshaped({s[0], heads_, rows_, s.back()});
}

Term softmax_of(const Term& scores) {
  return scores.apply(ops::softmax, {{"axis", static_cast<int64_t>(scores.shape().size()) - 1}});
}

double scale_of(const Site& n, int64_t size) {
  const double given = n.number("scale");
  return given != 0 ? given : 1 / std::sqrt(static_cast<double>(size));
}

namespace {

/// All of x, in halves: each half times the cosine, and the other one times the sine or its negative.
Term turned_halves(const Term& x, const Term& cosine, const Term& sine) {
  const Shape s = x.shape();
  const Term halves = x.reshaped({s[0], s[1], s[2], 2, s[3] / 2});
  const Term swapped = halves.apply(
      ops::slice,
      {{"starts", Integers{0, 0, 0, 1, 0}}, {"steps", Integers{1, 1, 1, -1, 1}}, {"sizes", halves.shape()}});
  const auto apart = [](const Term& angles) {
    Shape shape = angles.shape();
    shape.insert(shape.begin() + 3, 1);
    return angles.reshaped(shape);
  };
  const Term sign = x.with(x.b().constant(Tensor::of<float>(DType::f32, {2, 1}, {-1, 1}))).as(x.dtype());
  return (halves * apart(cosine) + swapped * sign * apart(sine)).reshaped(s);
}

}  // namespace

Term turned(const Term& x, const Term& cosine, const Term& sine, bool neighbours) {
  const Shape s = x.shape();
  const int64_t half = cosine.shape().back(), turning = 2 * half;
  if (half < 1 || turning > s[3]) fail("onnx.shape", "{} of {} elements turn", turning, s[3]);
  if (!neighbours && turning == s[3]) return turned_halves(x, cosine, sine);
  const Term part = x.slice(3, 0, turning);
  const Term pairs = neighbours ? part.reshaped({s[0], s[1], s[2], half, 2})
                                : part.reshaped({s[0], s[1], s[2], 2, half}).transposed({0, 1, 2, 4, 3});
  const auto side = [&](int64_t i) { return pairs.slice(4, i, 1).reshaped({s[0], s[1], s[2], half}); };
  const Term a = side(0), b = side(1), first = cosine * a - sine * b, second = sine * a + cosine * b;
  const Shape one{s[0], s[1], s[2], half, 1};
  const Term y = neighbours
                     ? joined({first.reshaped(one), second.reshaped(one)}, 4).reshaped({s[0], s[1], s[2], turning})
                     : joined({first, second}, 3);
  return turning < s[3] ? joined({y, x.slice(3, turning, s[3] - turning)}, 3) : y;
}

}  // namespace hadal::onnx

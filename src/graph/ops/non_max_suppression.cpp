#include <array>

#include "graph/ops.h"
#include "graph/ops/support.h"

namespace hadal::graph::ops {

namespace {

Result<std::vector<Type>> infer(const OperandTypes& in, const Attributes& a) {
  HADAL_CHECK(check_operands("non_max_suppression", in, 5, 5));
  const Shape &boxes = in[0]->shape, &scores = in[1]->shape;
  if (boxes.size() != 3 || scores.size() != 3 || boxes[2] != 4 || boxes[0] != scores[0] || boxes[1] != scores[2])
    return rule("non_max_suppression.C1", "boxes are [B,N,4] and scores [B,C,N], found {} and {}",
                hadal::text_of(boxes), hadal::text_of(scores));
  if (!is_float(in[0]->dtype) || !is_float(in[1]->dtype))
    return rule("non_max_suppression.dtype", "boxes and scores are floats");
  for (size_t i = 2; i < 5; ++i)
    if (elements(in[i]->shape) != 1) return rule("non_max_suppression.C2", "limit {} is no single number", i - 2);
  const int64_t each = std::clamp<int64_t>(a.integer("most"), 0, boxes[1]);
  return std::vector<Type>{{DType::i64, {scores[0] * scores[1] * each, 3}}};
}

using Box = std::array<double, 4>;  // low y, low x, high y, high x

Box box_at(const Tensor& boxes, int64_t at) {
  const double p = number_at(boxes, at), q = number_at(boxes, at + 1), r = number_at(boxes, at + 2),
               s = number_at(boxes, at + 3);
  return {std::min(p, r), std::min(q, s), std::max(p, r), std::max(q, s)};
}

/// Intersection over union.
double overlap(const Box& a, const Box& b) {
  const double height = std::min(a[2], b[2]) - std::max(a[0], b[0]),
               width = std::min(a[3], b[3]) - std::max(a[1], b[1]);
  if (height <= 0 || width <= 0) return 0;
  const double both = height * width;
  const double area = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both;
  return area <= 0 ? 0 : both / area;
}

std::vector<Tensor> reference(const OperandTensors& in, const Attributes& a, const std::vector<Type>& results) {
  const Tensor &boxes = *in[0], &scores = *in[1];
  const int64_t batches = scores.shape[0], classes = scores.shape[1], n = scores.shape[2];
  const int64_t each = std::clamp<int64_t>(integer_at(*in[2], 0), 0, std::min(n, a.integer("most")));
  const double most_overlap = number_at(*in[3], 0), least = number_at(*in[4], 0);
  Output out(results[0]);
  std::fill_n(out.as<int64_t>(), out.tensor.size(), -1);
  int64_t row = 0;
  for (int64_t b = 0; b < batches; ++b)
    for (int64_t c = 0; c < classes; ++c) {
      const auto score = [&](int64_t i) { return number_at(scores, (b * classes + c) * n + i); };
      Integers candidates;
      for (int64_t i = 0; i < n; ++i)
        if (score(i) > least) candidates.push_back(i);
      std::stable_sort(candidates.begin(), candidates.end(), [&](int64_t p, int64_t q) { return score(p) > score(q); });
      std::vector<Box> kept;
      for (const int64_t i : candidates) {
        if (static_cast<int64_t>(kept.size()) == each) break;
        const Box box = box_at(boxes, (b * n + i) * 4);
        if (std::any_of(kept.begin(), kept.end(), [&](const Box& other) { return overlap(box, other) > most_overlap; }))
          continue;
        kept.push_back(box);
        int64_t* const to = out.as<int64_t>() + 3 * row++;
        to[0] = b, to[1] = c, to[2] = i;
      }
    }
  return {out.tensor};
}

}  // namespace

const Op non_max_suppression{
    .name = "non_max_suppression",
    .summary = "Boxes in order of score, without those that overlap a better one of their class.",
    .attributes = {"most"},
    .infer = infer,
    .reference = reference,
    .counted_axis = 0};

}  // namespace hadal::graph::ops

#include <algorithm>
#include <vector>

#include "isa/fields.h"
#include "machine/functional/host_call.h"
#include "machine/functional/numbers.h"

namespace hadal::machine {

namespace {

float at(const Operand& operand, std::initializer_list<int64_t> index) {
  int64_t offset = 0;
  size_t axis = 0;
  for (const int64_t i : index) offset += i * operand.box->strides[axis++];
  return get<float>(operand.dtype(), operand.data + offset);
}

/// The elements of an operand of any rank, in order.
std::vector<float> numbers(const Operand& operand) {
  std::vector<std::byte> bytes(static_cast<size_t>(operand.elements()) * sizeof(float));
  copy_box_plainly(operand.rank(), operand.extents(),
                   {bytes.data(), DType::f32, dense_strides(operand.rank(), operand.extents(), sizeof(float))},
                   {operand.data, operand.dtype(), operand.box->strides});
  const auto* first = reinterpret_cast<const float*>(bytes.data());
  return {first, first + operand.elements()};
}

struct Limits {
  float per_class = 0, overlap = 0, score = -std::numeric_limits<float>::infinity();
};

Limits limits_of(const Call& call) {
  std::vector<float> all;
  for (size_t i = isa::at::host_in + 2; i < isa::at::host_in + 5; ++i)
    if (call[i])
      for (const float value : numbers(call[i])) all.push_back(value);
  Limits limits;
  if (!all.empty()) limits.per_class = all[0];
  if (all.size() > 1) limits.overlap = all[1];
  if (all.size() > 2) limits.score = all[2];
  return limits;
}

struct Corners {
  float y0, x0, y1, x1;
  [[nodiscard]] float area() const { return (y1 - y0) * (x1 - x0); }
};

Corners corners(const Operand& boxes, int64_t batch, int64_t i) {
  const float a = at(boxes, {batch, i, 0}), b = at(boxes, {batch, i, 1}), c = at(boxes, {batch, i, 2}),
              d = at(boxes, {batch, i, 3});
  return {std::min(a, c), std::min(b, d), std::max(a, c), std::max(b, d)};
}

float overlap(const Corners& a, const Corners& b) {
  const float height = std::min(a.y1, b.y1) - std::max(a.y0, b.y0), width = std::min(a.x1, b.x1) - std::max(a.x0, b.x0);
  if (height <= 0 || width <= 0 || a.area() <= 0 || b.area() <= 0) return 0;
  return height * width / (a.area() + b.area() - height * width);
}

/// The boxes that one class of one picture keeps, best first; of equal scores the lower index.
std::vector<int64_t> keep(const Operand& boxes, const Operand& scores, const Limits& limits, int64_t batch,
                          int64_t type) {
  std::vector<std::pair<float, int64_t>> candidates;
  for (int64_t i = 0; i < boxes.extent(1); ++i)
    if (const float score = at(scores, {batch, type, i}); score > limits.score) candidates.emplace_back(score, i);
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<int64_t> kept;
  std::vector<Corners> corners_kept;
  for (const auto& [score, i] : candidates) {
    if (static_cast<float>(kept.size()) >= limits.per_class) break;
    const Corners box = corners(boxes, batch, i);
    if (std::any_of(corners_kept.begin(), corners_kept.end(),
                    [&](const Corners& other) { return overlap(box, other) > limits.overlap; }))
      continue;
    kept.push_back(i);
    corners_kept.push_back(box);
  }
  return kept;
}

}  // namespace

Status non_max_suppression(Call& call) {
  const Operand &out = call[isa::at::host_out], &count = call[isa::at::host_count], &boxes = call[isa::at::host_in],
                &scores = call[isa::at::host_in + 1];
  const bool legal = out.rank() == 2 && out.extent(1) == 3 && boxes && boxes.rank() == 3 && boxes.extent(2) == 4 &&
                     scores && scores.rank() == 3 && scores.extent(0) == boxes.extent(0) &&
                     scores.extent(2) == boxes.extent(1);
  if (!legal)
    return call.fail("host_call.C2",
                     "non_max_suppression takes boxes [b, n, 4] and scores [b, classes, n], and gives rows of 3");
  const Limits limits = limits_of(call);
  int64_t row = 0;
  const auto write_row = [&](int64_t batch, int64_t type, int64_t box) {
    const std::array<int64_t, 3> values{batch, type, box};
    for (size_t i = 0; i < 3; ++i)
      put<int64_t>(out.dtype(), out.data + row * out.box->strides[0] + static_cast<int64_t>(i) * out.box->strides[1],
                   values[i]);
    ++row;
  };
  for (int64_t batch = 0; batch < boxes.extent(0); ++batch)
    for (int64_t type = 0; type < scores.extent(1); ++type)
      for (const int64_t box : keep(boxes, scores, limits, batch, type))
        if (row < out.extent(0)) write_row(batch, type, box);
  if (count) put<int64_t>(count.dtype(), count.data, row);
  while (row < out.extent(0)) write_row(-1, -1, -1);
  return {};
}

}  // namespace hadal::machine

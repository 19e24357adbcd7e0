// The outputs' part of the terminal's report.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "report/summary.h"
#include "report/text.h"

namespace hadal::report {

namespace {

constexpr int64_t top = 5;

/// One row of scores: extents of one, then two or more.
bool is_row(const Tensor& tensor) {
  if (tensor.shape.empty() || !is_float(tensor.dtype)) return false;
  return tensor.shape.back() >= 2 &&
         std::all_of(tensor.shape.begin(), tensor.shape.end() - 1, [](int64_t n) { return n == 1; });
}

/// "top   282: 0.701   281: 0.252 …": indices of the largest values.
std::string top_text(const Tensor& tensor) {
  std::vector<int64_t> order(static_cast<size_t>(tensor.size()));
  std::iota(order.begin(), order.end(), int64_t{0});
  const auto value = [&](int64_t i) {
    const double v = number_at(tensor, i);
    return std::isnan(v) ? -std::numeric_limits<double>::infinity() : v;
  };
  const auto first = order.begin(), last = order.begin() + std::min<int64_t>(top, tensor.size());
  std::partial_sort(first, last, order.end(),
                    [&](int64_t a, int64_t b) { return value(a) != value(b) ? value(a) > value(b) : a < b; });
  std::string out = "top";
  for (auto i = first; i != last; ++i) out += fmt::format("  [{}] {:.4g}", *i, number_at(tensor, *i));
  return out;
}

std::string range_text(const Tensor& tensor) {
  const int64_t n = tensor.size();
  if (n == 0) return "no elements";
  double least = INFINITY, largest = -INFINITY, sum = 0;
  int64_t odd = 0;
  for (int64_t i = 0; i < n; ++i) {
    const double value = number_at(tensor, i);
    if (!std::isfinite(value)) {
      ++odd;
      continue;
    }
    least = std::min(least, value), largest = std::max(largest, value), sum += value;
  }
  std::string out =
      odd == n ? "" : fmt::format("{:.4g} .. {:.4g}, mean {:.4g}", least, largest, sum / static_cast<double>(n - odd));
  if (odd > 0) out += fmt::format("{}{} NaN or infinite", out.empty() ? "" : ", ", grouped(odd));
  return out;
}

}  // namespace

std::string outputs_text(const runtime::Outcome& outcome) {
  Table table({{}, {}, {}, {}});
  for (size_t i = 0; i < outcome.outputs.size(); ++i) {
    const Tensor& tensor = outcome.outputs[i];
    const isa::Port& port = outcome.program.outputs[i];
    std::string values = is_row(tensor) ? top_text(tensor) : range_text(tensor);
    if (i < outcome.output_files.size()) values += "  -> " + printable(outcome.output_files[i]);
    table.add(
        {fitted(port.name, 40), std::string(hadal::name_of(port.dtype)), text_of(tensor.shape), std::move(values)});
  }
  return table.text("  ");
}

}  // namespace hadal::report

#include "base/suggest.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "base/result.h"

namespace hadal {

namespace {

/// Letters inserted, removed or replaced, and neighbours swapped (optimal string alignment).
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), row(b.size() + 1), next(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    next[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      next[j] = std::min({row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] != b[j - 1])});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) next[j] = std::min(next[j], before[j - 2] + 1);
    }
    std::swap(before, row);
    std::swap(row, next);
  }
  return row.back();
}

}  // namespace

std::string_view closest(std::string_view word, std::span<const std::string_view> candidates) {
  std::string_view best;
  if (word.size() > 100) return best;  // Hostile names are not worth the square of their length.
  size_t fewest = std::max<size_t>(1, word.size() / 3) + 1;
  for (const std::string_view candidate : candidates)
    if (candidate.size() < word.size() + fewest)
      if (const size_t mistakes = distance(word, candidate); mistakes < fewest) best = candidate, fewest = mistakes;
  return best;
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates) {
  const std::string_view best = closest(word, candidates);
  return best.empty() ? "" : fmt::format("did you mean \"{}\"?", printable(best));
}

}  // namespace hadal

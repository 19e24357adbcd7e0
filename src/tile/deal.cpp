#include "tile/deal.h"

#include <functional>
#include <numeric>

#include "tile/program.h"

namespace hadal::tile {

namespace {

int64_t product(std::span<const int64_t> counts) {
  return std::accumulate(counts.begin(), counts.end(), int64_t{1}, std::multiplies<>());
}

}  // namespace

Expr trips_of(std::span<const int64_t> counts, int64_t cores) {
  const int64_t total = product(counts), rounds = total / cores;
  if (total % cores == 0) return rounds;
  return floor_div(Expr(total + cores - 1) - core_id(cores), Expr(cores)).within(rounds, rounds + 1);
}

std::vector<Expr> unit_at(std::span<const int64_t> counts, int64_t cores, const Expr& trip, bool in_turn) {
  const int64_t total = product(counts);
  const Expr core = core_id(cores);
  const Expr unit = (in_turn || total % cores != 0 ? core + trip * Expr(cores) : core * Expr(total / cores) + trip)
                        .within(0, total - 1);
  std::vector<Expr> at(counts.size());
  int64_t inner = total;
  for (size_t d = 0; d < counts.size(); ++d) {
    inner /= counts[d];
    at[d] = mod(floor_div(unit, Expr(inner)), Expr(counts[d]));
  }
  return at;
}

isa::Sharing sharing_of(std::span<const int64_t> counts, Dims varies, int64_t cores) {
  const int64_t total = product(counts), rounds = total / cores;
  isa::Sharing best;
  int64_t step = 1;
  for (size_t d = counts.size(); d-- > 0;) {
    if (varies[d]) {
      step *= counts[d];
      continue;
    }
    int64_t size = counts[d];
    while (d > 0 && (!varies[d - 1] || counts[d - 1] == 1)) size *= counts[--d];
    isa::Sharing sharing;
    if (total <= cores)
      sharing = {size, step};
    else if (total % cores == 0 && step % rounds == 0)
      sharing = {size, step / rounds};
    else if (total % cores == 0 && rounds % step == 0 && size * step % rounds == 0)
      sharing = {size * step / rounds, 1};
    if (sharing.size > best.size) best = sharing;
    step *= size;
  }
  return best;
}

}  // namespace hadal::tile

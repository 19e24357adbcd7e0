#include "compile/rings.h"

#include <algorithm>

namespace hadal::compile {

using isa::Queue;

std::vector<tile::Ring> rings_of(const chip::Chip& chip, const Plan& plan) {
  const int64_t bytes = chip.scratchpad.bytes;
  std::vector<tile::Ring> rings;
  const auto ring = [&](std::string name, Queue from, Queue to, int slots, int most, int64_t limit) {
    rings.push_back({std::move(name), from, to, slots, most, limit / 128 * 128});
  };
  const auto tile = [&](int64_t part, int64_t enough, int64_t large_part) {
    return std::max(std::min(bytes / part, enough), bytes / large_part);
  };
  const Profile::Layers given = plan.profile ? plan.profile->layers : Profile::Layers{};
  const auto or_own = [](int64_t limit, int64_t own) { return limit > 0 ? limit : own; };
  const auto slots = [](int64_t given_slots, int own) { return given_slots > 0 ? static_cast<int>(given_slots) : own; };
  ring("activation", Queue::load, Queue::matrix, 2, slots(given.stages, 4),
       or_own(given.activation_bytes, tile(16, 64 << 10, 32)));
  ring("activation2", Queue::load, Queue::matrix, 2, slots(given.stages, 3), or_own(given.weight_bytes, bytes / 32));
  ring("weight", Queue::prefetch, Queue::matrix, plan.weight_slots, 64, tile(12, 64 << 10, 64));
  ring("parameter", Queue::prefetch, Queue::matrix, 4, 64, bytes / 256);
  ring("residual", Queue::load, Queue::matrix, 2, 3, bytes / 24);
  ring("result", Queue::matrix, Queue::store, std::min(2, slots(given.results, 2)), slots(given.results, 4),
       or_own(given.result_bytes, tile(16, 64 << 10, 16)));
  // Eight of their largest tiles would be an eighth of a small scratchpad.
  const int streams = given.row_bytes > 0 ? 2 : has_large_scratchpad(chip) ? 8 : 4;
  ring("stream", Queue::load, Queue::vector, streams, 8, or_own(given.row_bytes, tile(40, 32 << 10, 256)));
  ring("constant", Queue::prefetch, Queue::vector, given.row_bytes > 0 ? 2 : 8, 16, bytes / 128);
  ring("temporary", Queue::vector, Queue::vector, 2, 2, bytes / 48);
  ring("output", Queue::vector, Queue::store, 2, 4, or_own(given.row_bytes, bytes / 48));
  ring("copy", Queue::load, Queue::store, 2, 4, bytes / 48);
  ring("index", Queue::load, Queue::load, 2, 2, bytes / 128);
  ring("score", Queue::matrix, Queue::vector, 2, 2, bytes / 24);
  ring("probability", Queue::vector, Queue::matrix, 2, 2, bytes / 24);
  ring("mixture", Queue::matrix, Queue::vector, 1, 1, bytes / 48);
  ring("top", Queue::vector, Queue::vector, 1, 1, bytes / 512);
  ring("total", Queue::vector, Queue::vector, 1, 1, bytes / 512);
  ring("sums", Queue::vector, Queue::vector, 1, 1, bytes / 48);
  ring("fade", Queue::vector, Queue::vector, 1, 1, bytes / 512);
  return rings;
}

int64_t tile_limit(const chip::Chip& chip, Ring ring, const Profile* profile) {
  return rings_of(chip, {.profile = profile})[static_cast<size_t>(ring)].slot_limit;
}

}  // namespace hadal::compile

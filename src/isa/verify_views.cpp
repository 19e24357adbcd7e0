#include <algorithm>
#include <utility>

#include "isa/findings.h"

namespace hadal::isa {

namespace {

std::string text_of(const TensorDescriptor& t) {
  return fmt::format("tensor {} [{}]", printable(t.name),
                     fmt::join(t.extents.begin(), t.extents.begin() + std::min<int>(t.rank, rank_limit), ", "));
}

void verify_buffer(const Program& p, const TensorDescriptor& t, const std::string& place, Findings& found) {
  const uint64_t room = p.limits.scratchpad_bytes;
  found.require(t.bytes <= room && t.offset <= room - t.bytes, "view.C2",
                fmt::format("bytes {} to {} pass the scratchpad's {}", t.offset, t.offset + t.bytes, room), place);
  found.require(t.offset % static_cast<uint64_t>(bytes_of(t.dtype)) == 0, "view.C3", "its offset is not aligned",
                place);
  found.require(t.region == 0 && t.rank == 0, "view.C2", "a buffer of the scratchpad has no region and no shape",
                place);
}

void verify_memory(const Program& p, const TensorDescriptor& t, const std::string& place, Findings& found) {
  if (t.region >= p.regions.size()) return found.add("view.C2", "its region does not exist", place);
  const Region& region = p.regions[t.region];
  if ((region.kind == RegionKind::shared) != (t.space == Space::shared))
    return found.add("view.C2", "its region lies in another space", place);
  if (t.rank < 1 || t.rank > rank_limit) return found.add("view.C2", "its rank is not 1 to 6", place);
  found.require(t.bytes == 0, "view.C5", "a tensor in memory states no bytes: its extents do", place);
  const int64_t size = bytes_of(t.dtype), limit = static_cast<int64_t>(region.bytes);
  bool aligned = t.offset % static_cast<uint64_t>(size) == 0, empty = false;
  __int128 least = t.offset, most = t.offset;
  for (size_t i = 0; i < t.rank; ++i) {
    aligned = aligned && t.strides[i] % size == 0;
    empty = empty || t.extents[i] == 0;
    if (t.strides[i] > limit || t.strides[i] < -limit) return found.add("view.C2", "a stride passes its region", place);
    const __int128 reach = static_cast<__int128>(t.strides[i]) * (static_cast<__int128>(t.extents[i]) - 1);
    (reach < 0 ? least : most) += reach;
  }
  found.require(aligned, "view.C3", "its offset or a stride is not a multiple of its element", place);
  const bool inside =
      t.offset <= region.bytes && (empty || (least >= 0 && most + size <= static_cast<__int128>(region.bytes)));
  found.require(inside, "view.C2",
                fmt::format("it passes the {} bytes of region {}", region.bytes, printable(region.name)), place);
}

void verify_tensor(const Program& p, const TensorDescriptor& t, Findings& found) {
  const std::string place = text_of(t);
  for (size_t i = std::min<size_t>(t.rank, rank_limit); i < rank_limit; ++i)
    found.require(t.extents[i] == 0 && t.strides[i] == 0, "view.C5", "extents or strides beyond its rank are not 0",
                  place);
  if (t.space == Space::scratchpad)
    verify_buffer(p, t, place, found);
  else
    verify_memory(p, t, place, found);
}

void verify_ring(const View& v, const TensorDescriptor& t, const std::string& place, Findings& found) {
  if (v.ring_register == no_register) {
    found.require(v.slots == 1 && v.slot_bytes == 0 && v.ring_shift == 0, "ring.C1", "slots without a ring register",
                  place);
    return;
  }
  found.require(is_register(v.ring_register), "view.C5", "its ring register does not exist", place);
  found.require(v.slots >= 2 && v.slot_bytes > 0, "ring.C1", "a ring has at least two slots, each of some bytes",
                place);
  found.require(
      uint64_t{v.slots} * v.slot_bytes <= t.bytes, "ring.C1",
      fmt::format("{} slots of {} bytes pass the {} bytes of {}", v.slots, v.slot_bytes, t.bytes, printable(t.name)),
      place);
  found.require(v.slot_bytes % static_cast<uint32_t>(bytes_of(t.dtype)) == 0, "view.C3", "its slots are not aligned",
                place);
}

void verify_view(const Program& p, size_t number, Findings& found) {
  const View& v = p.views[number];
  std::string place = fmt::format("view {}", number);
  if (v.tensor >= p.tensors.size()) return found.add("view.C5", "its tensor does not exist", place);
  const TensorDescriptor& t = p.tensors[v.tensor];
  place += " of " + printable(t.name);
  const bool buffer = t.space == Space::scratchpad;
  if (v.rank < 1 || v.rank > rank_limit || (!buffer && v.rank != t.rank))
    return found.add("view.C5", fmt::format("its rank is {}; the tensor's {}", v.rank, t.rank), place);
  if (buffer)
    verify_ring(v, t, place, found);
  else
    found.require(v.ring_register == no_register && v.slots == 1 && v.slot_bytes == 0 && v.ring_shift == 0, "ring.C1",
                  "only a buffer of the scratchpad is a ring", place);
  for (size_t i = 0; i < rank_limit; ++i) {
    const Origin& o = v.origins[i];
    const Extent& e = v.extents[i];
    if (i >= v.rank) {
      found.require(o == Origin{} && e == Extent{}, "view.C5", "origins or extents beyond its rank are set", place);
      continue;
    }
    found.require(!buffer || o == Origin{}, "view.C5", "a view of a buffer has no origin", place);
    found.require(
        is_optional_register(o.register_a) && is_optional_register(o.register_b) && is_optional_register(e.source),
        "view.C5", "a register does not exist", place);
    const bool used = (o.register_a != no_register) == (o.scale_a != 0) &&
                      (o.register_b != no_register) == (o.scale_b != 0) &&
                      (o.register_b == no_register || (o.register_a != no_register && o.register_a < o.register_b));
    found.require(used, "view.C5", "an origin has a scale and a register together, the lower register first", place);
  }
}

}  // namespace

void verify_views(const Program& p, Findings& found) {
  for (size_t i = 0; i < p.tensors.size() && !found.full(); ++i) verify_tensor(p, p.tensors[i], found);
  for (size_t i = 0; i < p.views.size() && !found.full(); ++i) verify_view(p, i, found);
}

}  // namespace hadal::isa

// Places storages in HBM and the shared space, and rings in the scratchpad.
#include <algorithm>
#include <climits>
#include <map>
#include <numeric>
#include <set>

#include "tile/lower.h"

namespace hadal::tile {

namespace {

constexpr uint64_t hbm_alignment = 4096, slot_alignment = 128;

uint64_t aligned(uint64_t value, uint64_t to) { return (value + to - 1) / to * to; }

/// What a program needs of each ring at least.
struct RingNeeds {
  std::vector<uint64_t> slot_bytes;
  std::vector<int> slots;

  explicit RingNeeds(const Program& program) : slot_bytes(program.rings.size(), 0) {
    for (const Ring& ring : program.rings) slots.push_back(ring.slots);
    for (const Phase& phase : program.phases) measure(phase, phase.body);
    for (uint64_t& bytes : slot_bytes) bytes = aligned(bytes, slot_alignment);
  }
  [[nodiscard]] uint64_t bytes() const {
    uint64_t sum = 0;
    for (size_t r = 0; r < slots.size(); ++r) sum += slot_bytes[r] * static_cast<uint64_t>(slots[r]);
    return sum;
  }

 private:
  /// Slots take the largest tile, and all those that one instruction names.
  void measure(const Phase& phase, const std::vector<Statement>& body) {
    for (const Statement& statement : body) {
      measure(phase, statement.body);
      std::vector<std::set<int>> together(slots.size());
      for (const Operand& operand : statement.operands) {
        const auto* view = std::get_if<TileView>(&operand);
        if (!view) continue;
        const Tile& tile = phase.tiles[static_cast<size_t>(view->tile)];
        const auto ring = static_cast<size_t>(tile.ring);
        uint64_t bytes = static_cast<uint64_t>(bytes_of(tile.dtype));
        for (const Expr& extent : view->extents) bytes *= static_cast<uint64_t>(std::max<int64_t>(extent.highest(), 0));
        slot_bytes[ring] = std::max(slot_bytes[ring], bytes);
        together[ring].insert(view->tile);
        slots[ring] = std::max(slots[ring], static_cast<int>(together[ring].size()));
      }
    }
  }
};

/// Storages that the host reads or writes: it reaches HBM only.
void find_host_storages(const Program& program, const std::vector<Statement>& body, std::set<int>& out) {
  for (const Statement& statement : body) {
    find_host_storages(program, statement.body, out);
    if (statement.queue != isa::Queue::host) continue;
    for (const Operand& operand : statement.operands)
      if (const auto* window = std::get_if<Window>(&operand))
        out.insert(program.tensors[static_cast<size_t>(window->tensor)].storage);
  }
}

/// First-fit by lifetimes: storages whose lives overlap get disjoint ranges.
class Allocator {
 public:
  Allocator(const Program& program, const PhaseOrder& order) : program_(&program), order_(&order) {}

  /// Places storage s below `capacity`; false where it does not fit.
  bool place(int s, uint64_t alignment, uint64_t capacity, uint64_t& offset) {
    std::vector<const Placed*> others;
    for (const Placed& other : placed_)
      if (overlaps(other.storage, s)) others.push_back(&other);
    std::sort(others.begin(), others.end(), [](auto* a, auto* b) { return a->begin < b->begin; });
    const auto bytes = static_cast<uint64_t>(program_->storages[static_cast<size_t>(s)].bytes);
    uint64_t at = 0;
    for (const Placed* other : others) {
      if (at + bytes <= other->begin) break;
      at = std::max(at, aligned(other->end, alignment));
    }
    if (at + bytes > capacity) return false;
    placed_.push_back({s, at, at + bytes});
    peak_ = std::max(peak_, at + bytes);
    offset = at;
    return true;
  }
  [[nodiscard]] uint64_t peak() const { return peak_; }

 private:
  struct Placed {
    int storage;
    uint64_t begin, end;
  };
  [[nodiscard]] bool overlaps(int a, int b) const {
    const auto first = [&](int s) { return order_->first_write[static_cast<size_t>(s)]; };
    const auto free = [&](int s) { return order_->free_from[static_cast<size_t>(s)]; };
    return !(free(a) <= first(b) || free(b) <= first(a));
  }
  const Program* program_;
  const PhaseOrder* order_;
  std::vector<Placed> placed_;
  uint64_t peak_ = 0;
};

/// Rings get their least slots; what room is left goes to further slots, one a ring in turn.
Status place_rings(const Program& program, const Target& target, Placement& placement) {
  RingNeeds needs(program);
  uint64_t used = needs.bytes();
  placement.slot_bytes = std::move(needs.slot_bytes);
  placement.slots = std::move(needs.slots);
  const auto capacity = static_cast<uint64_t>(target.scratchpad_bytes) - placement.shared_bytes_per_core;
  if (used > capacity)
    return Error{"plan.capacity", fmt::format("the rings need {} bytes of scratchpad; {} are free", used, capacity), "",
                 "take a chip with a larger scratchpad"};
  for (bool grown = true; grown;) {
    grown = false;
    for (size_t r = 0; r < program.rings.size(); ++r) {
      if (placement.slots[r] >= program.rings[r].most_slots || used + placement.slot_bytes[r] > capacity) continue;
      used += placement.slot_bytes[r];
      placement.slots[r] += 1;
      grown = true;
    }
  }
  uint64_t at = 0;
  for (size_t r = 0; r < program.rings.size(); ++r) {
    placement.ring_offset.push_back(at);
    at += placement.slot_bytes[r] * static_cast<uint64_t>(placement.slots[r]);
  }
  placement.scratchpad_bytes = at;
  return {};
}

/// Room for the shared space in a core: what the rings' least slots leave.
uint64_t shared_capacity(const Program& program, const Target& target) {
  const uint64_t used = RingNeeds(program).bytes();
  const auto capacity = static_cast<uint64_t>(target.scratchpad_bytes);
  const auto page = static_cast<uint64_t>(target.page_bytes);
  return used >= capacity ? 0 : (capacity - used) / page * page;
}

/// Bytes a core of a shared region.
uint64_t share_of(uint64_t bytes, uint64_t page, const Target& target) {
  return aligned(bytes, page * static_cast<uint64_t>(target.cores)) / static_cast<uint64_t>(target.cores);
}

/// Places scratch storages in shared regions, one for each size of page, or all in one with the target's; what does not
/// fit goes to HBM, which false tells where storages may have their own pages.
bool place_shared(const Program& program, const PhaseOrder& order, const Target& target,
                  const std::vector<int>& scratch, uint64_t capacity, bool own_pages, Placement& placement) {
  std::map<uint64_t, Allocator> shared;  // By page.
  Allocator hbm(program, order);
  std::vector<uint64_t> page_of(program.storages.size(), 0);  // 0: in HBM.
  const auto used = [&] {
    uint64_t bytes = 0;
    for (const auto& [page, allocator] : shared) bytes += share_of(allocator.peak(), page, target);
    return bytes;
  };
  std::set<int> host;
  for (const Phase& phase : program.phases) find_host_storages(program, phase.body, host);
  for (const int s : scratch) {
    const auto index = static_cast<size_t>(s);
    if (host.contains(s)) {
      hbm.place(s, hbm_alignment, UINT64_MAX / 2, placement.offset[index]);
      continue;
    }
    const auto own = static_cast<uint64_t>(program.storages[index].page_bytes);
    const uint64_t page = own_pages && own > 0 ? own : static_cast<uint64_t>(target.page_bytes);
    Allocator& allocator = shared.try_emplace(page, program, order).first->second;
    const Allocator before = allocator;
    allocator.place(s, page * static_cast<uint64_t>(own_pages ? target.cores : 1), UINT64_MAX / 2,
                    placement.offset[index]);
    if (used() <= capacity) {
      page_of[index] = page;
      continue;
    }
    if (own_pages) return false;
    allocator = before;
    hbm.place(s, hbm_alignment, UINT64_MAX / 2, placement.offset[index]);
  }
  std::map<uint64_t, uint16_t> region_of;
  for (const auto& [page, allocator] : shared) {
    region_of[page] = static_cast<uint16_t>(placement.regions.size());
    placement.regions.push_back({region_of.size() == 1 ? "shared" : fmt::format("shared{}", region_of.size()),
                                 isa::RegionKind::shared, aligned(allocator.peak(), page), page});
  }
  region_of[0] = static_cast<uint16_t>(placement.regions.size());
  placement.regions.push_back({"scratch", isa::RegionKind::scratch, aligned(hbm.peak(), hbm_alignment)});
  for (const int s : scratch) placement.region[static_cast<size_t>(s)] = region_of[page_of[static_cast<size_t>(s)]];
  placement.shared_bytes_per_core = used();
  placement.memory_bytes += aligned(hbm.peak(), hbm_alignment);
  return true;
}

}  // namespace

Result<Placement> place(const Program& program, const PhaseOrder& order, const Target& target) {
  Placement placement;
  const size_t storages = program.storages.size();
  placement.region.assign(storages, 0);
  placement.offset.assign(storages, 0);
  std::vector<int> scratch;
  for (size_t s = 0; s < storages; ++s) {
    const Storage& storage = program.storages[s];
    if (storage.kind == isa::RegionKind::scratch) {
      if (order.first_write[s] >= 0) scratch.push_back(static_cast<int>(s));
      continue;
    }
    placement.region[s] = static_cast<uint16_t>(placement.regions.size());
    placement.regions.push_back({storage.name, storage.kind, static_cast<uint64_t>(storage.bytes)});
    placement.memory_bytes += aligned(static_cast<uint64_t>(storage.bytes), hbm_alignment);
  }
  // Short-lived storages first: they share the space best.
  const auto life = [&](int s) {
    return order.last_use[static_cast<size_t>(s)] - order.first_write[static_cast<size_t>(s)];
  };
  std::stable_sort(scratch.begin(), scratch.end(), [&](int a, int b) { return life(a) < life(b); });
  const uint64_t capacity = target.resident ? shared_capacity(program, target) : 0;
  if (!place_shared(program, order, target, scratch, capacity, true, placement))
    place_shared(program, order, target, scratch, capacity, false, placement);
  if (placement.memory_bytes > static_cast<uint64_t>(target.memory_bytes))
    return Error{"plan.memory",
                 fmt::format("the program needs {} bytes of chip memory; the chip has {}", placement.memory_bytes,
                             target.memory_bytes),
                 "", "take a chip with more memory, a narrower --precision, or a smaller batch"};
  HADAL_CHECK(place_rings(program, target, placement));
  return placement;
}

}  // namespace hadal::tile

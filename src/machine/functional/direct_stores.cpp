#include "machine/functional/direct_stores.h"

#include <algorithm>

namespace hadal::machine {

using isa::Opcode;

namespace {

bool is_given(const Event& event, size_t operand) { return event.in->operands[operand] != isa::no_view; }

bool is_in_scratchpad(const Event& event, size_t operand) {
  return is_given(event, operand) && event.boxes[operand].space == isa::Space::scratchpad;
}

/// Whether the instruction computes one tile.
bool computes(const Event& event) {
  const Opcode op = event.in->op;
  return !event.boxes.empty() && is_in_scratchpad(event, 0) && writes(*event.in) && written_operands(op) == 1 &&
         op != Opcode::load;
}

class Finder {
 public:
  Finder(std::vector<Event>& events, size_t cores) : events_(events), uses_(events.size()), cores_(cores) {}

  void find() {
    for (uint32_t e = 0; e < events_.size(); ++e) {
      const Event& event = events_[e];
      Core& core = cores_[event.core];
      if (!event.after.empty()) core.last_wait = e;
      if (event.boxes.empty()) continue;
      const size_t written = written_operands(event.in->op);
      for (size_t i = written; i < event.boxes.size(); ++i)
        if (is_in_scratchpad(event, i)) read(core, e, i);
      for (size_t i = 0; i < written && writes(*event.in); ++i)
        if (is_in_scratchpad(event, i)) overwrite(core, event.boxes[i]);
      if (computes(event)) add_tile(core, e);
      for (size_t i = 0; i < event.boxes.size(); ++i)
        if (is_given(event, i) && !is_in_scratchpad(event, i)) core.touched.push_back({e, &event.boxes[i]});
    }
  }

  void apply() {
    for (uint32_t e = 0; e < events_.size(); ++e) {
      if (uses_[e].store == no_event || uses_[e].otherwise) continue;
      Event& store = events_[uses_[e].store];
      isa::Box& out = events_[e].boxes[0];
      const isa::Box& to = store.boxes[0];
      out.space = to.space;
      out.region = to.region;
      out.tensor = to.tensor;
      out.offset = to.offset;
      store.boxes.clear();
    }
  }

 private:
  struct Tile {
    int64_t begin, end;  ///< Bytes of the scratchpad.
    uint32_t event;      ///< What computed it.
  };
  struct Core {
    std::vector<Tile> tiles;                                    ///< Ascending and disjoint.
    std::vector<std::pair<uint32_t, const isa::Box*>> touched;  ///< Boxes of memory, by event.
    uint32_t last_wait = 0;                                     ///< For another core.
  };
  /// Of a tile.
  struct Uses {
    uint32_t store = no_event;
    bool otherwise = false;  ///< Read by more than the store, or in part.
  };

  static std::vector<Tile>::iterator first(std::vector<Tile>& tiles, int64_t begin) {
    return std::upper_bound(tiles.begin(), tiles.end(), begin, [](int64_t at, const Tile& t) { return at < t.end; });
  }

  void read(Core& core, uint32_t e, size_t operand) {
    const isa::Box& box = events_[e].boxes[operand];
    const int64_t end = box.offset + box.bytes();
    for (auto tile = first(core.tiles, box.offset); tile != core.tiles.end() && tile->begin < end; ++tile) {
      Uses& uses = uses_[tile->event];
      const bool only_stored = uses.store == no_event && can_store(core, e, tile->event);
      uses.otherwise |= !only_stored;
      uses.store = e;
    }
  }

  [[nodiscard]] bool can_store(const Core& core, uint32_t e, uint32_t computing) const {
    const Event &store = events_[e], &source = events_[computing];
    if (store.in->op != Opcode::store || core.last_wait > computing) return false;
    const isa::Box &to = store.boxes[0], &from = store.boxes[1], &out = source.boxes[0];
    if (from.offset != out.offset || from.bytes() != out.bytes() || from.dtype != out.dtype || to.dtype != out.dtype)
      return false;
    if (!is_dense(to.rank, to.extents, to.strides, bytes_of(to.dtype))) return false;
    const ByteRange written = range_of(to);
    for (auto at = core.touched.rbegin(); at != core.touched.rend() && at->first >= computing; ++at) {
      const ByteRange range = range_of(*at->second);
      if (at->second->region == to.region && range.begin < written.end && written.begin < range.end) return false;
    }
    return true;
  }

  void overwrite(Core& core, const isa::Box& box) {
    const int64_t begin = box.offset, end = box.offset + box.bytes();
    const auto from = first(core.tiles, begin);
    auto at = from;
    std::vector<Tile> rest;
    for (; at != core.tiles.end() && at->begin < end; ++at) {
      if (at->begin < begin) rest.push_back({at->begin, begin, at->event});
      if (at->end > end) rest.push_back({end, at->end, at->event});
    }
    core.tiles.insert(core.tiles.erase(from, at), rest.begin(), rest.end());
  }

  void add_tile(Core& core, uint32_t e) {
    const isa::Box& box = events_[e].boxes[0];
    core.tiles.insert(first(core.tiles, box.offset), {box.offset, box.offset + box.bytes(), e});
  }

  std::vector<Event>& events_;
  std::vector<Uses> uses_;  ///< Of the tile that each event computes.
  std::vector<Core> cores_;
};

}  // namespace

void store_directly(std::vector<Event>& events, size_t cores) {
  Finder finder(events, cores);
  finder.find();
  finder.apply();
}

}  // namespace hadal::machine

#include "machine/functional/bound_loads.h"

#include <algorithm>

#include "isa/fields.h"
#include "machine/functional/bindings.h"

namespace hadal::machine {

using isa::Opcode;

namespace {

bool is_weight(const isa::Program& program, const isa::Box& box) {
  return program.regions[box.region].kind == isa::RegionKind::weight;
}

bool changes_no_byte(const isa::Program& program, const Event& event) {
  if (event.in->op != Opcode::load || event.boxes.empty()) return false;
  const isa::Box &to = event.boxes[0], &from = event.boxes[1];
  if (to.dtype != from.dtype) return false;
  const isa::TensorDescriptor& tensor = program.tensors[from.tensor];
  for (size_t i = 0; i < tensor.rank && event.in->fields[isa::at::load_fill].value != 0; ++i)
    if (from.origins[i] < 0 || from.origins[i] + from.extents[i] > tensor.extents[i]) return false;
  return true;
}

/// Whether the last two axes are a matrix with the elements of its rows, or of its columns, side by side.
bool has_lines(const isa::Box& box, const Dims& strides) {
  if (box.rank < 2) return false;
  const size_t column = box.rank - 1u, row = column - 1;
  const int64_t size = bytes_of(box.dtype);
  const auto lines = [&](size_t along, size_t across) {
    return (strides[along] == size || box.extents[along] == 1) &&
           (strides[across] >= size * box.extents[along] || box.extents[across] == 1);
  };
  return lines(column, row) || lines(row, column);
}

class Finder {
 public:
  Finder(const isa::Program& program, const std::vector<Event>& events, size_t cores)
      : program_(program), events_(events), last_(events.size(), 0), tiles_(cores) {
    result.bound.resize(events.size(), false);
  }

  /// Who reads what each load brings; loads are not bound where one read takes from several.
  void follow_tiles() {
    for (uint32_t e = 0; e < events_.size(); ++e) {
      const Event& event = events_[e];
      const size_t written = written_operands(event.in->op);
      for (size_t i = written; i < event.boxes.size(); ++i)
        if (in_scratchpad(event, i)) read(e, i);
      for (size_t i = 0; i < written && i < event.boxes.size() && writes(*event.in); ++i)
        if (in_scratchpad(event, i)) overwrite(event.core, event.boxes[i]);
      if (!changes_no_byte(program_, event)) continue;
      const isa::Box& to = event.boxes[0];
      std::vector<Tile>& tiles = tiles_[event.core];
      tiles.insert(first(tiles, to.offset), {to.offset, to.offset + to.bytes(), to.offset, e});
      result.bound[e] = true;
      last_[e] = e;
    }
  }

  /// Gives up the loads whose source is written before their last reader.
  void keep_values(const MemoryMap& map) {
    std::vector<uint32_t> latest(map.pieces(), 0), active;
    for (uint32_t e = 0; e < events_.size(); ++e) {
      const Event& event = events_[e];
      if (event.boxes.empty()) continue;
      if (result.bound[e]) {
        const auto [begin, end] = map.pieces_of(event.boxes[1]);
        for (size_t p = begin; p < end; ++p) latest[p] = std::max(latest[p], last_[e]);
        if (begin < end) active.push_back(e);
        continue;
      }
      for_memory_written(event, [&](const isa::Box& box) {
        const auto [begin, end] = map.pieces_of(box);
        const bool early = std::any_of(latest.begin() + static_cast<std::ptrdiff_t>(begin),
                                       latest.begin() + static_cast<std::ptrdiff_t>(end),
                                       [&](uint32_t reader) { return reader >= e; });
        if (early) give_up(active, e, box);
      });
    }
  }

  BoundLoads result;

 private:
  struct Tile {
    int64_t begin, end;  ///< Bytes of the scratchpad.
    int64_t origin;      ///< Where the load's first byte lies, overwritten or not.
    uint32_t load;
  };

  static std::vector<Tile>::iterator first(std::vector<Tile>& tiles, int64_t begin) {
    return std::upper_bound(tiles.begin(), tiles.end(), begin, [](int64_t at, const Tile& t) { return at < t.end; });
  }

  static bool in_scratchpad(const Event& event, size_t operand) {
    return event.in->operands[operand] != isa::no_view && event.boxes[operand].space == isa::Space::scratchpad;
  }

  void read(uint32_t e, size_t operand) {
    const isa::Box& box = events_[e].boxes[operand];
    std::vector<Tile>& tiles = tiles_[events_[e].core];
    const int64_t begin = box.offset, end = box.offset + box.bytes();
    const auto tile = first(tiles, begin);
    if (tile == tiles.end() || tile->begin >= end) return;
    BoundRead bound{e, static_cast<uint32_t>(operand), tile->load, begin - tile->origin, false, {}};
    if (tile->begin <= begin && end <= tile->end && finds_strides(e, *tile, bound)) {
      last_[tile->load] = e;
      result.reads.push_back(bound);
      return;
    }
    for (auto at = tile; at != tiles.end() && at->begin < end; ++at) result.bound[at->load] = false;
  }

  /// Whether the operand can be read with the strides of the load's source.
  bool finds_strides(uint32_t e, const Tile& tile, BoundRead& bound) const {
    const isa::Box &box = events_[e].boxes[bound.operand], &from = events_[tile.load].boxes[1];
    if (is_dense(from.rank, from.extents, from.strides, bytes_of(from.dtype))) return true;
    bound.strided = true;
    const bool whole = box.offset == tile.origin && box.bytes() == events_[tile.load].boxes[0].bytes() &&
                       box.dtype == from.dtype && same_axes(box, from.rank, from.extents, from.strides, bound.strides);
    const Opcode op = events_[e].in->op;
    if (whole && is_matrix(op) && bound.operand == isa::at::b && is_weight(program_, from)) return true;
    return whole && op == Opcode::matmul && bound.operand <= isa::at::b && has_lines(box, bound.strides);
  }

  void overwrite(size_t core, const isa::Box& box) {
    std::vector<Tile>& tiles = tiles_[core];
    const int64_t begin = box.offset, end = box.offset + box.bytes();
    const auto from = first(tiles, begin);
    auto at = from;
    std::vector<Tile> rest;
    for (; at != tiles.end() && at->begin < end; ++at) {
      if (at->begin < begin) rest.push_back({at->begin, begin, at->origin, at->load});
      if (at->end > end) rest.push_back({end, at->end, at->origin, at->load});
    }
    tiles.insert(tiles.erase(from, at), rest.begin(), rest.end());
  }

  /// The loads that `e`, which writes the box, would overtake.
  void give_up(std::vector<uint32_t>& active, uint32_t e, const isa::Box& box) {
    const ByteRange written = range_of(box);
    std::erase_if(active, [&](uint32_t load) {
      if (last_[load] < e) return true;
      const isa::Box& from = events_[load].boxes[1];
      const ByteRange read = range_of(from);
      if (from.region != box.region || read.end <= written.begin || written.end <= read.begin) return false;
      result.bound[load] = false;
      return true;
    });
  }

  const isa::Program& program_;
  const std::vector<Event>& events_;
  std::vector<uint32_t> last_;            ///< Of each load: the event of its last reader.
  std::vector<std::vector<Tile>> tiles_;  ///< Of each core, ascending and disjoint.
};

}  // namespace

BoundLoads bound_loads(const isa::Program& program, const std::vector<Event>& events, const MemoryMap& map,
                       size_t cores) {
  Finder finder(program, events, cores);
  finder.follow_tiles();
  finder.keep_values(map);
  return std::move(finder.result);
}

}  // namespace hadal::machine

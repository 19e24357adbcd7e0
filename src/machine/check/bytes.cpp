#include "machine/check/bytes.h"

#include <numeric>

#include "isa/fields.h"
#include "isa/table.h"

namespace hadal::machine::check {

namespace {

using isa::Opcode;

/// Axes with equal or touching bytes join the run.
Runs runs_of(const isa::Box& box) {
  Runs runs;
  runs.offset = box.offset;
  runs.bytes = bytes_of(box.dtype);
  std::array<std::pair<int64_t, int64_t>, isa::rank_limit> axes;  // Stride, extent.
  size_t rank = 0;
  for (size_t i = 0; i < box.rank; ++i) {
    if (box.extents[i] == 1 || box.strides[i] == 0) continue;
    if (box.strides[i] < 0) runs.offset += (box.extents[i] - 1) * box.strides[i];
    const std::pair axis{std::abs(box.strides[i]), box.extents[i]};
    size_t at = rank++;
    for (; at > 0 && axes[at - 1].first > axis.first; --at) axes[at] = axes[at - 1];
    axes[at] = axis;
  }
  for (size_t i = 0; i < rank; ++i) {
    const auto [stride, extent] = axes[i];
    if (runs.rank == 0 && stride <= runs.bytes) {
      runs.bytes += (extent - 1) * stride;
    } else {
      runs.strides[runs.rank] = stride;
      runs.extents[runs.rank++] = extent;
    }
  }
  return runs;
}

/// The part of a box that lies in its tensor: with `fill` a load reads no other. Empty where none does.
isa::Box clipped(const isa::Box& box, const isa::TensorDescriptor& tensor) {
  isa::Box part = box;
  for (size_t i = 0; i < box.rank; ++i) {
    const int64_t begin = std::clamp<int64_t>(-box.origins[i], 0, box.extents[i]);
    const int64_t end = std::clamp<int64_t>(int64_t{tensor.extents[i]} - box.origins[i], begin, box.extents[i]);
    part.offset += begin * box.strides[i];
    part.extents[i] = end - begin;
    part.empty |= begin == end;
  }
  return part;
}

bool is_matrix(Opcode op) { return op >= Opcode::matmul && op <= Opcode::matmul_scaled; }

/// Without `emit` the sums stay: neither `out` nor the epilogue's operands are touched.
bool is_touched(const isa::Instruction& in, const isa::Sequencer& sequencer, size_t operand) {
  const bool leaves = operand == isa::at::out || (operand >= isa::at::epilogue_0 && operand <= isa::at::epilogue_2);
  return !leaves || !is_matrix(in.op) || sequencer.number(in.fields[isa::at::emit]) != 0;
}

bool is_fixed(const isa::Program& program, const isa::Box& box) {
  if (box.space == isa::Space::scratchpad) return false;
  const isa::RegionKind kind = program.regions[box.region].kind;
  return kind == isa::RegionKind::input || kind == isa::RegionKind::weight;
}

}  // namespace

Accesses::Accesses(const isa::Program& program, const isa::Instruction& in, const isa::Sequencer& sequencer,
                   const isa::Boxes& boxes) {
  const isa::Row& row = *isa::row_of(in.op);
  for (const bool written : {false, true})
    for (size_t i = 0; i < boxes.count; ++i) {
      const isa::Box& box = boxes.box[i];
      if (in.operands[i] == isa::no_view || row.operands[i].written != written) continue;
      if (is_fixed(program, box) || !is_touched(in, sequencer, i)) continue;
      const bool fills = in.op == Opcode::load && !written && in.fields[isa::at::load_fill].value != 0;
      const isa::Box part = fills ? clipped(box, program.tensors[box.tensor]) : box;
      if (!part.empty) list_[count_++] = {&box, written, runs_of(part)};
    }
}

Cells::Cells(const isa::Program& program, size_t cores)
    : program_(program), cores_(cores), grids_(program.regions.size()) {}

void Cells::add(const Access& access) {
  const Runs& runs = access.runs;
  if (access.box->space == isa::Space::scratchpad) {  // Dense: one run.
    found_edges_.insert({runs.offset, runs.offset + runs.bytes});
    return;
  }
  int64_t& bytes = grids_[access.box->region].bytes;
  bytes = std::gcd(std::gcd(bytes, runs.offset), runs.bytes);
  for (size_t i = 0; i < runs.rank; ++i) bytes = std::gcd(bytes, runs.strides[i]);
}

void Cells::close() {
  for (const isa::Port& port : program_.outputs) {
    int64_t& bytes = grids_[port.region].bytes;
    bytes = std::gcd(bytes, elements(port.shape) * bytes_of(port.stored));
  }
  for (size_t region = 0; region < grids_.size(); ++region) {
    Grid& grid = grids_[region];
    grid.first = size_;
    if (grid.bytes > 0) size_ += static_cast<size_t>(static_cast<int64_t>(program_.regions[region].bytes) / grid.bytes);
  }
  edges_.assign(found_edges_.begin(), found_edges_.end());
  scratchpads_ = size_;
  size_ += cores_ * edges_.size();
}

size_t Cells::rank(int64_t byte) const {
  return static_cast<size_t>(std::ranges::lower_bound(edges_, byte) - edges_.begin());
}

Cells::Range Cells::of(const Access& access, size_t core, int64_t begin) const {
  const int64_t end = begin + access.runs.bytes;
  if (access.box->space == isa::Space::scratchpad) {
    const size_t first = scratchpads_ + core * edges_.size();
    return {first + rank(begin), first + rank(end)};
  }
  const Grid& grid = grids_[access.box->region];
  return {grid.first + static_cast<size_t>(begin / grid.bytes), grid.first + static_cast<size_t>(end / grid.bytes)};
}

Cells::Range Cells::of_region(uint16_t region, int64_t bytes) const {
  const Grid& grid = grids_[region];
  return {grid.first, grid.first + static_cast<size_t>(bytes / grid.bytes)};
}

std::string Cells::text(const Access& access, Range range) const {
  if (access.box->space == isa::Space::scratchpad) {
    const size_t core = (range.begin - scratchpads_) / edges_.size(), first = scratchpads_ + core * edges_.size();
    return fmt::format("bytes {} to {} of the scratchpad of core {}", edges_[range.begin - first],
                       edges_[range.end - first] - 1, core);
  }
  const Grid& grid = grids_[access.box->region];
  return fmt::format("bytes {} to {} of region {}", static_cast<int64_t>(range.begin - grid.first) * grid.bytes,
                     static_cast<int64_t>(range.end - grid.first) * grid.bytes - 1,
                     printable(program_.regions[access.box->region].name));
}

}  // namespace hadal::machine::check

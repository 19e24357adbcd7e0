#include "machine/timing/transfer.h"

#include <algorithm>

#include "isa/fields.h"
#include "rules/cycles.h"
#include "rules/dma.h"

namespace hadal::machine::timing {

namespace {

struct Dimension {
  int64_t extent = 1, stride = 0;
};

int64_t round_up(int64_t value, int64_t unit) { return rules::ceil_div(value, unit) * unit; }

/// The dimensions of a box that touch different bytes, in its order, and the address of its lowest byte.
struct Layout {
  std::array<Dimension, isa::rank_limit> dimensions{};
  size_t rank = 0;
  int64_t offset = 0;
};

/// `looked_up`: bits of the dimensions that an index goes along, which are left out.
Layout layout_of(const isa::Program& program, const isa::Box& box, bool clip, unsigned looked_up) {
  Layout layout{.offset = box.offset};
  const isa::TensorDescriptor& tensor = program.tensors[box.tensor];
  for (size_t i = 0; i < box.rank; ++i) {
    int64_t extent = box.extents[i], stride = box.strides[i];
    if (clip) {
      const int64_t low = std::clamp<int64_t>(-box.origins[i], 0, extent);
      extent = std::clamp<int64_t>(int64_t{tensor.extents[i]} - box.origins[i], low, extent) - low;
      layout.offset += low * stride;
    }
    if (stride < 0) {
      layout.offset += stride * (extent - 1);
      stride = -stride;
    }
    if ((looked_up >> i & 1) != 0 || extent == 1) continue;
    if (stride == 0 && extent > 0) continue;  // Repeated bytes are read once.
    layout.dimensions[layout.rank++] = {extent, stride};
  }
  return layout;
}

/// Splits a layout into runs and sets everything that follows from them.
void set_runs(Transfer& transfer, Layout layout, int64_t element) {
  const auto begin = layout.dimensions.begin(), end = begin + static_cast<std::ptrdiff_t>(layout.rank);
  std::stable_sort(begin, end, [](const Dimension& a, const Dimension& b) { return a.stride < b.stride; });
  transfer.run_bytes = element;
  transfer.runs = 1;
  for (auto dimension = begin; dimension != end; ++dimension) {
    if (transfer.depth == 0 && dimension->stride == transfer.run_bytes) {
      transfer.run_bytes *= dimension->extent;
      continue;
    }
    Transfer::Level* below = transfer.depth > 0 ? &transfer.levels[static_cast<size_t>(transfer.depth - 1)] : nullptr;
    if (below && below->stride * below->count == dimension->stride)
      below->count *= dimension->extent;
    else
      transfer.levels[static_cast<size_t>(transfer.depth++)] = {dimension->extent, dimension->stride};
    transfer.runs *= dimension->extent;
  }
}

/// The order of the bytes in memory is not that of the view.
bool permutes(const Layout& layout) {
  for (size_t i = 1; i < layout.rank; ++i)
    if (layout.dimensions[i].stride > layout.dimensions[i - 1].stride) return true;
  return false;
}

void set_cost(Transfer& transfer, const chip::Dma& dma, bool convert) {
  const int64_t inner = transfer.depth > 0 && !transfer.scattered ? transfer.levels[0].count : transfer.runs;
  const int64_t times = inner > 0 ? transfer.runs / inner : 0;
  const rules::DmaWork work{.runs = inner,
                            .run_bytes = transfer.run_bytes,
                            .start = transfer.address,
                            .stride = transfer.levels[0].stride,
                            .convert = convert};
  transfer.useful = transfer.runs * transfer.run_bytes;
  transfer.moved = rules::burst_bytes(dma, work) * times;
  // What fill and broadcasts add goes over the port as well.
  const int64_t local = rules::whole_cycles(static_cast<double>(transfer.local) / dma.bytes_per_cycle);
  transfer.port_cycles = std::max(rules::dma_cycles(dma, work) * times, local);
}

int64_t page_bytes(const isa::Program& program, const isa::Box& box) {
  return std::max<int64_t>(1, static_cast<int64_t>(program.regions[box.region].page_bytes));
}

int64_t address_of(const std::vector<int64_t>& regions, const isa::Box& box, const Layout& layout) {
  return regions[box.region] + layout.offset;
}

}  // namespace

std::vector<int64_t> region_addresses(const isa::Program& program) {
  std::vector<int64_t> addresses;
  int64_t hbm = 0;
  for (const isa::Region& region : program.regions) {
    const bool is_shared = region.kind == isa::RegionKind::shared;
    addresses.push_back(is_shared ? 0 : hbm);
    if (!is_shared) hbm += round_up(static_cast<int64_t>(region.bytes), 4096);
  }
  return addresses;
}

Transfer plan_copy(const isa::Program& program, const chip::Dma& dma, const std::vector<int64_t>& regions,
                   const isa::Box& memory, const isa::Box& tile, bool write, bool clip) {
  Transfer transfer{
      .write = write, .shared = memory.space == isa::Space::shared, .tile = tile.offset, .local = tile.bytes()};
  transfer.page_bytes = page_bytes(program, memory);
  const Layout layout = layout_of(program, memory, clip, 0);
  transfer.address = address_of(regions, memory, layout);
  set_runs(transfer, layout, bytes_of(memory.dtype));
  set_cost(transfer, dma, memory.dtype != tile.dtype || permutes(layout));
  return transfer;
}

Transfer plan_gather(const isa::Program& program, const chip::Dma& dma, const std::vector<int64_t>& regions,
                     const isa::Box& table, const isa::Box& tile, const isa::Box& index) {
  const int64_t rows = index.elements();
  // Which rows they are, the values say. A single one, a matrix of a table, counts as the first: those who look up
  // theirs side by side mostly want the same.
  Transfer transfer{.shared = table.space == isa::Space::shared,
                    .scattered = rows > 1,
                    .tile = tile.offset,
                    .local = tile.bytes(),
                    .index = index.offset,
                    .index_bytes = index.bytes()};
  transfer.page_bytes = page_bytes(program, table);
  const Layout row = layout_of(program, table, false, 1);
  transfer.address = address_of(regions, table, row);
  set_runs(transfer, row, bytes_of(table.dtype));
  transfer.runs *= rows;
  if (transfer.depth == 0) transfer.levels[static_cast<size_t>(transfer.depth++)] = {rows, table.strides[0]};
  set_cost(transfer, dma, table.dtype != tile.dtype || permutes(row));
  return transfer;
}

Transfer plan_scatter(const isa::Program& program, const chip::Dma& dma, const std::vector<int64_t>& regions,
                      const isa::Instruction& in, const isa::Boxes& boxes) {
  const isa::Box &table = boxes.box[0], &tile = boxes.box[1], &index = boxes.box[2];
  Transfer transfer{
      .write = true, .shared = table.space == isa::Space::shared, .scattered = true, .local = tile.bytes()};
  transfer.page_bytes = page_bytes(program, table);
  unsigned looked_up = 1u << in.fields[isa::at::scatter_axis].value;
  for (size_t i = 0; i < index.rank; ++i) looked_up |= index.extents[i] > 1 ? 1u << i : 0;
  const Layout row = layout_of(program, table, false, looked_up);
  transfer.address = address_of(regions, table, row);
  set_runs(transfer, row, bytes_of(table.dtype));
  const bool reads_before = in.fields[isa::at::scatter_combine].value != 0;
  transfer.runs *= index.elements() * (reads_before ? 2 : 1);
  if (transfer.depth == 0) transfer.levels[static_cast<size_t>(transfer.depth++)] = {transfer.runs, transfer.run_bytes};
  set_cost(transfer, dma, permutes(row));
  return transfer;
}

Spread Transfer::spread(int64_t from, int64_t bytes, int64_t granule) const {
  const int64_t per_run = std::max<int64_t>(1, moved / runs);
  const int64_t first_run = std::min(from / per_run, runs - 1);
  const int64_t last_run = std::min((from + bytes - 1) / per_run, runs - 1);
  int64_t start = address, rest = first_run;
  for (int i = 0; i < depth; ++i) {
    const Level& level = levels[static_cast<size_t>(i)];
    start += rest % level.count * level.stride;
    rest /= level.count;
  }
  const auto granules = [&](int64_t at, int64_t length) { return (at + length - 1) / granule - at / granule + 1; };

  start = std::max<int64_t>(start, 0);
  if (scattered)
    start += static_cast<int64_t>(static_cast<uint64_t>(first_run) * 0x9E3779B1 & 0xffffff) *
             granule;  // Anywhere, but the same anywhere each time.
  if (first_run == last_run) {
    start += std::min(from - first_run * per_run, std::max<int64_t>(0, run_bytes - bytes));
    return {.first = start / granule, .width = granules(start, bytes)};
  }
  const int64_t count = last_run - first_run + 1, width = granules(start, run_bytes), stride = levels[0].stride;
  if (scattered || stride % granule != 0 || count > levels[0].count) {
    // No pattern: granules one after another, unless runs share them.
    const int64_t spanned = stride < granule && !scattered ? stride * count / granule + 1 : count * width;
    return {.first = start / granule, .width = std::max(width, spanned)};
  }
  return {.first = start / granule, .count = count, .step = stride / granule, .width = width};
}

}  // namespace hadal::machine::timing

// Memory by chance, and the semaphores that order the steps of a unit.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "fuzz/well_formed_unit.h"

namespace hadal::fuzz {

namespace {

/// Strides of `shape`, and how many elements lie between the first and the last byte.
struct Layout {
  std::vector<int64_t> strides;
  int64_t first = 0, elements = 1;
};

Layout draw_layout(Random& random, const Shape& shape, bool gaps) {
  std::vector<size_t> order(shape.size());
  std::iota(order.rbegin(), order.rend(), 0);  // The last axis is the innermost.
  if (random.one_in(3))
    for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
  Layout layout{std::vector<int64_t>(shape.size())};
  for (const size_t axis : order) {
    const int64_t extent = shape[axis];
    if (gaps && random.one_in(16)) continue;  // Stride 0.
    layout.strides[axis] = layout.elements;
    if (gaps && random.one_in(12)) {
      layout.first += (extent - 1) * layout.elements;
      layout.strides[axis] = -layout.elements;
    }
    layout.elements *= extent + (gaps && random.one_in(8) ? random.between(1, 3) : 0);
  }
  return layout;
}

void lay_out(isa::TensorDescriptor& tensor, const Shape& shape, const Layout& layout) {
  const int64_t size = bytes_of(tensor.dtype);
  tensor.rank = static_cast<uint8_t>(shape.size());
  tensor.offset += static_cast<uint64_t>(layout.first * size);
  for (size_t i = 0; i < shape.size(); ++i) {
    tensor.extents[i] = static_cast<uint32_t>(shape[i]);
    tensor.strides[i] = layout.strides[i] * size;
  }
}

/// Between the queue that fills buffers and one that reads them.
struct Link {
  size_t first_write = SIZE_MAX, last_write = 0, first_read = SIZE_MAX, last_read = 0;
};

}  // namespace

Tensor draw_values(Random& random, const Tile& tile, DType stored, int64_t count) {
  std::byte* data = nullptr;
  Tensor tensor = Tensor::zeros(stored, {count}, data);
  const bool specials = !tile.range && !tile.is_finite && tile.trust != Trust::grid && random.one_in(12);
  for (int64_t i = 0; i < count; ++i, data += bytes_of(stored)) {
    double value = 0;
    if (tile.range)
      value = static_cast<double>(random.between(tile.range->first, tile.range->second));
    else if (tile.trust == Trust::grid)
      value = static_cast<double>(random.between(-8, 8)) / 4;
    else
      value = static_cast<double>(random.between(-(1 << 24), 1 << 24)) / (1 << 23);
    if (specials && random.one_in(8)) value = random.pick({NAN, INFINITY, -INFINITY});
    store_number(stored, data, value);
  }
  return tensor;
}

uint16_t draw_memory(Making& m, const Tile& tile, DType stored, const Shape& shape) {
  const Layout layout = draw_layout(m.random, shape, true);
  const Tensor values = draw_values(m.random, tile, stored, layout.elements);
  uint16_t number = 0;
  if (m.random.one_in(4)) {
    number = m.builder.weight(values);
  } else {
    number = m.builder.input(stored, values.shape);
    m.inputs.push_back(values);
  }
  lay_out(m.builder.program.tensors[number], shape, layout);
  return number;
}

uint16_t draw_output(Making& m, const Tile& tile, const Shape& shape) {
  const uint16_t number = m.builder.output(tile.dtype, {elements(shape)});
  lay_out(m.builder.program.tensors[number], shape, draw_layout(m.random, shape, false));
  m.bounds.push_back({tile.trust == Trust::close ? tile.most : 0});
  return number;
}

size_t Steps::add(isa::Instruction in) {
  steps_.push_back({std::move(in)});
  return steps_.size() - 1;
}

size_t Steps::buffer(const Tile& tile, int64_t slots, int group) {
  buffers_.push_back({making_.builder.buffer(tile.dtype, tile.shape, static_cast<uint64_t>(slots)), tile, group});
  return buffers_.size() - 1;
}

void Steps::link(int64_t slots, bool again) {
  std::map<std::array<int, 3>, Link> links;
  for (size_t b = 0; b < buffers_.size(); ++b)
    for (const size_t reader : buffers_[b].readers) {
      const Buffer& buffer = buffers_[b];
      const isa::Queue from = steps_[buffer.writers.front()].in.queue, to = steps_[reader].in.queue;
      if (from == to) continue;
      const int group = buffer.group < 0 ? -1 - static_cast<int>(b) : buffer.group;
      Link& link = links[{static_cast<int>(from), static_cast<int>(to), group}];
      link.first_write = std::min(link.first_write, buffer.writers.front());
      link.last_write = std::max(link.last_write, buffer.writers.back());
      link.first_read = std::min(link.first_read, reader);
      link.last_read = std::max(link.last_read, reader);
    }
  for (const auto& [key, link] : links) {
    const auto count = static_cast<uint8_t>(making_.random.between(1, 2));
    const isa::Sync full{making_.builder.semaphore(0, static_cast<isa::Queue>(key[1])), count};
    steps_[link.last_write].signals.push_back(full);
    steps_[link.first_read].waits.push_back(full);
    if (!again) continue;
    const auto initial = static_cast<int32_t>(count * slots);
    const isa::Sync free{making_.builder.semaphore(initial, static_cast<isa::Queue>(key[0])), count};
    steps_[link.last_read].signals.push_back(free);
    steps_[link.first_write].waits.push_back(free);
  }
}

void write(Making& making, isa::Instruction in, uint32_t layer) {
  making.builder.program.code.push_back(std::move(in));
  making.builder.program.source.push_back(layer);
}

void Steps::write(uint32_t layer) {
  for (Step& step : steps_) {
    const isa::Instruction alone{.op = isa::Opcode::sync, .queue = step.in.queue, .operands = {}, .fields = {}};
    while (step.waits.size() > 3 || (!step.waits.empty() && making_.random.one_in(12))) {
      isa::Instruction sync = alone;
      sync.waits[0] = step.waits.back();
      step.waits.pop_back();
      fuzz::write(making_, sync, layer);
    }
    std::vector<isa::Instruction> after;
    while (step.signals.size() > 3 || (!step.signals.empty() && making_.random.one_in(12))) {
      after.push_back(alone);
      after.back().signals[0] = step.signals.back();
      step.signals.pop_back();
    }
    std::ranges::copy(step.waits, step.in.waits.begin());
    std::ranges::copy(step.signals, step.in.signals.begin());
    fuzz::write(making_, std::move(step.in), layer);
    for (isa::Instruction& sync : after) fuzz::write(making_, std::move(sync), layer);
  }
}

}  // namespace hadal::fuzz

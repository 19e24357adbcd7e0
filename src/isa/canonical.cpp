#include "isa/canonical.h"

#include <algorithm>
#include <unordered_map>

#include "isa/file_sections.h"

namespace hadal::isa {

namespace {

void tidy(Origin& origin) {
  if (origin.register_a == origin.register_b && origin.register_a != no_register) {
    origin.scale_a += origin.scale_b;
    origin.scale_b = 0;
  }
  if (origin.register_a == no_register || origin.scale_a == 0) origin.register_a = no_register, origin.scale_a = 0;
  if (origin.register_b == no_register || origin.scale_b == 0) origin.register_b = no_register, origin.scale_b = 0;
  if (origin.register_b < origin.register_a) {
    std::swap(origin.register_a, origin.register_b);
    std::swap(origin.scale_a, origin.scale_b);
  }
}

void tidy(View& view, bool buffer) {
  if (view.ring_register == no_register || view.slots <= 1) {
    view.ring_register = no_register;
    view.slots = 1;
    view.slot_bytes = 0;
    view.ring_shift = 0;
  }
  for (size_t i = 0; i < rank_limit; ++i) {
    if (i >= view.rank) view.extents[i] = {};
    if (i >= view.rank || buffer)
      view.origins[i] = {};
    else
      tidy(view.origins[i]);
  }
}

void tidy(TensorDescriptor& tensor) {
  const bool buffer = tensor.space == Space::scratchpad;
  if (buffer)
    tensor.region = 0;
  else
    tensor.bytes = 0;
  for (size_t i = tensor.rank; i < rank_limit; ++i) tensor.extents[i] = 0, tensor.strides[i] = 0;
}

void tidy(std::array<Sync, 3>& syncs) {
  const auto unused = std::remove_if(syncs.begin(), syncs.end(), [](const Sync& sync) { return sync.count == 0; });
  std::fill(unused, syncs.end(), Sync{});
}

void pool_views(Program& program) {
  const auto known = [&](uint16_t view) { return view == no_view || view < program.views.size(); };
  for (const Instruction& in : program.code)
    if (!std::all_of(in.operands.begin(), in.operands.end(), known)) return;
  std::vector<View> pool;
  std::vector<uint16_t> moved(program.views.size(), no_view);
  std::unordered_map<std::string, uint16_t> numbers;
  for (Instruction& in : program.code)
    for (uint16_t& operand : in.operands) {
      if (operand == no_view) continue;
      uint16_t& number = moved[operand];
      if (number == no_view) {
        const auto [at, added] =
            numbers.try_emplace(bytes_of(program.views[operand]), static_cast<uint16_t>(pool.size()));
        if (added) pool.push_back(program.views[operand]);
        number = at->second;
      }
      operand = number;
    }
  program.views = std::move(pool);
}

}  // namespace

void canonicalise(Program& program) {
  for (TensorDescriptor& tensor : program.tensors) tidy(tensor);
  for (View& view : program.views)
    tidy(view, view.tensor < program.tensors.size() && program.tensors[view.tensor].space == Space::scratchpad);
  for (Instruction& in : program.code) {
    tidy(in.waits);
    tidy(in.signals);
  }
  if (std::ranges::all_of(program.lines, &std::string::empty)) program.lines.clear();
  pool_views(program);
}

}  // namespace hadal::isa

#include "machine/timing/repeats.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "base/split_mix.h"
#include "isa/table.h"

namespace hadal::machine::timing {

namespace {

class Hash {
 public:
  template <class... Numbers>
  void add(Numbers... numbers) {
    ((value_ = SplitMix::joined(value_, static_cast<uint64_t>(numbers))), ...);
  }
  [[nodiscard]] uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0;
};

void add_view(Hash& hash, const isa::Program& program, const isa::View& view) {
  const isa::TensorDescriptor& tensor = program.tensors[view.tensor];
  hash.add(tensor.space, tensor.dtype, tensor.rank, view.rank, view.slots);
  for (size_t i = 0; i < tensor.rank; ++i) hash.add(tensor.extents[i], tensor.strides[i]);
  for (size_t i = 0; i < view.rank; ++i) hash.add(view.extents[i].size, view.extents[i].source == isa::no_register);
}

void add_field(Hash& hash, const isa::Program& program, isa::FieldKind kind, const isa::Field& field) {
  if (kind == isa::FieldKind::real || kind == isa::FieldKind::target) return;
  if (field.is_register)
    hash.add(1);
  else if (kind == isa::FieldKind::chain && field.value != isa::no_chain)
    hash.add(program.chains[static_cast<size_t>(field.value)].steps.size());
  else
    hash.add(0, field.value);
}

uint64_t signature_of(const isa::Program& program, const isa::Instruction& in) {
  Hash hash;
  hash.add(in.op, in.queue, in.predicate == isa::no_register);
  for (const auto* syncs : {&in.waits, &in.signals})
    for (const isa::Sync& sync : *syncs) hash.add(sync.id, sync.count, sync.everywhere);
  for (const uint16_t view : in.operands) {
    if (view == isa::no_view)
      hash.add(view);
    else
      add_view(hash, program, program.views[view]);
  }
  const isa::Row& row = *isa::row_of(in.op);
  for (size_t i = 0; i < in.fields.size(); ++i) add_field(hash, program, row.fields[i].kind, in.fields[i]);
  return hash.value();
}

/// The distances at which the same few instructions come again most often.
std::vector<uint32_t> distances(const std::vector<uint64_t>& signatures, const std::vector<bool>& is_outside) {
  constexpr size_t few = 8, most = 4;
  std::unordered_map<uint64_t, uint32_t> last;
  std::map<uint32_t, uint32_t> votes;
  for (size_t i = 0; i + few <= signatures.size(); ++i) {
    if (!is_outside[i]) continue;
    Hash hash;
    for (size_t j = 0; j < few; ++j) hash.add(signatures[i + j]);
    const auto [known, is_new] = last.try_emplace(hash.value(), static_cast<uint32_t>(i));
    if (!is_new) ++votes[static_cast<uint32_t>(i) - known->second];
    known->second = static_cast<uint32_t>(i);
  }
  std::vector<std::pair<uint32_t, uint32_t>> by_votes(votes.begin(), votes.end());
  std::ranges::stable_sort(by_votes, std::ranges::greater{}, &std::pair<uint32_t, uint32_t>::second);
  std::vector<uint32_t> out;
  for (size_t i = 0; i < std::min(most, by_votes.size()); ++i) out.push_back(by_votes[i].first);
  return out;
}

}  // namespace

std::vector<uint64_t> signatures_of(const isa::Program& program) {
  std::vector<uint64_t> signatures;
  signatures.reserve(program.code.size());
  for (const isa::Instruction& in : program.code) signatures.push_back(signature_of(program, in));
  return signatures;
}

std::vector<Repeat> repeats_of(const isa::Walk& walk, const std::vector<uint64_t>& signatures, uint32_t fewest) {
  std::vector<bool> is_outside(signatures.size(), true);
  for (size_t i = 0; i < signatures.size(); ++i)
    if (walk.program().code[i].op == isa::Opcode::loop)
      for (const size_t end = walk.partner(i); i < end;) is_outside[++i] = false;

  std::vector<Repeat> found;
  const auto add = [&](size_t first, size_t end, uint32_t length) {
    while (first < end && !is_outside[first]) ++first;
    const auto count = static_cast<uint32_t>((end - first) / length);
    if (count >= fewest) found.push_back({static_cast<uint32_t>(first), length, count});
  };
  for (const uint32_t distance : distances(signatures, is_outside)) {
    size_t from = distance;  // Since where each is what came a distance before.
    for (size_t i = distance; i <= signatures.size(); ++i) {
      if (i < signatures.size() && signatures[i] == signatures[i - distance]) continue;
      if (i > from) add(from - distance, i, distance);
      from = i + 1;
    }
  }
  std::ranges::stable_sort(found, std::ranges::greater{}, [](const Repeat& r) { return r.length * r.count; });
  std::vector<Repeat> apart;
  for (const Repeat& repeat : found)
    if (std::ranges::none_of(apart, [&](const Repeat& o) { return repeat.first < o.end() && o.first < repeat.end(); }))
      apart.push_back(repeat);
  std::ranges::sort(apart, {}, &Repeat::first);
  return apart;
}

}  // namespace hadal::machine::timing

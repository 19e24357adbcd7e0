#include "machine/timing/fetch.h"

#include <algorithm>

#include "isa/encode.h"

namespace hadal::machine::timing {

CodeMap::CodeMap(const isa::Walk& walk) : walk_(&walk), offsets_{0} {
  std::vector<uint32_t> open{0};
  const std::vector<isa::Instruction>& code = walk.program().code;
  for (uint32_t i = 0; i < code.size(); ++i) {
    offsets_.push_back(offsets_.back() + static_cast<int64_t>(isa::encoded_bytes(*isa::row_of(code[i].op))));
    loop_.push_back(open.back());
    if (code[i].op == isa::Opcode::loop) open.push_back(i + 1);
    if (code[i].op == isa::Opcode::end) open.pop_back();
  }
}

size_t CodeMap::body(size_t from, size_t to) const {
  uint32_t loop = loop_[to];
  while (loop != 0 && walk_->partner(loop - 1) < from) loop = loop_[loop - 1];
  return loop;  // The loop is instruction loop - 1, its body begins after it.
}

Fetch::Fetch(const CodeMap& map, const chip::Sequencer& sequencer, Cycles clock)
    : map_(&map),
      buffer_(sequencer.instruction_buffer_bytes),
      rate_(clock.rate(sequencer.fetch_bytes_per_cycle)),
      latency_(clock.time(sequencer.fetch_latency_cycles)) {}

Time Fetch::take(int64_t begin, int64_t end, Time now) {
  if (begin >= low_ && end <= high_) return now;
  if (begin < low_ || begin > high_) {
    low_ = high_ = origin_ = begin;
    origin_time_ = now + latency_;
  }
  high_ = end;
  low_ = std::max(low_, high_ - buffer_);
  return std::max(now, origin_time_ + rate_.time(end - origin_));
}

Time Fetch::go(size_t from, size_t to, Time now, bool first) {
  if (first) {
    origin_time_ = now + latency_;
    return take(0, map_->end(to), now);
  }
  if (to > from) return take(map_->begin(from + 1), map_->end(to), now);
  return take(map_->begin(map_->body(from, to)), map_->end(to), now);
}

}  // namespace hadal::machine::timing

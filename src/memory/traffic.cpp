#include "memory/traffic.h"

#include <array>

namespace hadal::memory {

Pattern::Pattern(Kind kind, const Traffic& traffic)
    : kind_(kind),
      region_(static_cast<uint64_t>(traffic.region)),
      granule_(static_cast<uint64_t>(traffic.granule)),
      stride_(static_cast<uint64_t>(traffic.stride)),
      read_burst_(static_cast<uint64_t>(traffic.read_burst)),
      write_burst_(static_cast<uint64_t>(traffic.write_burst)),
      streams_(static_cast<uint64_t>(traffic.streams)),
      chunk_(static_cast<uint64_t>(traffic.chunk)),
      random_(traffic.seed) {}

Result<Pattern> Pattern::make(const Traffic& traffic) {
  const auto wrong = [&](std::string message) {
    return Error{"traffic.range", fmt::format("{} of pattern {}", message, printable(traffic.pattern)), {}, {}};
  };
  constexpr std::array<std::pair<std::string_view, Kind>, 9> kinds = {{{"seq_read", Kind::seq_read},
                                                                       {"seq_write", Kind::seq_write},
                                                                       {"mix", Kind::mix},
                                                                       {"stride", Kind::stride},
                                                                       {"bank_conflict", Kind::stride},
                                                                       {"random_read", Kind::random_read},
                                                                       {"random_write", Kind::random_write},
                                                                       {"random_mix", Kind::random_mix},
                                                                       {"streams", Kind::streams}}};
  if (traffic.granule < 1 || traffic.region < 2 * traffic.granule) return wrong("no room for a block");
  for (const auto& [name, kind] : kinds) {
    if (name != traffic.pattern) continue;
    if (kind == Kind::mix &&
        (traffic.read_burst < 0 || traffic.write_burst < 0 || traffic.read_burst + traffic.write_burst < 1))
      return wrong("no blocks to read or write");
    if (kind == Kind::stride && traffic.stride < 1) return wrong("no stride");
    if (kind == Kind::streams &&
        (traffic.streams < 1 || traffic.chunk < traffic.granule || traffic.region / traffic.streams < traffic.granule))
      return wrong("no streams, or chunks without a block");
    return Pattern(kind, traffic);
  }
  return Error{"traffic.pattern", fmt::format("there is no pattern \"{}\"", printable(traffic.pattern)), {}, {}};
}

Pattern::Block Pattern::next() {
  const uint64_t k = block_++;
  const uint64_t half = region_ / 2;
  switch (kind_) {
    case Kind::seq_read:
    case Kind::seq_write:
      return {k * granule_ % region_, kind_ == Kind::seq_write};
    case Kind::mix: {
      const uint64_t q = k / (read_burst_ + write_burst_), j = k % (read_burst_ + write_burst_);
      if (j < read_burst_) return {(q * read_burst_ + j) * granule_ % half, false};
      return {half + (q * write_burst_ + j - read_burst_) * granule_ % half, true};
    }
    case Kind::stride: {
      const uint64_t x = k * stride_;
      return {(x % region_ + x / region_ * granule_) % region_, false};
    }
    case Kind::random_read:
    case Kind::random_write:
      return {random_.next() % (region_ / granule_) * granule_, kind_ == Kind::random_write};
    case Kind::random_mix: {
      const uint64_t z = random_.next();
      return {z % (region_ / granule_) * granule_, (z >> 40) % 3 == 0};
    }
    case Kind::streams: {
      const uint64_t blocks = chunk_ / granule_, part = region_ / streams_;
      const uint64_t q = k / blocks, j = k % blocks;
      return {q % streams_ * part + (q / streams_ * chunk_ + j * granule_) % part, false};
    }
  }
  return {};
}

}  // namespace hadal::memory

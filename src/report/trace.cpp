#include "report/trace.h"

#include <algorithm>
#include <map>

#include "base/files.h"
#include "isa/table.h"
#include "report/trace_tracks.h"

namespace hadal::report {

namespace {

struct Nanoseconds {
  double hertz;
  int64_t operator()(int64_t cycles) const { return static_cast<int64_t>(static_cast<double>(cycles) * 1e9 / hertz); }
};

Track layer_track(const isa::Program& program, const machine::Timing& timing, const Nanoseconds& time) {
  Track track{"layers", {}, {}};
  if (timing.launch_cycles > 0) track.spans.push_back({"launch", 0, time(timing.launch_cycles), 0, {}});
  for (size_t i = 0; i < timing.layers.size(); ++i) {
    const machine::LayerTime& layer = timing.layers[i];
    const int64_t begin = std::max(layer.end - layer.cycles, timing.launch_cycles);
    if (layer.cycles > 0)
      track.spans.push_back({program.layers[i].name,
                             time(begin),
                             time(layer.end),
                             0,
                             {{"macs", static_cast<int64_t>(layer.macs)},
                              {"read_bytes", static_cast<int64_t>(layer.bytes_read)},
                              {"write_bytes", static_cast<int64_t>(layer.bytes_written)}}});
  }
  return track;
}

/// A queue's track while it is filled: the layer that is open, and when the last instruction ended.
struct Filling {
  Track track;
  size_t layer_span = 0;
  uint32_t layer = UINT32_MAX;
  int64_t last_end = 0;
};

void add(Filling& filling, const isa::Program& program, const machine::Slice& slice, const Nanoseconds& time) {
  const bool named = slice.instruction < program.source.size() && !program.layers.empty();
  const uint32_t layer = named ? program.source[slice.instruction] : 0;
  std::vector<Span>& spans = filling.track.spans;
  const int64_t begin = time(std::max(slice.begin, filling.last_end)),
                end = time(std::max(slice.end, filling.last_end));
  filling.last_end = std::max(filling.last_end, slice.end);
  if (named && layer != filling.layer) {
    filling.layer = layer;
    filling.layer_span = spans.size();
    spans.push_back({program.layers[layer].name, begin, end, 0, {}});
  }
  if (named) spans[filling.layer_span].end = end;
  spans.push_back({isa::row_of(program.code[slice.instruction].op)->name,
                   begin,
                   end,
                   named ? 1 : 0,
                   {{"instruction", slice.instruction},
                    {"start_ns", time(slice.begin)},
                    {"stalled_ns", time(slice.begin) - time(slice.waited_from)}}});
}

}  // namespace

Status write_trace(const std::string& path, const isa::Program& program, const chip::Chip& chip,
                   const machine::Timing& timing, const std::vector<machine::Slice>& slices) {
  const Nanoseconds time{chip.clock.hertz};
  std::map<std::pair<uint32_t, isa::Queue>, Filling> queues;
  for (const machine::Slice& slice : slices) add(queues[{slice.core, slice.queue}], program, slice, time);

  std::vector<Track> tracks{layer_track(program, timing, time)};
  for (auto& [place, filling] : queues) {
    filling.track.name = isa::name_of(place.second);
    filling.track.group = fmt::format("core {}", place.first);
    tracks.push_back(std::move(filling.track));
  }
  return write_file(path, path.ends_with(".pftrace") ? perfetto_trace(tracks) : chrome_trace(tracks));
}

}  // namespace hadal::report

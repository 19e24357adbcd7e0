// Perfetto's trace format: protobuf messages, whose few fields are written by hand. Field numbers are those of
// protos/perfetto/trace/trace_packet.proto, track_event/track_descriptor.proto, track_event.proto and
// debug_annotation.proto of github.com/google/perfetto.
#include <map>

#include "base/result.h"
#include "report/trace_tracks.h"

namespace hadal::report {

namespace {

/// A message on the wire: fields follow one another, a nested message is a field of bytes.
class Message {
 public:
  void number(uint32_t field, uint64_t value) {
    varint(field << 3);
    varint(value);
  }
  void text(uint32_t field, std::string_view bytes) {
    varint(field << 3 | 2);
    varint(bytes.size());
    bytes_ += bytes;
  }
  void message(uint32_t field, const Message& inner) { text(field, inner.bytes_); }
  void clear() { bytes_.clear(); }
  std::string take() { return std::move(bytes_); }

 private:
  void varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>(value | 0x80);
    bytes_ += static_cast<char>(value);
  }
  std::string bytes_;
};

namespace trace {
constexpr uint32_t packet = 1;
}
namespace packet {
constexpr uint32_t timestamp = 8, sequence = 10, track_event = 11, track_descriptor = 60;
}
namespace descriptor {
constexpr uint32_t uuid = 1, name = 2, parent = 5, child_ordering = 11, rank = 12;
constexpr uint64_t explicit_order = 3;
}  // namespace descriptor
namespace event {
constexpr uint32_t details = 4, type = 9, track = 11, name = 23;
constexpr uint64_t slice_begin = 1, slice_end = 2;
}  // namespace event
namespace detail {
constexpr uint32_t name = 10, integer = 4;
}

/// One trace, packet by packet. The inner messages are kept, so that their memory is.
class Writer {
 public:
  void describe(uint64_t uuid, std::string_view name, uint64_t parent, uint64_t rank, bool holds_tracks) {
    inner_.clear();
    inner_.number(descriptor::uuid, uuid);
    inner_.text(descriptor::name, name);
    if (parent != 0) inner_.number(descriptor::parent, parent);
    if (holds_tracks) inner_.number(descriptor::child_ordering, descriptor::explicit_order);
    inner_.number(descriptor::rank, rank);
    packet_.clear();
    packet_.message(packet::track_descriptor, inner_);
    finish();
  }
  void begin(uint64_t track, const Span& span) {
    start(track, event::slice_begin);
    inner_.text(event::name, printable(span.name));
    for (const auto& [name, value] : span.details) {
      detail_.clear();
      detail_.text(detail::name, name);
      detail_.number(detail::integer, static_cast<uint64_t>(value));
      inner_.message(event::details, detail_);
    }
    close(span.begin);
  }
  void end(uint64_t track, int64_t time) {
    start(track, event::slice_end);
    close(time);
  }
  std::string take() { return trace_.take(); }

 private:
  void start(uint64_t track, uint64_t type) {
    inner_.clear();
    inner_.number(event::type, type);
    inner_.number(event::track, track);
  }
  void close(int64_t time) {
    packet_.clear();
    packet_.number(packet::timestamp, static_cast<uint64_t>(time));
    packet_.message(packet::track_event, inner_);
    finish();
  }
  void finish() {
    packet_.number(packet::sequence, 1);
    trace_.message(trace::packet, packet_);
  }
  Message trace_, packet_, inner_, detail_;
};

void write_spans(Writer& writer, uint64_t uuid, const std::vector<Span>& spans) {
  std::vector<int64_t> open;  // Ends of the spans around.
  for (const Span& span : spans) {
    for (; open.size() > static_cast<size_t>(span.level); open.pop_back()) writer.end(uuid, open.back());
    writer.begin(uuid, span);
    open.push_back(span.end);
  }
  for (; !open.empty(); open.pop_back()) writer.end(uuid, open.back());
}

}  // namespace

std::string perfetto_trace(const std::vector<Track>& tracks) {
  Writer writer;
  std::map<std::string_view, uint64_t> groups;
  uint64_t uuids = 0;
  for (const Track& track : tracks) {
    if (!track.group.empty() && groups.try_emplace(track.group, uuids + 1).second) {
      ++uuids;
      writer.describe(uuids, track.group, 0, uuids, true);
    }
    const uint64_t uuid = ++uuids;
    writer.describe(uuid, track.name, track.group.empty() ? 0 : groups[track.group], uuid, false);
    write_spans(writer, uuid, track.spans);
  }
  return writer.take();
}

}  // namespace hadal::report

// Transfers: a queue asks for the pieces of one transfer after another, several transfers being in flight. A load's
// piece passes the memory and then the network, a store's the other way.
#include <algorithm>

#include "isa/fields.h"
#include "machine/timing/machine.h"

namespace hadal::machine::timing {

namespace {

/// Streams share memory and network by pieces of this size: smaller ones share more evenly and take longer to simulate.
constexpr int64_t piece_bytes = 32 * 1024, long_stream_piece_bytes = 128 * 1024;

Network::Class traffic_of(uint8_t queue) {
  return queue == static_cast<uint8_t>(isa::Queue::prefetch) ? Network::Class::prefetch : Network::Class::demand;
}

}  // namespace

void Machine::plan(const isa::Instruction& in, Entry& entry) {
  const isa::Box &to = boxes_.box[0], &from = boxes_.box[1];
  entry.sharing = isa::sharing_of(in);  // Entries serve again: what a shared load left must go.
  if (in.op == isa::Opcode::gather) {
    entry.transfer = plan_gather(*program_, chip_->dma, regions_, from, to, boxes_.box[2]);
    return;
  }
  if (in.op == isa::Opcode::scatter) {
    entry.transfer = plan_scatter(*program_, chip_->dma, regions_, in, boxes_);
    return;
  }
  const bool write = in.op == isa::Opcode::store;
  const bool clip = !write && in.fields[isa::at::load_fill].value != 0;
  entry.transfer = plan_copy(*program_, chip_->dma, regions_, write ? to : from, write ? from : to, write, clip);
}

void Machine::start_transfer(uint32_t core, Core& state, uint8_t queue, const Entry& entry, Time now) {
  QueueState& own = state.queues[queue];
  Active& active = own.active.push();
  active = {entry, {.waited_from = std::max(entry.issued, own.free), .begin = now, .end = now}};
  active.sharing = entry.sharing;
  active.on_chip = !entry.idle && entry.transfer.shared;
  if (entry.idle) {
    active.done = true;
  } else {
    active.transfer = entry.transfer;
    const Time port = clock_.time(entry.transfer.port_cycles);
    if (entry.transfer.moved > 0) {
      active.port = {static_cast<double>(port) / static_cast<double>(entry.transfer.moved)};
    } else {  // Nothing but fill.
      active.end = now + dma_issue_ + port;
      active.done = true;
    }
  }
  pump(core, state, queue, now);
  close(core, state, queue);
}

/// Lets the next transfer that has something to ask for do so; a gather once its index is there.
void Machine::pump(uint32_t core, Core& state, uint8_t queue, Time now) {
  QueueState& own = state.queues[queue];
  if (own.requesting) return;
  while (own.asking != own.active.end() && own.active[own.asking].done) ++own.asking;
  if (own.asking == own.active.end()) return;
  Active& active = own.active[own.asking];
  for (uint32_t before = own.active.begin(); before != own.asking; ++before)
    if (active.transfer.looks_into(own.active[before].transfer)) return;
  own.requesting = true;
  const Time ready = active.asked_at = std::max({now, active.begin + dma_issue_, own.next_request});
  if (active.sharing.is_shared()) return meet(core, queue, ready);
  events_.push(ready, core, Event::Kind::request, queue);
}

/// A queue comes to a shared load. The last one of the group asks for all, once it can have heard from them.
void Machine::meet(uint32_t core, uint8_t queue, Time ready) {
  QueueState& own = cores_[core].queues[queue];
  Active& active = own.active[own.asking];
  const isa::Sharing& sharing = active.sharing;
  const int64_t first = sharing.first(core);
  const auto key = std::array{int64_t{queue}, first, sharing.size, sharing.step};
  Meeting& meeting = meetings_[key];
  meeting.members.push_back({core, own.asking});
  meeting.ready = std::max(meeting.ready, ready);
  if (std::ssize(meeting.members) < sharing.members(first, chip_->cores)) return;
  for (const Member& member : meeting.members)
    meeting.ready = std::max(meeting.ready, ready + network_.distance(member.core, core));
  active.members = std::move(meeting.members);
  ++met_;
  for (const Member& member : active.members) cores_[member.core].queues[queue].active[member.active].meeting = met_;
  events_.push(meeting.ready, core, Event::Kind::request, queue);
  meetings_.erase(key);
}

int64_t Machine::piece_of(const Transfer& transfer) {
  return servers_of(transfer).samples() ? long_stream_piece_bytes : piece_bytes;
}

/// Takes the core's port for the next piece; the queues of one direction take turns. A shared piece leaves once one of
/// its members has a free port. The others take it when theirs are: until then the network has it, and no further one.
void Machine::request(uint32_t core, uint8_t queue, Time now) {
  QueueState& own = cores_[core].queues[queue];
  if (own.hold > now) return events_.push(own.hold, core, Event::Kind::request, queue);
  Active& active = own.active[own.asking];
  active.asking = std::min(piece_of(active.transfer), active.transfer.moved - active.asked);
  const size_t direction = active.transfer.write ? 1 : 0;
  const Time length = active.port.time(active.asking);
  Time at = cores_[core].port_free[direction];
  for (const Member& member : active.members) at = std::min(at, cores_[member.core].port_free[direction]);
  active.taken = at = std::max(now, at);
  const auto take = [&](Time& free) {
    const Time start = std::max(at, free);
    free = start + length;
    active.taken = std::max(active.taken, start);
    return start - at;
  };
  if (active.members.empty()) take(cores_[core].port_free[direction]);
  for (const Member& member : active.members) {
    Core& state = cores_[member.core];
    state.queues[queue].active[member.active].lag = take(state.port_free[direction]);
  }
  if (at > now) return events_.push(at, core, Event::Kind::piece, queue);
  ask(core, queue, now);
}

/// Sends a piece on its way, and sets when the next may follow: not before this one has been taken.
void Machine::ask(uint32_t core, uint8_t queue, Time now) {
  Core& state = cores_[core];
  QueueState& own = state.queues[queue];
  Active& active = own.active[own.asking];
  if (spare_pieces_.empty()) {
    spare_pieces_.push_back(static_cast<uint32_t>(pieces_.size()));
    pieces_.emplace_back();
  }
  const uint32_t slot = spare_pieces_.back();
  spare_pieces_.pop_back();
  Piece& piece = pieces_[slot];
  piece = {.active = own.asking, .from = active.asked, .bytes = active.asking, .asked = now};

  Servers& servers = servers_of(active.transfer);
  const Spread spread = active.transfer.spread(piece.from, piece.bytes, granule_of(active.transfer));
  Time next = std::max(active.taken, now + active.port.time(piece.bytes));
  const bool hit = !active.transfer.write && read_cache(active.transfer, piece, now);
  const bool waits = is_exact(active.transfer) && !active.transfer.write && !hit;
  if (active.transfer.write) {
    next = std::max(next, write_piece(core, servers, spread, piece, now));
  } else if (hit) {
    piece.hit = true;
  } else if (waits) {
    exact_->submit(spread, piece.bytes, false, now, {core, slot, queue});
  } else {
    const Servers::Service service = servers.serve(spread, piece.bytes, false, now);
    piece.head = service.first + servers.latency();
    piece.tail = service.end + servers.latency();
    next = std::max(next, service.taken);
    if (is_cached(active.transfer)) cache_.keep(active.transfer, piece.from, piece.bytes, piece.tail);
  }
  if (!waits) events_.push(piece.head, core, Event::Kind::passage, queue, slot);
  active.asked += piece.bytes;
  ++active.under_way;
  if (!waits) ask_next(core, queue, next, now);
}

/// The exact memory tells of a piece.
void Machine::served(const ExactMemory::Report& report) {
  const auto [core, slot, queue] = report.ticket;
  Piece& piece = pieces_[slot];
  QueueState& own = cores_[core].queues[queue];
  const Active& active = own.active[piece.active];
  const bool sent = report.kind == ExactMemory::Report::Kind::sent;
  if (active.transfer.write) {
    if (sent)
      own.hold = std::max(own.hold, piece.asked + (report.at - piece.head));
    else
      written(core, queue, slot, report.at);
  } else if (sent) {
    ask_next(core, queue, std::max({active.taken, piece.asked + active.port.time(piece.bytes), report.at}), report.at);
  } else {
    piece.head = report.first + memory_.latency();
    piece.tail = report.at + memory_.latency();
    if (is_cached(active.transfer)) cache_.keep(active.transfer, piece.from, piece.bytes, piece.tail);
    events_.push(piece.tail, core, Event::Kind::passage, queue, slot);
  }
}

/// Sets when the queue asks for its next piece: of this transfer, or of the next one.
void Machine::ask_next(uint32_t core, uint8_t queue, Time next, Time now) {
  QueueState& own = cores_[core].queues[queue];
  const Active& active = own.active[own.asking];
  if (active.asked < active.transfer.moved) return events_.push(next, core, Event::Kind::request, queue);
  const auto go_on = [&](uint32_t to) {
    QueueState& asked = cores_[to].queues[queue];
    ++asked.asking;
    asked.requesting = false;
    asked.next_request = next;
    pump(to, cores_[to], queue, now);
  };
  if (active.members.empty()) return go_on(core);
  const std::vector<Member> members = active.members;  // Going on may move the transfer.
  for (const Member& member : members) go_on(member.core);
}

/// Whether the cache has, or awaits, the bytes of a piece; then sets when they come.
bool Machine::read_cache(const Transfer& transfer, Piece& piece, Time now) {
  if (!is_cached(transfer)) return false;
  const std::optional<Time> ready = cache_.find(transfer, piece.from, piece.bytes);
  if (ready) piece.head = piece.tail = std::max(now, *ready) + hit_;
  return ready.has_value();
}

/// Over the network to where the bytes go. Returns when the core's side is rid of the piece.
Time Machine::write_piece(uint32_t core, Servers& servers, const Spread& spread, Piece& piece, Time now) {
  const Active& active = cores_[core].queues[static_cast<size_t>(isa::Queue::store)].active[piece.active];
  const Time sent = now + active.port.time(piece.bytes);
  Time queued = 0;
  piece.head = never;
  for (const Servers::Share& share : servers.shares(spread, piece.bytes)) {
    const Network::Passage passage = network_.send(core, share.node, share.bytes, now, Network::Class::demand);
    piece.head = std::min(piece.head, passage.head);
    piece.extra = std::max(piece.extra, network_.distance(core, share.node));
    piece.tail = std::max({piece.tail, passage.tail, sent + (passage.head - now)});
    queued = std::max(queued, passage.queued);
  }
  return now + queued;
}

/// A piece reaches the second of memory and network.
void Machine::pass(uint32_t core, uint8_t queue, uint32_t slot, Time now) {
  QueueState& own = cores_[core].queues[queue];
  const Piece piece = pieces_[slot];
  Active& active = own.active[piece.active];
  Servers& servers = servers_of(active.transfer);
  const Spread spread = active.transfer.spread(piece.from, piece.bytes, granule_of(active.transfer));
  if (active.transfer.write) {
    if (is_cached(active.transfer)) {  // Memory takes it from there.
      servers.serve(spread, piece.bytes, true, now);
      cache_.keep(active.transfer, piece.from, piece.bytes, piece.tail);
      return written(core, queue, slot, piece.tail);
    }
    if (is_exact(active.transfer)) return exact_->submit(spread, piece.bytes, true, now, {core, slot, queue});
    const Servers::Service service = servers.serve(spread, piece.bytes, true, now);
    own.hold = std::max(own.hold, piece.asked + (service.taken - now));
    return written(core, queue, slot, service.end);
  }
  spare_pieces_.push_back(slot);
  if (!active.members.empty()) return pass_shared(core, queue, active, piece);
  const Time port = active.port.time(piece.bytes);
  Time queued = 0;
  if (piece.hit) {  // A core's port is its share of the cache's bandwidth.
    const Time distance = network_.distance(network_.port(0), core);
    active.end = std::max(active.end, piece.head + port + 2 * distance);
    return settle(core, queue, active);
  }
  for (const Servers::Share& share : servers.shares(spread, piece.bytes)) {
    const Time distance = network_.distance(share.node, core);
    const Network::Passage passage = network_.send(share.node, core, share.bytes, piece.head, traffic_of(queue));
    // The request had the same way to go.
    active.end = std::max(active.end, std::max({passage.tail, passage.head + port, piece.tail + distance}) + distance);
    queued = std::max(queued, passage.queued);
  }
  own.hold = std::max(own.hold, piece.asked + queued);
  settle(core, queue, active);
}

/// Memory has taken a piece over.
void Machine::written(uint32_t core, uint8_t queue, uint32_t slot, Time end) {
  const Piece& piece = pieces_[slot];
  Active& active = cores_[core].queues[queue].active[piece.active];
  spare_pieces_.push_back(slot);
  active.end = std::max({active.end, end + piece.extra, piece.tail + piece.extra});  // The acknowledgement.
  settle(core, queue, active);
}

/// A piece of a shared load goes along a tree to all members.
void Machine::pass_shared(uint32_t core, uint8_t queue, Active& active, const Piece& piece) {
  Servers& servers = servers_of(active.transfer);
  const Spread spread = active.transfer.spread(piece.from, piece.bytes, granule_of(active.transfer));
  const Time port = active.port.time(piece.bytes);
  Time queued = 0;
  for (const Servers::Share& share : servers.shares(spread, piece.bytes)) {
    network_.open_tree();
    for (const Member& member : active.members) {
      const Time distance = network_.distance(share.node, member.core);
      const Network::Passage passage =
          network_.send(share.node, member.core, share.bytes, piece.head, traffic_of(queue));
      Active& theirs = cores_[member.core].queues[queue].active[member.active];
      const Time done = std::max({passage.tail, passage.head + port, piece.tail + distance}) + distance + theirs.lag;
      theirs.end = std::max(theirs.end, done);
      queued = std::max(queued, passage.queued);
    }
    network_.close_tree();
  }
  QueueState& own = cores_[core].queues[queue];
  own.hold = std::max(own.hold, piece.asked + queued);
  settle(core, queue, active);
}

/// One piece less is under way: the last one ends the transfer.
void Machine::settle(uint32_t core, uint8_t queue, Active& active) {
  --active.under_way;
  if (active.under_way > 0 || active.asked < active.transfer.moved) return;
  if (active.members.empty()) {
    active.done = true;
    return close(core, cores_[core], queue);
  }
  const std::vector<Member> members = std::move(active.members);
  for (const Member& member : members) {
    Core& state = cores_[member.core];
    state.queues[queue].active[member.active].done = true;
    close(member.core, state, queue);
  }
}

/// Ends transfers in queue order.
void Machine::close(uint32_t core, Core& state, uint8_t queue) {
  QueueState& own = state.queues[queue];
  for (; own.finished != own.active.end() && own.active[own.finished].done; ++own.finished) {
    const Active& active = own.active[own.finished];
    own.last_end = clock_.edge(std::max(own.last_end, active.end));
    Course course = active;
    course.end = own.last_end;
    finish(core, queue, active, course);
    events_.push(own.last_end, core, Event::Kind::retire, queue);
  }
}

void Machine::retire(uint32_t core, uint8_t queue, Time now) {
  QueueState& own = cores_[core].queues[queue];
  if (own.active.size() >= static_cast<uint64_t>(chip_->dma.outstanding)) own.free = now;
  own.active.pop();
  pump(core, cores_[core], queue, now);
  advance(core, queue, now);
}

}  // namespace hadal::machine::timing

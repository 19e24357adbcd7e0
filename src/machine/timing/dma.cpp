// Transfers: a queue asks for the pieces of one transfer after another, several transfers being in flight. A load's
// piece passes the memory and then the network, a store's the other way.
#include <algorithm>

#include "isa/fields.h"
#include "machine/timing/machine.h"

namespace hadal::machine::timing {

namespace {

/// Streams share memory and network by pieces of this size: smaller ones share more evenly and take longer to simulate.
constexpr int64_t piece_bytes = 32 * 1024;

}  // namespace

void Machine::plan(const isa::Instruction& in, Entry& entry) {
  const isa::Box &to = boxes_.box[0], &from = boxes_.box[1];
  if (in.op == isa::Opcode::gather) {
    entry.transfer = plan_gather(*program_, chip_->dma, regions_, from, to, boxes_.box[2].elements());
    return;
  }
  const bool write = in.op == isa::Opcode::store;
  const bool clip = !write && in.fields[isa::at::load_fill].value != 0;
  entry.transfer = plan_copy(*program_, chip_->dma, regions_, write ? to : from, write ? from : to, write, clip);
}

void Machine::start_transfer(uint32_t core, Core& state, uint8_t queue, const Entry& entry, Time now) {
  QueueState& own = state.queues[queue];
  Active& active = own.active.push();
  active = {.instruction = entry.instruction, .layer = entry.layer, .begin = now, .end = now};
  active.waited_from = std::max(entry.issued, own.free);
  if (entry.idle) {
    active.done = true;
  } else {
    active.transfer = entry.transfer;
    const Time port = clock_.time(entry.transfer.port_cycles);
    statistics_.moved(entry.layer, entry.transfer);
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

/// Lets the next transfer that has something to ask for do so.
void Machine::pump(uint32_t core, Core& state, uint8_t queue, Time now) {
  QueueState& own = state.queues[queue];
  if (own.requesting) return;
  while (own.asking != own.active.end() && own.active[own.asking].done) ++own.asking;
  if (own.asking == own.active.end()) return;
  own.requesting = true;
  events_.push(std::max({now, own.active[own.asking].begin + dma_issue_, own.next_request}), core, Event::Kind::request,
               queue);
}

/// Takes the core's port for the next piece; the queues of one direction take turns.
void Machine::request(uint32_t core, uint8_t queue, Time now) {
  Core& state = cores_[core];
  QueueState& own = state.queues[queue];
  if (own.hold > now) return events_.push(own.hold, core, Event::Kind::request, queue);
  const Active& active = own.active[own.asking];
  Time& port = state.port_free[active.transfer.write ? 1 : 0];
  const Time at = std::max(now, port);
  port = at + active.port.time(std::min(piece_bytes, active.transfer.moved - active.asked));
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
  piece = {.active = own.asking,
           .from = active.asked,
           .bytes = std::min(piece_bytes, active.transfer.moved - active.asked),
           .asked = now};

  Servers& servers = servers_of(active.transfer);
  const Spread spread = active.transfer.spread(piece.from, piece.bytes, servers.granule());
  Time head = now, taken = now;
  if (active.transfer.write) {
    taken = write_piece(core, servers, spread, piece, now, head);
  } else {
    const Servers::Service service = servers.serve(spread, piece.bytes, now);
    head = service.first + servers.latency();
    piece.tail = service.end + servers.latency();
    taken = service.last;
  }
  events_.push(head, core, Event::Kind::passage, queue, slot);

  const Time next = std::max(now + active.port.time(piece.bytes), taken);
  active.asked += piece.bytes;
  ++active.under_way;
  if (active.asked < active.transfer.moved) return events_.push(next, core, Event::Kind::request, queue);
  ++own.asking;
  own.requesting = false;
  own.next_request = next;
  pump(core, state, queue, now);
}

/// Over the network to where the bytes go. Sets the head's arrival; returns when the core's side is rid of the piece.
Time Machine::write_piece(uint32_t core, Servers& servers, const Spread& spread, Piece& piece, Time now, Time& head) {
  const Active& active = cores_[core].queues[static_cast<size_t>(isa::Queue::store)].active[piece.active];
  const Time sent = now + active.port.time(piece.bytes);
  Time queued = 0;
  head = never;
  for (const Servers::Share& share : servers.shares(spread, piece.bytes)) {
    const Network::Passage passage = network_.send(core, share.node, share.bytes, now);
    head = std::min(head, passage.head);
    piece.extra = std::max(piece.extra, network_.distance(core, share.node));
    piece.tail = std::max({piece.tail, passage.tail, sent + (passage.head - now)});
    queued = std::max(queued, passage.queued);
  }
  return now + queued;
}

void Machine::pass(uint32_t core, uint8_t queue, uint32_t slot, Time now) {
  Core& state = cores_[core];
  QueueState& own = state.queues[queue];
  const Piece piece = pieces_[slot];
  spare_pieces_.push_back(slot);
  Active& active = own.active[piece.active];
  Servers& servers = servers_of(active.transfer);
  const Spread spread = active.transfer.spread(piece.from, piece.bytes, servers.granule());
  Time done = 0, queued = 0;
  if (active.transfer.write) {
    const Servers::Service service = servers.serve(spread, piece.bytes, now);
    queued = service.last - now;
    done = std::max(service.end, piece.tail) + piece.extra;  // The acknowledgement.
  } else {
    const Time port = active.port.time(piece.bytes);
    for (const Servers::Share& share : servers.shares(spread, piece.bytes)) {
      const Time distance = network_.distance(share.node, core);
      const Network::Passage passage = network_.send(share.node, core, share.bytes, now);
      // The request had the same way to go.
      done = std::max(done, std::max({passage.tail, passage.head + port, piece.tail + distance}) + distance);
      queued = std::max(queued, passage.queued);
    }
  }
  own.hold = std::max(own.hold, piece.asked + queued);
  active.end = std::max(active.end, done);
  --active.under_way;
  if (active.under_way > 0 || active.asked < active.transfer.moved) return;
  active.done = true;
  close(core, state, queue);
}

/// Ends transfers in queue order.
void Machine::close(uint32_t core, Core& state, uint8_t queue) {
  QueueState& own = state.queues[queue];
  for (; own.finished != own.active.end() && own.active[own.finished].done; ++own.finished) {
    const Active& active = own.active[own.finished];
    own.last_end = clock_.edge(std::max(own.last_end, active.end));
    finish(core, queue, active.instruction, active.layer, active.waited_from, active.begin, own.last_end);
    events_.push(own.last_end, core, Event::Kind::retire, queue);
  }
}

void Machine::retire(uint32_t core, uint8_t queue, Time now) {
  QueueState& own = cores_[core].queues[queue];
  if (own.active.size() >= static_cast<uint64_t>(chip_->dma.outstanding)) own.free = now;
  own.active.pop();
  advance(core, queue, now);
}

}  // namespace hadal::machine::timing

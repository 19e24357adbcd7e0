// Which phase waits for which. A phase that reads what another stored waits until all cores have stored it. Loads keep
// their order in the load queue, so one wait also covers all later phases.
#include <algorithm>
#include <climits>
#include <set>

#include "tile/lower.h"

namespace hadal::tile {

namespace {

struct Access {
  std::set<int> read, written;  ///< Storages.
};

void collect(const Program& program, const std::vector<Statement>& body, Access& access) {
  for (const Statement& statement : body) {
    collect(program, statement.body, access);
    if (statement.kind != Statement::Kind::instruction) continue;
    const isa::Row& row = *isa::row_of(statement.op);
    for (size_t i = 0; i < statement.operands.size(); ++i)
      if (const auto* window = std::get_if<Window>(&statement.operands[i])) {
        const int storage = program.tensors[static_cast<size_t>(window->tensor)].storage;
        if (row.operands[i].written) access.written.insert(storage);
        if (!row.operands[i].written || row.operands[i].kept) access.read.insert(storage);
      }
  }
}

}  // namespace

PhaseOrder order_phases(const Program& program) {
  const size_t phases = program.phases.size(), storages = program.storages.size();
  PhaseOrder order;
  order.waits.resize(phases);
  order.awaited.resize(phases);
  order.joined_at.assign(phases, -1);
  order.first_write.assign(storages, -1);
  order.last_use.assign(storages, -1);
  order.free_from.assign(storages, 0);
  std::vector<std::vector<int>> writers(storages), readers(storages);
  for (size_t p = 0; p < phases; ++p) {
    Access access;
    collect(program, program.phases[p].body, access);
    for (const int s : access.read) {
      for (const int writer : writers[static_cast<size_t>(s)]) {
        if (order.joined_at[static_cast<size_t>(writer)] >= 0) continue;
        order.joined_at[static_cast<size_t>(writer)] = static_cast<int>(p);
        order.waits[p].push_back(writer);
        order.awaited[p].insert(s);
      }
      readers[static_cast<size_t>(s)].push_back(static_cast<int>(p));
      order.last_use[static_cast<size_t>(s)] = static_cast<int>(p);
    }
    for (const int s : access.written) {
      writers[static_cast<size_t>(s)].push_back(static_cast<int>(p));
      if (order.first_write[static_cast<size_t>(s)] < 0)
        order.first_write[static_cast<size_t>(s)] = static_cast<int>(p);
      order.last_use[static_cast<size_t>(s)] = static_cast<int>(p);
    }
  }
  for (size_t s = 0; s < storages; ++s) {
    std::vector<int> users = readers[s].empty() ? writers[s] : readers[s];
    for (const int user : users) {
      const int joined = order.joined_at[static_cast<size_t>(user)];
      order.free_from[s] = std::max(order.free_from[s], joined < 0 ? INT_MAX : joined);
    }
  }
  return order;
}

}  // namespace hadal::tile

// The order of groups. Engines work in it, so a group that needs the one before it finds them idle while results are
// stored and loaded again: a group that does not is put between.
#include <algorithm>
#include <map>

#include "compile/fuse.h"

namespace hadal::compile {

namespace {

/// Groups by group: those whose results each one needs, directly or through nodes without a group.
std::vector<std::vector<size_t>> needs_of(const graph::Graph& graph, const std::vector<Group>& groups) {
  std::map<int, size_t> group_of;
  for (size_t g = 0; g < groups.size(); ++g)
    for (const int n : groups[g].nodes) group_of[n] = g;
  std::vector<std::vector<size_t>> needs(groups.size());
  for (size_t g = 0; g < groups.size(); ++g)
    for (const int n : groups[g].nodes)
      for (const graph::ValueId v : graph.nodes[static_cast<size_t>(n)].inputs) {
        if (v == graph::absent) continue;
        const auto maker = group_of.find(graph.value(v).producer);
        if (maker != group_of.end() && maker->second != g) needs[g].push_back(maker->second);
      }
  return needs;
}

}  // namespace

std::vector<Group> in_order(const graph::Graph& graph, std::vector<Group> groups) {
  const auto needs = needs_of(graph, groups);
  // Longest way to the end, in groups.
  std::vector<int> length(groups.size(), 1);
  for (size_t g = groups.size(); g-- > 0;)
    for (const size_t n : needs[g]) length[n] = std::max(length[n], length[g] + 1);

  std::vector<size_t> missing(groups.size());
  std::vector<std::vector<size_t>> users(groups.size());
  for (size_t g = 0; g < groups.size(); ++g) {
    missing[g] = needs[g].size();
    for (const size_t n : needs[g]) users[n].push_back(g);
  }
  std::vector<size_t> ready;
  for (size_t g = 0; g < groups.size(); ++g)
    if (missing[g] == 0) ready.push_back(g);

  std::vector<Group> out;
  size_t last = groups.size();
  while (!ready.empty()) {
    const auto waits = [&](size_t g) { return std::count(needs[g].begin(), needs[g].end(), last) > 0; };
    const auto next = std::min_element(ready.begin(), ready.end(), [&](size_t a, size_t b) {
      if (waits(a) != waits(b)) return waits(b);
      return length[a] != length[b] ? length[a] > length[b] : a < b;
    });
    last = *next;
    ready.erase(next);
    for (const size_t user : users[last])
      if (--missing[user] == 0) ready.push_back(user);
    out.push_back(std::move(groups[last]));
  }
  return out;
}

}  // namespace hadal::compile

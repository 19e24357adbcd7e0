#include "network/traffic.h"

#include <array>
#include <bit>

#include "base/suggest.h"

namespace hadal::network {

namespace {

enum class Needs { nothing, square, power_of_two };

struct Pattern {
  std::string_view name;
  Needs needs;
  Node (*destination)(const Grid& grid, Node source);  ///< None: any node.
};

Node moved(const Grid& grid, Node source, int32_t dx, int32_t dy) {
  return grid.at((grid.x(source) + dx) % grid.columns, (grid.y(source) + dy) % grid.rows);
}

Node rotated(const Grid& grid, Node source) {
  const uint32_t doubled = source << 1, nodes = grid.nodes();
  return doubled < nodes ? doubled : doubled - nodes + 1;
}

constexpr std::array patterns{
    Pattern{"uniform", Needs::nothing, nullptr},
    Pattern{"transpose", Needs::square, [](const Grid& grid, Node s) { return grid.at(grid.y(s), grid.x(s)); }},
    Pattern{"bitcomp", Needs::power_of_two, [](const Grid& grid, Node s) { return grid.nodes() - 1 - s; }},
    Pattern{"neighbor", Needs::nothing, [](const Grid& grid, Node s) { return moved(grid, s, 1, 1); }},
    Pattern{"shuffle", Needs::power_of_two, rotated},
    Pattern{
        "tornado", Needs::nothing,
        [](const Grid& grid, Node s) { return moved(grid, s, (grid.columns + 1) / 2 - 1, (grid.rows + 1) / 2 - 1); }},
};

}  // namespace

Result<Traffic> Traffic::named(std::string_view name, const Grid& grid) {
  for (const Pattern& pattern : patterns) {
    if (pattern.name != name) continue;
    if (pattern.needs == Needs::square && grid.columns != grid.rows) {
      return Error{"traffic.grid",
                   fmt::format("{} on {} x {} nodes", name, grid.columns, grid.rows),
                   {},
                   "it needs as many rows as columns"};
    }
    if (pattern.needs == Needs::power_of_two && !std::has_single_bit(grid.nodes())) {
      return Error{
          "traffic.grid", fmt::format("{} on {} nodes", name, grid.nodes()), {}, "it needs a power of two of nodes"};
    }
    Traffic traffic;
    traffic.nodes_ = grid.nodes();
    for (Node s = 0; pattern.destination != nullptr && s < grid.nodes(); ++s) {
      traffic.fixed_.push_back(pattern.destination(grid, s));
    }
    return traffic;
  }
  std::array<std::string_view, patterns.size()> names;
  for (size_t i = 0; i < names.size(); ++i) names[i] = patterns[i].name;
  const std::string guess = did_you_mean(name, names);
  return Error{"traffic.name",
               fmt::format("no traffic pattern \"{}\"", printable(name)),
               {},
               guess.empty() ? fmt::format("patterns: {}", fmt::join(names, ", ")) : guess};
}

}  // namespace hadal::network

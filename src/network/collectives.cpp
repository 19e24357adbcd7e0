#include "network/collectives.h"

#include <array>

#include "base/suggest.h"

namespace hadal::network {

namespace {

void point_to_point(Links& links, double bytes) { links.send(0, links.chips() / 2, bytes); }

/// What `chip` has goes on to the next one, which does the same, until `steps` are done.
void hand_on(Links& links, Node chip, double bytes, uint32_t steps) {
  if (steps == 0) return;
  const Node next = (chip + 1) % links.chips();
  links.send(chip, next, bytes, [&links, next, bytes, steps] { hand_on(links, next, bytes, steps - 1); });
}

void ring(Links& links, double bytes, uint32_t rounds) {
  const Node chips = links.chips();
  for (Node chip = 0; chip < chips; ++chip) hand_on(links, chip, bytes / chips, rounds * (chips - 1));
}

void ring_all_gather(Links& links, double bytes) { ring(links, bytes, 1); }
void ring_all_reduce(Links& links, double bytes) { ring(links, bytes, 2); }

void all_to_all_burst(Links& links, double bytes) {
  for (Node from = 0; from < links.chips(); ++from) {
    for (Node to = 0; to < links.chips(); ++to) {
      if (from != to) links.send(from, to, bytes);
    }
  }
}

void all_to_all_rotated(Links& links, double bytes) {
  for (Node distance = 1; distance < links.chips(); ++distance) {
    for (Node from = 0; from < links.chips(); ++from) links.send(from, (from + distance) % links.chips(), bytes);
  }
}

constexpr std::array all{Collective{"point_to_point", point_to_point}, Collective{"ring_all_gather", ring_all_gather},
                         Collective{"ring_all_reduce", ring_all_reduce},
                         Collective{"all_to_all_burst", all_to_all_burst},
                         Collective{"all_to_all_rotated", all_to_all_rotated}};

}  // namespace

Result<Collective> collective(std::string_view name) {
  std::array<std::string_view, all.size()> names;
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i].name == name) return all[i];
    names[i] = all[i].name;
  }
  const std::string guess = did_you_mean(name, names);
  return Error{"collective.name",
               fmt::format("no collective \"{}\"", printable(name)),
               {},
               guess.empty() ? fmt::format("collectives: {}", fmt::join(names, ", ")) : guess};
}

}  // namespace hadal::network

// What can be decided one way or another, and is tried.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "compile/profile.h"

namespace hadal::compile {

struct Plan {
  int64_t cores = 1;                 ///< Of the chip's, those that work.
  double contended = 0.5;            ///< How much of a layer's time at the memory counts: other layers run meanwhile.
  int weight_slots = 2;              ///< Tiles of weights that have room at least: more run further ahead of the array.
  bool joined = true;                ///< Attention in one phase, rather than its products and softmax in one each.
  const Profile* profile = nullptr;  ///< Measured software to obey; null: none.
  std::set<std::string> far{};       ///< Values that found no room in the shared space, by the names of their storages.
};

}  // namespace hadal::compile

// "Did you mean …?"
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace hadal {

/// The candidate with the fewest typing mistakes from `word` (at most a third of its letters), or empty.
std::string_view closest(std::string_view word, std::span<const std::string_view> candidates);

/// `did you mean "NAME"?`, or empty where nothing is close.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace hadal

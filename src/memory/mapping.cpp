#include "memory/mapping.h"

#include <algorithm>
#include <charconv>

#include "base/suggest.h"

namespace hadal::memory {

namespace {

constexpr std::array<std::string_view, 6> field_names = {"channel",    "column", "pseudo_channel",
                                                         "bank_group", "bank",   "row"};

Error wrong(std::string message, std::string remedy = "fields from the lowest bit on: column channel bank row") {
  return {"memory.mapping", std::move(message), {}, std::move(remedy)};
}

Result<size_t> field_named(std::string_view name) {
  const auto found = std::find(field_names.begin(), field_names.end(), name);
  if (found != field_names.end()) return static_cast<size_t>(found - field_names.begin());
  const std::string hint = did_you_mean(name, field_names);
  return wrong(fmt::format("there is no field \"{}\"", printable(name)),
               hint.empty() ? fmt::format("one of: {}", fmt::join(field_names, " ")) : hint);
}

/// "column:2^row" in its parts.
struct Word {
  std::string_view name, with;
  int bits = -1;
};
Result<Word> read_word(std::string_view text) {
  Word word;
  if (const size_t hat = text.find('^'); hat != text.npos) {
    word.with = text.substr(hat + 1);
    text = text.substr(0, hat);
  }
  if (const size_t colon = text.find(':'); colon != text.npos) {
    const std::string_view digits = text.substr(colon + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), word.bits);
    if (error != std::errc() || end != digits.data() + digits.size() || word.bits < 1 || word.bits > 32)
      return wrong(fmt::format("\"{}\" is no number of bits", printable(digits)), "1 to 32");
    text = text.substr(0, colon);
  }
  word.name = text;
  return word;
}

}  // namespace

Result<Mapping> Mapping::make(std::string_view order, const Organization& organization) {
  const std::array<int64_t, field_count> sizes = {organization.channels,        organization.columns(),
                                                  organization.pseudo_channels, organization.bank_groups,
                                                  organization.banks,           organization.rows};
  Mapping mapping;
  if (!std::has_single_bit(static_cast<uint64_t>(organization.burst_bytes)))
    return wrong(fmt::format("a burst of {} B has no bits of an address", organization.burst_bytes),
                 "organization.burst_bytes is a power of two");
  mapping.burst_shift_ = std::countr_zero(static_cast<uint64_t>(organization.burst_bytes));
  mapping.channels_ = static_cast<uint64_t>(organization.channels);
  mapping.pseudo_channels_ = static_cast<uint64_t>(organization.pseudo_channels);
  mapping.bank_groups_ = static_cast<uint64_t>(organization.bank_groups);
  mapping.banks_ = static_cast<uint64_t>(organization.banks);

  std::array<uint64_t, field_count> left{};  // Of each field, what no part has taken.
  std::copy(sizes.begin(), sizes.end(), left.begin());
  std::array<int, field_count> taken{};
  for (size_t at = 0; at < order.size();) {
    const size_t end = std::min(order.find(' ', at), order.size());
    const std::string_view text = order.substr(at, end - at);
    at = end + 1;
    if (text.empty()) continue;
    if (text == "turn") {
      if (left[0] != 1 || left[2] != 1)
        return wrong("\"turn\" stands before all of the channel's number", "put it behind");
      mapping.turn_step_ = turn_step(mapping.channels_ * mapping.pseudo_channels_);
      mapping.parts_.push_back({turn});
      continue;
    }
    HADAL_TRY(const Word word, read_word(text));
    HADAL_TRY(const size_t field, field_named(word.name));
    const uint64_t size = word.bits > 0 ? uint64_t{1} << word.bits : left[field];
    if (left[field] % size != 0)
      return wrong(fmt::format("{} has no {} bits left", field_names[field], word.bits), "fewer bits");
    const bool even = std::has_single_bit(size);
    if (!even && (taken[field] != 0 || left[field] != size || !word.with.empty()))
      return wrong(fmt::format("{} is no power of two: it can be neither cut nor hashed", field_names[field]));
    mapping.parts_.push_back({field, size, even ? std::countr_zero(size) : -1, taken[field]});
    left[field] /= size;
    taken[field] += std::max(0, mapping.parts_.back().shift);
    if (!word.with.empty()) {
      HADAL_TRY(const size_t with, field_named(word.with));
      mapping.hashes_.push_back({field, with, static_cast<uint64_t>(sizes[field]) - 1});
    }
  }
  for (size_t field = 0; field < field_count; ++field)
    if (left[field] != 1)
      return wrong(fmt::format("{} of {} is not all in it", field_names[field], sizes[field]), "name every field");
  return mapping;
}

}  // namespace hadal::memory

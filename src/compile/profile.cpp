#include "compile/profile.h"

#include <algorithm>
#include <cmath>

#include "base/shipped.h"
#include "base/suggest.h"
#include "chip/entry.h"
#include "chip/files.h"
#include "compile/profile_fields.h"

namespace hadal::compile {

namespace {

using chip::Entry;

constexpr std::string_view kind = "profile";
constexpr Shipped all{"profiles", "HADAL_PROFILES"};

/// The whole numbers of "128x64 64x64" or "1 2 4", those of a word in one vector.
Result<std::vector<std::vector<int64_t>>> words_of(const ProfileField& field, const Entry& entry, size_t each) {
  HADAL_TRY(const std::string text, chip::text_in(kind, entry, {}));
  const auto wrong = [&] {
    return chip::wrong_type(kind, entry, each == 2 ? "blocks like \"128x128 64x64\"" : "whole numbers like \"1 2 4\"",
                            fmt::format("each number is {} to {}", field.low, field.high));
  };
  std::vector<std::vector<int64_t>> out{{}};
  int64_t value = 0;
  bool digits = false;
  for (const char c : text + " ") {
    if (c >= '0' && c <= '9') {
      value = std::min<int64_t>(value * 10 + (c - '0'), int64_t{1} << 40);
      digits = true;
      continue;
    }
    if (c != ' ' && c != 'x') return wrong();
    if (!digits && (c == 'x' || !out.back().empty())) return wrong();
    if (!digits) continue;
    if (static_cast<double>(value) < field.low || static_cast<double>(value) > field.high) return wrong();
    out.back().push_back(value);
    if (c == ' ') {
      if (out.back().size() != each) return wrong();
      out.emplace_back();
    }
    value = 0;
    digits = false;
  }
  out.pop_back();
  if (out.empty() || out.size() > 64) return wrong();
  return out;
}

Status set_number(const ProfileField& field, const Entry& entry, Profile& profile) {
  HADAL_TRY(const double value, chip::number_in(kind, entry, field.unit));
  HADAL_CHECK(chip::check_range(kind, entry, value, field.low, field.high, field.unit));
  if (const auto* real = std::get_if<double& (*)(Profile&)>(&field.access)) {
    (*real)(profile) = value;
    return {};
  }
  const bool is_time = field.unit == Unit::seconds;
  if (!is_time && value != std::floor(value)) return chip::wrong_type(kind, entry, "a whole number");
  std::get<int64_t& (*)(Profile&)>(field.access)(profile) = std::llround(is_time ? value * 1e15 : value);
  return {};
}

Status set_field(const ProfileField& field, const Entry& entry, Profile& profile) {
  if (const auto* truth = std::get_if<bool& (*)(Profile&)>(&field.access)) {
    if (!std::holds_alternative<bool>(entry.value)) return chip::wrong_type(kind, entry, "true or false");
    (*truth)(profile) = std::get<bool>(entry.value);
    return {};
  }
  if (const auto* text = std::get_if<std::string& (*)(Profile&)>(&field.access)) {
    HADAL_TRY(const std::string given, chip::text_in(kind, entry, field.words));
    (*text)(profile) = printable(given, 400);
    return {};
  }
  if (const auto* blocks = std::get_if<std::vector<Block>& (*)(Profile&)>(&field.access)) {
    HADAL_TRY(const auto words, words_of(field, entry, 2));
    for (const auto& word : words) (*blocks)(profile).push_back({word[0], word[1]});
    return {};
  }
  if (const auto* numbers = std::get_if<std::vector<int64_t>& (*)(Profile&)>(&field.access)) {
    HADAL_TRY(const auto words, words_of(field, entry, 1));
    for (const auto& word : words) (*numbers)(profile).push_back(word[0]);
    return {};
  }
  return set_number(field, entry, profile);
}

Error unknown_field(const std::string& name, const Entry& entry) {
  std::vector<std::string_view> names;
  for (const ProfileField& field : profile_fields()) names.push_back(field.name);
  const std::string hint = did_you_mean(name, names);
  return {"profile.unknown", fmt::format("there is no field \"{}\"", printable(name)), entry.place,
          hint.empty() ? "docs/profiles.md lists the fields" : hint};
}

Error no_such_profile(const std::string& name) {
  const std::vector<std::string> known = shipped_profiles();
  const std::vector<std::string_view> names(known.begin(), known.end());
  const std::string hint = did_you_mean(name, names);
  return {"profile.not_found",
          fmt::format("there is no profile \"{}\"", printable(name)),
          {},
          known.empty() ? "no shipped profiles were found: set HADAL_PROFILES to their folder"
                        : fmt::format("{}{}shipped are {}; or give a file, my-software.toml", hint,
                                      hint.empty() ? "" : " ", fmt::join(known, ", "))};
}

/// What no single field can tell.
Status check_together(const Profile& profile, const chip::Document& document) {
  const auto place = [&](std::string_view field) {
    const auto entry = document.find(std::string(field));
    return entry == document.end() ? printable(profile.file) : entry->second.place;
  };
  if (!profile.matmul.tiles.empty() && profile.matmul.chunk == 0)
    return Error{"profile.together", "tiles of a product need the step of its contraction", place("matmul.tiles"),
                 "give matmul.chunk"};
  if (profile.matmul.tiles.empty() && !profile.matmul.splits.empty())
    return Error{"profile.together", "parts of a contraction belong to tiles", place("matmul.splits"),
                 "give matmul.tiles"};
  return {};
}

}  // namespace

std::vector<std::string> shipped_profiles() { return all.names(); }

Result<Profile> parse_profile(const std::string& text, const std::string& file) {
  HADAL_TRY(const chip::Document document, chip::read_document(text, file));
  Profile profile;
  profile.file = file;
  for (const auto& [name, entry] : document) {
    const auto fields = profile_fields();
    const auto field = std::find_if(fields.begin(), fields.end(), [&](const auto& f) { return f.name == name; });
    if (field == fields.end()) return unknown_field(name, entry);
    HADAL_CHECK(set_field(*field, entry, profile));
    if (!entry.source.empty()) profile.sources[name] = entry.source;
  }
  std::string missing;
  for (const ProfileField& field : profile_fields())
    if (field.needed && !document.contains(std::string(field.name)))
      missing += (missing.empty() ? "" : ", ") + std::string(field.name);
  if (!missing.empty())
    return Error{"profile.missing", "not given: " + missing, printable(file), "docs/profiles.md lists the fields"};
  // What is not said of a kind of call is as for products.
  const auto otherwise = [&](int64_t& launch, const char* field) {
    if (!document.contains(field)) launch = profile.launch.matmul;
  };
  otherwise(profile.launch.conv, "launch.conv");
  otherwise(profile.launch.attention, "launch.attention");
  otherwise(profile.launch.softmax, "launch.softmax");
  otherwise(profile.launch.normalize, "launch.normalize");
  otherwise(profile.launch.map, "launch.map");
  HADAL_CHECK(check_together(profile, document));
  return profile;
}

Result<Profile> load_profile(const std::string& name_or_path) {
  std::filesystem::path file = name_or_path;
  if (name_or_path.find('/') == std::string::npos && !name_or_path.ends_with(".toml")) {
    const std::vector<std::string> shipped = shipped_profiles();
    if (std::find(shipped.begin(), shipped.end(), name_or_path) == shipped.end()) return no_such_profile(name_or_path);
    file = all.path() / (name_or_path + ".toml");
  }
  HADAL_TRY(const std::string text, chip::read_description(file.string()));
  return parse_profile(text, file.string());
}

Result<chip::Chip> under(const Profile& profile, chip::Chip chip) {
  if (chip.name != profile.chip)
    return Error{
        "profile.chip",
        fmt::format("profile {} is of software on {}, not on {}", profile.name, profile.chip, printable(chip.name)),
        printable(profile.file), fmt::format("give --chip {}", profile.chip)};
  const Profile::Machine& machine = profile.machine;
  if (machine.clock_hertz > 0) chip.clock.hertz = machine.clock_hertz;
  if (machine.memory_efficiency > 0) chip.memory.efficiency = machine.memory_efficiency;
  for (auto& [type, rate] : chip.matrix.rows_per_cycle) rate *= machine.matrix_share;
  chip.host.link_latency_femtoseconds = 0;  // Part of what was measured as the launch.
  return chip;
}

namespace {

/// What the rules count of an element: four simple operations or, of a softmax, an exponential in place of one; five of
/// a norm.
void spend_on_lanes(chip::Vector& lanes, bool exponential, double instructions) {
  if (instructions <= 0) return;
  const double own = exponential ? 3 + std::max(1.0, lanes.alu_per_lane / lanes.special_per_lane) : 5;
  lanes.alu_per_lane = own / instructions;
  lanes.special_per_lane = lanes.alu_per_lane / std::max(1.0, own - 3);
}

void run_attention(const Profile::Attention& kernel, chip::Chip& chip) {
  spend_on_lanes(chip.vector, true, kernel.lane_instructions);
  if (kernel.issue_cycles > 0) chip.dma.issue_cycles = kernel.issue_cycles;
  if (kernel.array_block == 0) return;
  chip::Matrix& matrix = chip.matrix;
  const auto block = static_cast<double>(kernel.array_block);
  matrix.weight_rows_per_cycle *= block / static_cast<double>(matrix.rows);  // Weights take as long.
  for (auto& [type, rate] : matrix.rows_per_cycle) rate *= static_cast<double>(matrix.count);
  matrix.rows = matrix.columns = kernel.array_block;
  matrix.count = 1;
}

}  // namespace

chip::Chip calling(const Profile& profile, chip::Chip chip, std::string_view op) {
  const Profile::Launch& launch = profile.launch;
  int64_t& time = chip.host.launch_femtoseconds;
  const auto run_rows = [&](const Profile::Rows& rows, bool exponential) {
    if (rows.step_cycles > 0) chip.vector.cross_lane_latency_cycles = rows.step_cycles;
    spend_on_lanes(chip.vector, exponential, rows.lane_instructions);
  };
  if (op == "matmul") {
    time = launch.matmul;
  } else if (op == "conv") {
    time = launch.conv;
  } else if (op == "attention") {
    time = launch.attention;
    run_attention(profile.attention, chip);
  } else if (op == "softmax") {
    time = launch.softmax;
    run_rows(profile.softmax, true);
  } else if (op == "normalize") {
    time = launch.normalize;
    run_rows(profile.normalize, false);
  } else {
    time = launch.map;
  }
  return chip;
}

}  // namespace hadal::compile

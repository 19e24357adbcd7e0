// Chip descriptions: bytes, lines and figures; what is accepted also compiles a small model, and times it.
#include <sstream>

#include "fuzz/models.h"
#include "fuzz/stages.h"

namespace hadal::fuzz {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

/// Changes a line: left out, doubled, moved, its figure replaced, its unit taken.
std::string with_lines(const std::string& text, Random& random) {
  std::vector<std::string> lines = lines_of(text);
  for (size_t edits = 1 + random.below(3); edits > 0 && !lines.empty(); --edits) {
    const size_t at = random.below(lines.size());
    std::string& line = lines[at];
    const size_t digit = line.find_first_of("0123456789");
    switch (random.below(6)) {
      case 0:
        lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(at));
        break;
      case 1:
        line = lines[random.below(lines.size())];
        break;
      case 2:
        std::swap(line, lines[random.below(lines.size())]);
        break;
      case 3:
        if (const size_t unit = line.find_first_of("BHWsc", digit == std::string::npos ? 0 : digit);
            unit != std::string::npos)
          line.replace(unit, 1, random.pick<std::string>({"", "k", "µ", "B/s", "Hz", "\\u0000"}));
        break;
      default:
        if (digit != std::string::npos)
          line.replace(digit, line.find_first_not_of("0123456789.", digit) - digit,
                       random.one_in(3)
                           ? random.pick<std::string>({"nan", "inf", "-1", "1e999", "0x10", "1_000", "0.5"})
                           : fmt::format("{}", edgy(random)));
    }
  }
  std::string out;
  for (const std::string& line : lines) out += line + "\n";
  return out;
}

TEST(FuzzChips, DescriptionsAreReadOrRefusedAndThoseReadWork) {
  Campaign campaign("chips", 1500);
  const std::filesystem::path chips = std::filesystem::path(HADAL_SOURCE_DIR) / "chips";
  std::vector<std::string> seeds;
  for (const std::string& name : chip::shipped_chips()) seeds.push_back(get_file(chips / (name + ".toml")));
  const std::filesystem::path model = campaign.folder() / "small.onnx";
  put_file(model, small_model().SerializeAsString());
  campaign.run([&](Random& random) -> Status {
    const bool lines = !random.one_in(4);
    campaign.kind(lines ? "lines" : "bytes");
    const std::string& seed = random.pick(seeds);
    const std::string text = lines ? with_lines(seed, random) : edited(seed, random);
    HADAL_TRY(const chip::Chip chip, chip::parse_chip(text, (chips / "fuzzed.toml").string()));
    campaign.reached("1 read");
    EXPECT_FALSE(chip::describe(chip).empty());
    (void)chip::scaled(chip, 2);
    return random.one_in(3) ? run_model(campaign, model, chip) : Status();
  });
}

}  // namespace
}  // namespace hadal::fuzz

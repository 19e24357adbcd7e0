// Programs as text: bytes, lines, words and numbers; what assembles also runs.
#include <sstream>

#include "fuzz/programs.h"
#include "fuzz/stages.h"
#include "isa/text.h"

namespace hadal::fuzz {
namespace {

std::vector<std::string> seed_texts(const std::filesystem::path& folder) {
  std::vector<std::string> texts;
  for (const isa::Program& program : seed_programs(folder)) {
    auto text = isa::disassemble(program, isa::WeightText::inlined);
    EXPECT_TRUE(text.ok()) << text.error().text();
    texts.push_back(std::move(text).value());
  }
  return texts;
}

/// Where a word or a number stands, from `from` on.
std::pair<size_t, size_t> next_of(const std::string& text, std::string_view letters, size_t from) {
  const size_t begin = std::min(text.find_first_of(letters, from), text.size());
  return {begin, std::min(text.find_first_not_of(letters, begin), text.size()) - begin};
}

constexpr std::string_view word_letters = "abcdefghijklmnopqrstuvwxyz_.0123456789";

std::string with_words(std::string text, Random& random) {
  for (size_t edits = 1 + random.below(3); edits > 0; --edits) {
    const bool number = random.one_in(2);
    const auto [at, length] = next_of(text, number ? "0123456789" : word_letters, random.below(text.size()));
    if (number) {
      text.replace(at, length, fmt::format("{}", random.one_in(2) ? edgy(random) : random.between(0, 9)));
      continue;
    }
    const auto [other, size] = next_of(text, word_letters, random.below(text.size()));
    text.replace(at, length, text.substr(other, size));
  }
  return text;
}

std::string with_lines(const std::string& text, Random& random) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  for (size_t edits = 1 + random.below(2); edits > 0 && lines.size() > 1; --edits) {
    const size_t at = random.below(lines.size()), other = random.below(lines.size());
    switch (random.below(3)) {
      case 0:
        lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(at));
        break;
      case 1:
        lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(at), std::string(lines[other]));
        break;
      default:
        std::swap(lines[at], lines[other]);
    }
  }
  std::string out;
  for (const std::string& line : lines) out += line + "\n";
  return out;
}

std::string any_text(Campaign& campaign, const std::string& seed, Random& random) {
  switch (random.below(4)) {
    case 0:
      campaign.kind("bytes");
      return edited(seed, random);
    case 1:
      campaign.kind("lines");
      return with_lines(seed, random);
    default:
      campaign.kind("words and numbers");
      return with_words(seed, random);
  }
}

TEST(FuzzText, TextsAssembleOrAreRefusedAndThoseThatDoRun) {
  Campaign campaign("text", 2500);
  const std::vector<std::string> seeds = seed_texts(campaign.folder());
  campaign.run([&](Random& random) -> Status {
    const std::string text = any_text(campaign, random.pick(seeds), random);
    HADAL_TRY(const isa::Program program, isa::assemble(text, "fuzzed", campaign.folder()));
    campaign.reached("2 read");
    return run_program(campaign, program, shipped("hadal-1"));
  });
}

}  // namespace
}  // namespace hadal::fuzz

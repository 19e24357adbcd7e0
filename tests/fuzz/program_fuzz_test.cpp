// Programs: bytes of files, sections whose checksums are made right again, and parts changed before the file is
// written.
#include <cstring>

#include "fuzz/programs.h"
#include "fuzz/stages.h"
#include "isa/crc32c.h"
#include "isa/file.h"
#include "isa/file_sections.h"
#include "isa/verify.h"

namespace hadal::fuzz {
namespace {

using isa::FileHeader;
using isa::Program;
using isa::SectionEntry;

/// Edits bytes of one section without changing its length, then makes its checksum and the header's right.
std::string with_section(std::string file, Random& random) {
  FileHeader header{};
  std::array<SectionEntry, isa::sections.size()> entries{};
  std::memcpy(&header, file.data(), sizeof header);
  std::memcpy(entries.data(), file.data() + sizeof header, sizeof entries);
  SectionEntry& entry = entries[random.below(entries.size() - 1)];
  for (size_t edits = 1 + random.below(4); edits > 0 && entry.length > 0; --edits) {
    const size_t at = entry.offset + random.below(entry.length), end = entry.offset + entry.length;
    const int64_t value = random.one_in(2) ? edgy(random) : random.between(0, 255);
    for (size_t i = 0, width = random.pick<size_t>({1, 1, 2, 4, 8}); i < width && at + i < end; ++i)
      file[at + i] = static_cast<char>(value >> (8 * i));
  }
  const auto all = std::as_bytes(std::span(file));
  entry.checksum = isa::crc32c(all.subspan(entry.offset, entry.length));
  header.checksum = 0;
  header.checksum = isa::crc32c(std::as_bytes(std::span(entries)), isa::crc32c(std::as_bytes(std::span(&header, 1))));
  std::memcpy(file.data(), &header, sizeof header);
  std::memcpy(file.data() + sizeof header, entries.data(), sizeof entries);
  return file;
}

uint8_t any_register(Random& random) {
  return random.one_in(4) ? isa::no_register : static_cast<uint8_t>(random.below(64));
}
int32_t small_or_edgy(Random& random, int32_t now) {
  return random.one_in(2) ? now + static_cast<int32_t>(random.between(-2, 2)) : static_cast<int32_t>(edgy(random));
}

void edit_view(isa::View& view, Random& random) {
  const size_t axis = random.below(std::max<size_t>(view.rank, 1)) % isa::rank_limit;
  switch (random.below(7)) {
    case 0:
      view.extents[axis].size =
          static_cast<uint32_t>(small_or_edgy(random, static_cast<int32_t>(view.extents[axis].size)));
      break;
    case 1:
      view.extents[axis].source = any_register(random);
      break;
    case 2:
      view.origins[axis].base = small_or_edgy(random, view.origins[axis].base);
      break;
    case 3:
      view.origins[axis].scale_a = small_or_edgy(random, view.origins[axis].scale_a);
      break;
    case 4:
      view.origins[axis].register_a = any_register(random);
      break;
    case 5:
      view.tensor = static_cast<uint16_t>(random.below(12));
      break;
    default:
      view.slots = static_cast<uint16_t>(random.between(0, 5)), view.ring_register = any_register(random);
  }
}

void edit_instruction(Program& program, isa::Instruction& in, Random& random) {
  const auto sync = [&](isa::Sync& s) {
    s = {static_cast<uint8_t>(random.below(10)), static_cast<uint8_t>(random.below(4)), random.one_in(4)};
  };
  switch (random.below(8)) {
    case 0:
      sync(in.waits[random.below(3)]);
      break;
    case 1:
      sync(in.signals[random.below(3)]);
      break;
    case 2:
      in.predicate = any_register(random);
      break;
    case 3:
      in.queue = static_cast<isa::Queue>(random.below(isa::queue_count));
      break;
    case 4:
      if (!in.operands.empty())
        in.operands[random.below(in.operands.size())] = static_cast<uint16_t>(random.below(program.views.size() + 1));
      break;
    default:
      if (in.fields.empty()) return;
      isa::Field& field = in.fields[random.below(in.fields.size())];
      if (random.one_in(4))
        field = {static_cast<int64_t>(random.below(64)), true};
      else
        field.value = random.one_in(2) ? field.value + random.between(-2, 2) : edgy(random);
  }
}

void edit_tables(Program& program, Random& random) {
  const auto any = [&](auto& list) { return list.empty() ? nullptr : &list[random.below(list.size())]; };
  switch (random.below(7)) {
    case 0:
      if (auto* tensor = any(program.tensors)) {
        const size_t axis = random.below(isa::rank_limit);
        if (random.one_in(3))
          tensor->extents[axis] = static_cast<uint32_t>(edgy(random));
        else if (random.one_in(2))
          tensor->strides[axis] = random.one_in(2) ? edgy(random) : random.between(-64, 64);
        else
          tensor->offset = static_cast<uint64_t>(random.one_in(2) ? edgy(random) : random.between(0, 4096));
      }
      break;
    case 1:
      if (auto* region = any(program.regions)) region->bytes = static_cast<uint64_t>(edgy(random));
      break;
    case 2:
      if (auto* chain = any(program.chains))
        if (auto* step = any(chain->steps))
          step->op = static_cast<uint8_t>(random.below(70)), step->operands[0] = static_cast<uint8_t>(random.below(12));
      break;
    case 3:
      if (auto* table = any(program.tables))
        if (auto* index = any(table->indices)) *index = static_cast<int32_t>(edgy(random));
      break;
    case 4:
      if (auto* semaphore = any(program.semaphores))
        semaphore->initial = static_cast<int32_t>(random.one_in(2) ? edgy(random) : random.between(0, 3));
      break;
    case 5:
      if (auto* port = any(random.one_in(2) ? program.inputs : program.outputs)) {
        if (!port->shape.empty() && random.one_in(2))
          port->shape[0] = edgy(random);
        else
          port->stored = static_cast<DType>(random.below(dtype_count));
      }
      break;
    default:
      if (auto* weight = any(program.weights))
        weight->offset += static_cast<uint64_t>(random.between(-8, 8));
      else
        program.limits.scratchpad_bytes = static_cast<uint64_t>(edgy(random));
  }
}

void edit_program(Program& program, Random& random) {
  for (size_t edits = 1 + random.below(2); edits > 0; --edits) {
    const size_t what = random.below(10);
    if (what < 5 && !program.code.empty())
      edit_instruction(program, program.code[random.below(program.code.size())], random);
    else if (what < 8 && !program.views.empty())
      edit_view(program.views[random.below(program.views.size())], random);
    else
      edit_tables(program, random);
  }
}

struct Seeds {
  std::vector<Program> programs;
  std::vector<std::string> files;
};

Seeds seeds_in(const std::filesystem::path& folder) {
  Seeds seeds{seed_programs(folder), {}};
  for (const Program& program : seeds.programs) {
    EXPECT_TRUE(isa::write_program(program, folder / "seed").ok());
    seeds.files.push_back(get_file(folder / "seed"));
  }
  return seeds;
}

/// Reads, walks some, and runs.
Status run_bytes(Campaign& campaign, const std::string& file, Random& random) {
  HADAL_TRY(const Program program, isa::parse_program({nullptr, std::as_bytes(std::span(file))}, "fuzzed"));
  campaign.reached("2 read");
  if (random.one_in(4)) HADAL_CHECK(isa::verify(program));
  return run_program(campaign, program, shipped(random.one_in(4) ? "hadal-1" : "hadal-edge"));
}

TEST(FuzzPrograms, FilesWithRightChecksums) {
  Campaign campaign("programs", 2500);
  const Seeds seeds = seeds_in(campaign.folder());
  campaign.run([&](Random& random) -> Status {
    const bool checksummed = !random.one_in(4);
    campaign.kind(checksummed ? "sections, checksums right" : "bytes");
    const std::string& file = random.pick(seeds.files);
    return run_bytes(campaign, checksummed ? with_section(file, random) : edited(file, random), random);
  });
}

TEST(FuzzPrograms, PartsChanged) {
  Campaign campaign("program-parts", 2500);
  const Seeds seeds = seeds_in(campaign.folder());
  campaign.run([&](Random& random) -> Status {
    campaign.kind("parts, checksums right");
    Program program = random.pick(seeds.programs);
    edit_program(program, random);
    HADAL_CHECK(isa::write_program(program, campaign.folder() / "program"));
    campaign.reached("1 written");
    return run_bytes(campaign, get_file(campaign.folder() / "program"), random);
  });
}

}  // namespace
}  // namespace hadal::fuzz

#include <limits>

#include "isa/canonical.h"
#include "isa/crc32c.h"
#include "isa/disk.h"
#include "isa/encode.h"
#include "isa/file.h"
#include "isa/file_sections.h"

namespace hadal::isa {

namespace {

constexpr std::array<char, weight_data_alignment> zeros{};
std::string_view padding(uint64_t bytes) { return {zeros.data(), static_cast<size_t>(bytes)}; }

/// Where the present weights lie in weight_data.
std::vector<StoredWeight> place_weights(const Program& program, uint64_t& end) {
  std::vector<StoredWeight> stored;
  end = 0;
  for (const WeightEntry& weight : program.weights) {
    const bool present = weight.size == 0 || !weight.bytes.view.empty();
    stored.push_back({weight.name, weight.offset, weight.size, present, 0});
    if (!present) continue;
    stored.back().data = round_up(end, weight_alignment);
    end = stored.back().data + weight.size;
  }
  return stored;
}

/// Gives the bytes of weight_data to `take`, gaps filled with zeros.
template <class F>
Status each_weight(const Program& program, const std::vector<StoredWeight>& stored, F take) {
  uint64_t at = 0;
  for (size_t i = 0; i < stored.size(); ++i) {
    if (!stored[i].present || stored[i].size == 0) continue;
    HADAL_CHECK(take(std::as_bytes(std::span(padding(stored[i].data - at)))));
    HADAL_CHECK(take(program.weights[i].bytes.view));
    at = stored[i].data + stored[i].size;
  }
  return {};
}

std::string strings_section(StringPool& pool) {
  Put put(pool);
  put.number(static_cast<uint32_t>(pool.strings().size()));
  for (const std::string* text : pool.strings()) put.number(static_cast<uint32_t>(text->size()));
  for (const std::string* text : pool.strings()) put.bytes += *text;
  return std::move(put.bytes);
}

Result<std::vector<std::string>> small_sections(const Program& program, std::vector<StoredWeight>& stored) {
  Program copy = program;
  canonicalise(copy);
  StringPool pool;
  std::vector<std::string> bodies(sections.size());
  for (uint32_t kind = 1; kind < sections.size(); ++kind) {
    Put put(pool);
    layout(put, static_cast<Section>(kind), copy, stored);
    bodies[kind] = std::move(put.bytes);
  }
  std::string& code = bodies[static_cast<size_t>(Section::code)];
  for (size_t i = 0; i < copy.code.size(); ++i) {
    if (auto status = encode(copy.code[i], code); !status)
      return std::move(status).error().at(fmt::format("instruction {}", i));
  }
  bodies[static_cast<size_t>(Section::strings)] = strings_section(pool);
  for (const std::string& body : bodies)
    if (body.size() > std::numeric_limits<uint32_t>::max()) return Error{"program.limit", "a section passes 4 GiB"};
  return bodies;
}

}  // namespace

Status write_program(const Program& program, const std::filesystem::path& path) {
  for (const WeightEntry& weight : program.weights)
    if (!weight.bytes.view.empty() && weight.bytes.view.size() != weight.size)
      return Error{"program.limit", fmt::format("weight {} has {} bytes and states {}", printable(weight.name),
                                                weight.bytes.view.size(), weight.size)};
  uint64_t data_bytes = 0;
  auto stored = place_weights(program, data_bytes);
  HADAL_TRY(const std::vector<std::string> bodies, small_sections(program, stored));

  FileHeader header{{}, file_major, file_minor, static_cast<uint32_t>(sections.size()), 0, 0, 0};
  std::copy(file_magic.begin(), file_magic.end(), header.magic);
  std::array<SectionEntry, sections.size()> entries{};
  uint64_t at = sizeof header + sizeof entries;
  for (uint32_t kind = 0; kind < entries.size(); ++kind) {
    const bool data = kind == static_cast<uint32_t>(Section::weight_data);
    const uint64_t length = data ? data_bytes : bodies[kind].size();
    at = round_up(at, data ? weight_data_alignment : section_alignment);
    entries[kind] = {kind, crc32c(std::as_bytes(std::span(bodies[kind]))), at, length, 0};
    at += length;
  }
  uint32_t& data_checksum = entries.back().checksum;
  HADAL_CHECK(each_weight(program, stored, [&](std::span<const std::byte> bytes) {
    data_checksum = crc32c(bytes, data_checksum);
    return Status();
  }));
  header.file_bytes = at;
  header.checksum = crc32c(std::as_bytes(std::span(entries)), crc32c(std::as_bytes(std::span(&header, 1))));

  HADAL_TRY(OutputFile file, OutputFile::open(path));
  HADAL_CHECK(file.write(std::as_bytes(std::span(&header, 1))));
  HADAL_CHECK(file.write(std::as_bytes(std::span(entries))));
  uint64_t written = sizeof header + sizeof entries;
  for (uint32_t kind = 0; kind < entries.size(); ++kind) {
    HADAL_CHECK(file.write(padding(entries[kind].offset - written)));
    HADAL_CHECK(file.write(bodies[kind]));
    written = entries[kind].offset + bodies[kind].size();
  }
  HADAL_CHECK(each_weight(program, stored, [&](std::span<const std::byte> bytes) { return file.write(bytes); }));
  return file.commit();
}

}  // namespace hadal::isa

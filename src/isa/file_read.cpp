#include <algorithm>
#include <cstring>
#include <fstream>

#include "isa/crc32c.h"
#include "isa/disk.h"
#include "isa/encode.h"
#include "isa/file.h"
#include "isa/file_sections.h"

namespace hadal::isa {

namespace {

constexpr uint64_t text_limit = uint64_t{1} << 28;  ///< Bytes of all names.

/// A mapped file whose sections lie inside it.
struct Mapped {
  std::string name;
  Bytes bytes;
  std::array<SectionEntry, sections.size()> entries{};

  [[nodiscard]] std::span<const std::byte> section(Section kind) const {
    const SectionEntry& entry = entries[static_cast<size_t>(kind)];
    return bytes.view.subspan(entry.offset, entry.length);
  }
  [[nodiscard]] Error fault(const char* code, std::string message, Section kind, uint64_t at) const {
    const SectionEntry& entry = entries[static_cast<size_t>(kind)];
    return {code, std::move(message),
            fmt::format("{}, section {}, byte {}", name, sections[static_cast<size_t>(kind)].name, entry.offset + at),
            "make the program again"};
  }
};

Status check_header(const Mapped& file, const FileHeader& header) {
  if (std::string_view(header.magic, sizeof header.magic) != file_magic)
    return Error{"program.magic", "not a Hadal program: the file does not begin with " + std::string(file_magic),
                 file.name};
  if (header.major != file_major || header.minor > file_minor)
    return Error{"program.version",
                 fmt::format("format {}.{}; this reader knows {}.0 to {}.{}", header.major, header.minor, file_major,
                             file_major, file_minor),
                 file.name, "compile the model again with this version, or use the version that made the file"};
  if (header.section_count != sections.size() || header.zero != 0)
    return Error{"program.section",
                 fmt::format("{} sections; the format has {}", header.section_count, sections.size()), file.name};
  if (header.file_bytes != file.bytes.view.size())
    return Error{"program.truncated",
                 fmt::format("{} bytes; the header states {}", file.bytes.view.size(), header.file_bytes), file.name,
                 "copy the file again"};
  return {};
}

/// Sections follow each other in order, with zeros between, up to the file's end.
Status check_sections(const Mapped& file) {
  const auto view = file.bytes.view;
  uint64_t end = sizeof(FileHeader) + sizeof file.entries;
  for (uint32_t kind = 0; kind < sections.size(); ++kind) {
    const SectionEntry& entry = file.entries[kind];
    const auto section = static_cast<Section>(kind);
    const uint64_t alignment = section == Section::weight_data ? weight_data_alignment : section_alignment;
    if (entry.kind != kind || entry.zero != 0 || entry.offset != round_up(end, alignment) ||
        entry.offset > view.size() || entry.length > view.size() - entry.offset)
      return Error{"program.section", fmt::format("section {} is not where it belongs", sections[kind].name),
                   file.name};
    const auto gap = view.subspan(end, entry.offset - end);
    if (std::any_of(gap.begin(), gap.end(), [](std::byte b) { return b != std::byte{0}; }))
      return Error{"program.section", fmt::format("bytes before section {} are not 0", sections[kind].name), file.name};
    if (crc32c(file.section(section)) != entry.checksum)
      return file.fault("program.checksum", "the checksum is wrong: the file is damaged", section, 0);
    end = entry.offset + entry.length;
  }
  if (end != view.size()) return Error{"program.section", "bytes follow the last section", file.name};
  return {};
}

Result<Mapped> open_sections(Bytes bytes, const std::string& name) {
  Mapped file{printable(name), std::move(bytes), {}};
  FileHeader header{};
  if (file.bytes.view.size() < sizeof header + sizeof file.entries)
    return Error{"program.magic", fmt::format("not a Hadal program: {} bytes are too few", file.bytes.view.size()),
                 file.name};
  std::memcpy(&header, file.bytes.view.data(), sizeof header);
  std::memcpy(file.entries.data(), file.bytes.view.data() + sizeof header, sizeof file.entries);
  HADAL_CHECK(check_header(file, header));
  FileHeader unsigned_header = header;
  unsigned_header.checksum = 0;
  if (crc32c(std::as_bytes(std::span(file.entries)), crc32c(std::as_bytes(std::span(&unsigned_header, 1)))) !=
      header.checksum)
    return Error{"program.checksum", "the checksum of the header is wrong: the file is damaged", file.name};
  HADAL_CHECK(check_sections(file));
  return file;
}

Result<std::vector<std::string_view>> read_strings(const Mapped& file) {
  const auto bytes = file.section(Section::strings);
  const auto broken = [&] {
    return file.fault("program.section", "the strings do not fit their section", Section::strings, 0);
  };
  const auto word = [&](size_t i) {
    uint32_t value = 0;
    std::memcpy(&value, bytes.data() + 4 * i, 4);
    return value;
  };
  if (bytes.size() < 4 || word(0) > bytes.size() / 4 - 1) return broken();
  std::vector<std::string_view> strings(word(0));
  size_t at = 4 + 4 * strings.size();
  for (size_t i = 0; i < strings.size(); ++i) {
    const size_t length = word(1 + i);
    if (length > bytes.size() - at) return broken();
    strings[i] = {reinterpret_cast<const char*>(bytes.data()) + at, length};
    at += length;
  }
  if (at != bytes.size()) return broken();
  return strings;
}

Status read_code(const Mapped& file, Program& program) {
  const auto bytes = file.section(Section::code);
  for (size_t at = 0; at < bytes.size();) {
    size_t length = 0;
    auto in = decode(bytes.subspan(at), length);
    if (!in) return file.fault("code.C1", in.error().message, Section::code, at);
    program.code.push_back(std::move(in).value());
    at += length;
  }
  return {};
}

Status read_weights(const Mapped& file, const std::vector<StoredWeight>& stored, Program& program) {
  const auto data = file.section(Section::weight_data);
  uint64_t end = 0;
  for (size_t i = 0; i < stored.size(); ++i) {
    const StoredWeight& weight = stored[i];
    WeightEntry entry{weight.name, weight.offset, {}, weight.size};
    const uint64_t place = weight.present ? round_up(end, weight_alignment) : 0;
    if (weight.data != place || (weight.size == 0 && !weight.present))
      return file.fault("program.section", fmt::format("weight {} is not where it belongs", printable(weight.name)),
                        Section::weights, 0);
    if (weight.present && weight.size > 0) {
      if (place > data.size() || weight.size > data.size() - place)
        return file.fault("program.section",
                          fmt::format("weight {} passes the end of the data", printable(weight.name)),
                          Section::weight_data, 0);
      entry.bytes = {file.bytes.owner, data.subspan(place, weight.size)};
    }
    if (weight.present) end = place + weight.size;
    program.weights.push_back(std::move(entry));
  }
  if (end == data.size()) return {};
  return file.fault("program.section", "bytes follow the last weight", Section::weight_data, end);
}

}  // namespace

Result<Program> parse_program(Bytes bytes, const std::string& name) {
  HADAL_TRY(const Mapped file, open_sections(std::move(bytes), name));
  HADAL_TRY(const std::vector<std::string_view> strings, read_strings(file));
  Program program;
  std::vector<StoredWeight> stored;
  uint64_t text_left = text_limit;
  for (uint32_t kind = 1; kind < sections.size(); ++kind) {
    const auto section = static_cast<Section>(kind);
    if (section == Section::code || section == Section::weight_data) continue;
    Get get(file.section(section), strings, text_left);
    layout(get, section, program, stored);
    get.end();
    if (!get.fault.empty()) return file.fault("program.section", get.fault, section, get.fault_at);
  }
  HADAL_CHECK(read_code(file, program));
  HADAL_CHECK(read_weights(file, stored, program));
  return program;
}

Result<Program> read_program(const std::filesystem::path& path) {
  HADAL_TRY(Bytes bytes, map_file(path));
  return parse_program(std::move(bytes), path.string());
}

bool is_program(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return false;
  std::array<char, file_magic.size()> start{};
  std::ifstream(path, std::ios::binary).read(start.data(), start.size());
  return std::string_view(start.data(), start.size()) == file_magic;
}

}  // namespace hadal::isa

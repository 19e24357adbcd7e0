#include "train/checkpoint.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "isa/crc32c.h"
#include "train/safetensors.h"

namespace hadal::train {

namespace fs = std::filesystem;
using Json = nlohmann::json;

namespace {

constexpr int64_t largest_manifest = 1 << 20;

std::string stem_of(int64_t step) { return fmt::format("step-{:08}", step); }

std::string crc_of(std::span<const std::byte> bytes) { return fmt::format("{:08x}", isa::crc32c(bytes)); }
std::string crc_of(const std::string& text) { return crc_of(std::as_bytes(std::span(text.data(), text.size()))); }

/// Manifests of a folder, the latest step first.
std::vector<fs::path> manifests_of(const fs::path& folder) {
  std::vector<fs::path> out;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored))
    if (entry.path().extension() == ".json" && entry.path().filename().string().starts_with("step-"))
      out.push_back(entry.path());
  std::sort(out.rbegin(), out.rend());
  return out;
}

struct Manifest {
  int64_t step = 0;
  std::string file, crc;
  Identity identity;
};

std::optional<Manifest> read_manifest(const fs::path& path) {
  const auto bytes = read_file(path, largest_manifest);
  if (!bytes) return std::nullopt;
  const auto* const text = reinterpret_cast<const char*>(bytes->data());
  const Json json = Json::parse(text, text + bytes->size(), nullptr, false);
  try {
    const Json& body = json.at("checkpoint");
    if (json.at("crc32c") != crc_of(body.dump())) return std::nullopt;
    return Manifest{body.at("step"), body.at("file"), body.at("crc32c"), body.at("run").get<Identity>()};
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

/// Another model first: then all else may differ too.
Status check_identity(const Identity& found, const Identity& wanted, const fs::path& manifest) {
  for (const auto& [name, value] : wanted) {
    const auto other = found.find(name);
    if (other != found.end() && other->second == value) continue;
    const std::string was = other == found.end() ? "nothing" : printable(other->second);
    return Error{"checkpoint.run",
                 name == "model" ? "it is of another model"
                                 : fmt::format("it is of a run with {} {}, found {}", name, was, printable(value)),
                 printable(manifest.string()), "give the run's own flags, or another --checkpoint folder"};
  }
  return {};
}

void remove_old(const fs::path& folder, size_t keep) {
  const std::vector<fs::path> all = manifests_of(folder);
  std::error_code ignored;
  for (size_t i = keep; i < all.size(); ++i) {  // The manifest first: without it there is no checkpoint.
    fs::remove(all[i], ignored);
    fs::remove(fs::path(all[i]).replace_extension(".safetensors"), ignored);
  }
}

}  // namespace

bool has_checkpoints(const fs::path& folder) { return !manifests_of(folder).empty(); }

Status save_checkpoint(const fs::path& folder, const Identity& identity, const Checkpoint& checkpoint, size_t keep) {
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (failed)
    return Error{"file.write", fmt::format("cannot make the folder: {}", failed.message()), printable(folder.string())};
  const std::string stem = stem_of(checkpoint.step), tensors = safetensors_of(checkpoint.tensors);
  HADAL_CHECK(write_file_synced(folder / (stem + ".safetensors"), tensors));
  const Json body{
      {"step", checkpoint.step}, {"file", stem + ".safetensors"}, {"crc32c", crc_of(tensors)}, {"run", identity}};
  const Json manifest{{"checkpoint", body}, {"crc32c", crc_of(body.dump())}};
  HADAL_CHECK(write_file_synced(folder / (stem + ".json"), manifest.dump(2) + "\n"));
  remove_old(folder, keep);
  return {};
}

Result<std::optional<Checkpoint>> load_checkpoint(const fs::path& folder, const Identity& identity,
                                                  int64_t largest_bytes, std::vector<std::string>& skipped) {
  for (const fs::path& path : manifests_of(folder)) {
    const auto skip = [&](const char* why) {
      skipped.push_back(fmt::format("checkpoint {} is skipped: {}", printable(path.stem().string()), why));
    };
    const auto manifest = read_manifest(path);
    if (!manifest) {
      skip("its manifest is torn or altered");
      continue;
    }
    HADAL_CHECK(check_identity(manifest->identity, identity, path));
    const auto bytes = read_file(folder / fs::path(manifest->file).filename(), largest_bytes);
    if (!bytes || crc_of(*bytes) != manifest->crc) {
      skip(bytes ? "its tensors are torn or altered" : "its tensors cannot be read");
      continue;
    }
    auto tensors = parse_safetensors(*bytes, printable(manifest->file));
    if (!tensors) return std::move(tensors).error();
    return std::optional(Checkpoint{manifest->step, std::move(tensors).value()});
  }
  return std::optional<Checkpoint>{};
}

}  // namespace hadal::train

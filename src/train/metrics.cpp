#include "train/metrics.h"

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/files.h"

namespace hadal::train {

namespace {

constexpr int64_t largest = int64_t{1} << 30;

/// The whole lines of steps up to `done`.
std::string kept_lines(const std::vector<std::byte>& bytes, int64_t done) {
  std::istringstream in(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  std::string out;
  for (std::string line; std::getline(in, line);) {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (!json.is_object() || !json.contains("step") || !json["step"].is_number_integer() || json["step"] > done) break;
    out += line + "\n";
  }
  return out;
}

}  // namespace

Result<Metrics> Metrics::open(const std::filesystem::path& path, int64_t done) {
  std::error_code ignored;
  std::string kept;
  if (done > 0 && std::filesystem::exists(path, ignored)) {
    HADAL_TRY(const auto bytes, read_file(path, largest));
    kept = kept_lines(bytes, done);
  }
  HADAL_CHECK(write_file(path, kept));
  Metrics out;
  out.place_ = printable(path.string());
  out.file_.reset(std::fopen(path.c_str(), "a"));
  if (!out.file_)
    return Error{"file.write", fmt::format("cannot write the file: {}", std::strerror(errno)), out.place_};
  return out;
}

Status Metrics::add(int64_t step, double loss, int64_t cycles) {
  const std::string line = fmt::format("{{\"step\":{},\"loss\":{:.9g},\"cycles\":{}}}\n", step, loss, cycles);
  if (std::fwrite(line.data(), 1, line.size(), file_.get()) == line.size() && std::fflush(file_.get()) == 0) return {};
  return Error{"file.write", fmt::format("cannot write the file: {}", std::strerror(errno)), place_};
}

}  // namespace hadal::train

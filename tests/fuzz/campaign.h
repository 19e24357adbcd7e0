// Many bad inputs through one path: each ends in success or in an Error, soon, without a giant allocation.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "base/result.h"
#include "fuzz/random.h"

namespace hadal::fuzz {

/// No input may take longer, nor may one allocation be larger: generous, since sanitizers slow everything down.
inline constexpr double longest_seconds = 30;
inline constexpr int64_t largest_allocation = int64_t{1} << 30;

/// What every input is limited to.
inline constexpr int64_t memory_limit = int64_t{256} << 20;
inline constexpr uint64_t instruction_budget = 20'000;

class Campaign {
 public:
  /// HADAL_FUZZ_SCALE multiplies the number of inputs; HADAL_FUZZ_INPUT=N runs input N alone, to see a fault again.
  Campaign(std::string name, size_t inputs);
  /// Prints what happened: inputs by kind, how far they came, why they were refused. Checks time and memory.
  ~Campaign();
  Campaign(const Campaign&) = delete;
  Campaign& operator=(const Campaign&) = delete;

  /// Calls `input` for each input, with a stream of its own.
  void run(const std::function<Status(Random&)>& input);

  /// Told by `input`: how it was made, and each stage that it reached.
  void kind(const std::string& name) { ++kinds_[name]; }
  void reached(const std::string& stage) { ++stages_[stage]; }

  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }

 private:
  void one(size_t index, const std::function<Status(Random&)>& input);

  std::string name_;
  size_t inputs_;
  std::filesystem::path folder_;
  size_t ran_ = 0, accepted_ = 0, slowest_index_ = 0;
  double slowest_ = 0, seconds_ = 0;
  std::map<std::string, size_t> kinds_, stages_, refusals_;
};

/// Writes a file, replacing it.
void put_file(const std::filesystem::path& path, const std::string& bytes);
std::string get_file(const std::filesystem::path& path);

}  // namespace hadal::fuzz

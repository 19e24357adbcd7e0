// A run's metrics: one JSON object a line, a line a step.
#pragma once

#include <cstdio>
#include <filesystem>
#include <memory>

#include "base/result.h"

namespace hadal::train {

class Metrics {
 public:
  /// Lines of steps up to `done` stay, so that a resumed run's file is as if it had never stopped; without such, the
  /// file begins anew. Errors: file.*.
  static Result<Metrics> open(const std::filesystem::path& path, int64_t done);
  /// {"step":1,"loss":2.5,"cycles":1000}: the mean loss of the batch before that step's update; the chip's cycles.
  Status add(int64_t step, double loss, int64_t cycles);

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::string place_;
  std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace hadal::train

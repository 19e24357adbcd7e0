// Internal to verify*.cpp: where the errors gather.
#pragma once

#include <string>
#include <vector>

#include "isa/check.h"
#include "isa/program.h"

namespace hadal::isa {

class Findings {
 public:
  explicit Findings(size_t most) : most_(most) {}
  void add(const char* rule, std::string message, std::string place) {
    ++count;
    if (errors.size() < most_) errors.push_back({rule, std::move(message), std::move(place)});
  }
  /// Adds the error unless `legal`.
  void require(bool legal, const char* rule, std::string_view message, const std::string& place) {
    if (!legal) add(rule, std::string(message), place);
  }
  [[nodiscard]] bool full() const { return errors.size() >= most_; }

  std::vector<Error> errors;
  size_t count = 0;  ///< Of all, kept or not: what builds on a check asks this one.

 private:
  size_t most_;
};

/// Limits, parameters, regions, weights, ports, chains, tables, semaphores, layers.
void verify_tables(const Program& program, Findings& found);
/// Tensor descriptors and views.
void verify_views(const Program& program, Findings& found);
/// Instructions: operands, fields, queues, types, loops. Views and tables have passed.
void verify_code(const Program& program, Findings& found);
/// The walk of all cores. Everything static has passed.
Status verify_walk(const Program& program, uint64_t budget);

inline bool is_register(uint8_t number) { return number < registers; }
inline bool is_optional_register(uint8_t number) { return number < registers || number == no_register; }

}  // namespace hadal::isa

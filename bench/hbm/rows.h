// Reference rows: a CSV file's lines, and the memory and traffic that each describes.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "memory/device.h"
#include "memory/traffic.h"

namespace hadal::bench {

/// A row by the names of its columns.
using Row = std::map<std::string, std::string, std::less<>>;

/// Errors: file.*, csv.columns.
Result<std::vector<Row>> read_rows(const std::string& file);

/// A figure of a row; `none` where the column is empty or no number.
double number_of(const Row& row, std::string_view column, double none = 0);

struct Case {
  memory::Device device;
  memory::Traffic traffic;
};
/// The case of a row. Errors: bench.uncovered, whose message says what the model lacks.
Result<Case> case_of(const Row& row, const std::vector<memory::Device>& devices);

}  // namespace hadal::bench

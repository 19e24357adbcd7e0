// Tables of comma-separated values with a line of column names.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hadal::bench {

class Table {
 public:
  /// Errors: table.empty, table.cells, table.column (named twice), and those of reading a file.
  static Result<Table> read(const std::filesystem::path& path);

  [[nodiscard]] const std::string& file() const { return file_; }
  [[nodiscard]] const std::vector<std::string>& columns() const { return columns_; }
  [[nodiscard]] std::optional<size_t> column(std::string_view name) const;

  struct Line {
    size_t number = 0;  ///< In the file, from 1.
    std::vector<std::string> cells;
  };
  [[nodiscard]] const std::vector<Line>& lines() const { return lines_; }

 private:
  std::string file_;
  std::vector<std::string> columns_;
  std::vector<Line> lines_;
};

/// All of them, in order. Errors: those of Table::read.
Result<std::vector<Table>> read_tables(const std::vector<std::string>& files);

/// One line of a table, by the names of its columns. Errors: table.column, table.number, table.range.
class Row {
 public:
  Row(const Table& table, const Table::Line& line) : table_(&table), line_(&line) {}

  [[nodiscard]] const Table& table() const { return *table_; }
  [[nodiscard]] const Table::Line& line() const { return *line_; }
  /// FILE:LINE.
  [[nodiscard]] std::string place() const;
  [[nodiscard]] Result<std::string> text(std::string_view column) const;
  /// A finite number from `least` to `most`.
  [[nodiscard]] Result<double> number(std::string_view column, double least, double most) const;
  [[nodiscard]] Result<int64_t> integer(std::string_view column, int64_t least, int64_t most) const;
  /// Nothing where the table lacks the column or the cell is empty.
  [[nodiscard]] Result<std::optional<double>> optional_number(std::string_view column) const;

 private:
  [[nodiscard]] Error wrong(std::string code, std::string_view column, std::string message, std::string remedy) const;
  const Table* table_;
  const Table::Line* line_;
};

/// The whole text as a number, in decimal or scientific notation, whatever the locale.
std::optional<double> parse_number(std::string_view text);

}  // namespace hadal::bench

#include "bench/table.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/files.h"
#include "base/suggest.h"

namespace hadal::bench {

namespace {

constexpr int64_t largest_file = 64 << 20;

/// Commas part cells, but between quotation marks; two of these are one (RFC 4180).
std::vector<std::string> cells_of(std::string_view line) {
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '"' && quoted && line.substr(i + 1).starts_with('"'))
      cells.back() += line[++i];
    else if (line[i] == '"')
      quoted = !quoted;
    else if (line[i] == ',' && !quoted)
      cells.emplace_back();
    else
      cells.back() += line[i];
  }
  return cells;
}

}  // namespace

std::optional<double> parse_number(std::string_view text) {
  double value = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || rest != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

Result<std::vector<Table>> read_tables(const std::vector<std::string>& files) {
  std::vector<Table> tables;
  for (const std::string& file : files) {
    HADAL_TRY(Table table, Table::read(file));
    tables.push_back(std::move(table));
  }
  return tables;
}

Result<Table> Table::read(const std::filesystem::path& path) {
  HADAL_TRY(const auto bytes, read_file(path, largest_file));
  Table table;
  table.file_ = printable(path.string());
  std::string_view rest(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  for (size_t number = 1; !rest.empty(); ++number) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    std::vector<std::string> cells = cells_of(line);
    if (table.columns_.empty()) {
      table.columns_ = std::move(cells);
    } else if (cells.size() != table.columns_.size()) {
      return Error{"table.cells", fmt::format("{} cells under {} column names", cells.size(), table.columns_.size()),
                   fmt::format("{}:{}", table.file_, number), "every line has a cell a column, separated by commas"};
    } else {
      table.lines_.push_back({number, std::move(cells)});
    }
  }
  if (table.lines_.empty()) {
    return Error{"table.empty", "no rows", table.file_, "the first line names the columns, each other one is a row"};
  }
  for (size_t i = 0; i < table.columns_.size(); ++i) {
    if (*table.column(table.columns_[i]) == i) continue;
    return Error{"table.column", fmt::format("two columns \"{}\"", printable(table.columns_[i])), table.file_ + ":1",
                 "rename one of them"};
  }
  return table;
}

std::optional<size_t> Table::column(std::string_view name) const {
  const auto found = std::ranges::find(columns_, name);
  if (found == columns_.end()) return std::nullopt;
  return static_cast<size_t>(found - columns_.begin());
}

std::string Row::place() const { return fmt::format("{}:{}", table_->file(), line_->number); }

Error Row::wrong(std::string code, std::string_view column, std::string message, std::string remedy) const {
  return Error{std::move(code), std::move(message), fmt::format("{}, column {}", place(), column), std::move(remedy)};
}

Result<std::string> Row::text(std::string_view column) const {
  if (const auto index = table_->column(column)) return line_->cells[*index];
  const std::vector<std::string_view> names(table_->columns().begin(), table_->columns().end());
  return wrong("table.column", column, fmt::format("no column \"{}\"", column), did_you_mean(column, names));
}

Result<double> Row::number(std::string_view column, double least, double most) const {
  HADAL_TRY(const std::string cell, text(column));
  const std::optional<double> value = parse_number(cell);
  if (!value) {
    return wrong("table.number", column, fmt::format("\"{}\" is no number", printable(cell)),
                 "write it as 12, 0.5 or 1e9");
  }
  if (*value < least || *value > most) {
    return wrong("table.range", column, cell + " is out of range", fmt::format("from {:g} to {:g}", least, most));
  }
  return *value;
}

Result<int64_t> Row::integer(std::string_view column, int64_t least, int64_t most) const {
  HADAL_TRY(const double value, number(column, static_cast<double>(least), static_cast<double>(most)));
  if (value != std::floor(value)) {
    return wrong("table.number", column, fmt::format("{:g} is no whole number", value), "write it without a fraction");
  }
  return static_cast<int64_t>(value);
}

Result<std::optional<double>> Row::optional_number(std::string_view column) const {
  const auto index = table_->column(column);
  if (!index || line_->cells[*index].empty()) return std::optional<double>{};
  constexpr double most = 1e300;
  HADAL_TRY(const double value, number(column, -most, most));
  return std::optional{value};
}

}  // namespace hadal::bench

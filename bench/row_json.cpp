#include "bench/row_json.h"

#include <nlohmann/json.hpp>

namespace hadal::bench {

nlohmann::json measured(const Row& row) {
  nlohmann::json cells = nlohmann::json::object();
  for (size_t i = 0; i < row.line().cells.size(); ++i) {
    const std::string& cell = row.line().cells[i];
    const auto number = parse_number(cell);
    cells[row.table().columns()[i]] = number ? nlohmann::json(*number) : nlohmann::json(cell);
  }
  return cells;
}

}  // namespace hadal::bench

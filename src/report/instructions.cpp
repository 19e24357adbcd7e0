// The instruction table as JSON, for front ends that name instructions.
#include <nlohmann/json.hpp>

#include "isa/table.h"
#include "report/json.h"

namespace hadal::report {

namespace {

using Json = nlohmann::ordered_json;

std::string_view name_of(isa::FieldKind kind) {
  constexpr std::string_view names[] = {"flag",   "count", "number", "real",    "choice",
                                        "target", "chain", "table",  "function"};
  return names[static_cast<size_t>(kind)];
}

Json json_of(const isa::FieldRow& field) {
  Json out{{"name", field.name}, {"kind", name_of(field.kind)}, {"meaning", field.meaning}};
  for (const std::string_view choice : field.choices)
    if (!choice.empty()) out["choices"].push_back(choice);
  return out;
}

Json json_of(const isa::Row& row) {
  Json queues = Json::array(), operands = Json::array(), fields = Json::array();
  for (int q = 0; q < isa::queue_count; ++q)
    if (const auto queue = static_cast<isa::Queue>(q); (row.queues & isa::on(queue)) != 0)
      queues.push_back(isa::name_of(queue));
  for (size_t i = 0; i < row.operand_count(); ++i)
    operands.push_back({{"name", row.operands[i].name},
                        {"written", row.operands[i].written},
                        {"optional", row.operands[i].optional},
                        {"memory", (row.operands[i].spaces & isa::in_scratchpad) == 0}});
  for (size_t i = 0; i < row.field_count(); ++i) fields.push_back(json_of(row.fields[i]));
  return {{"name", row.name},           {"queues", queues},     {"summary", row.summary},
          {"semantics", row.semantics}, {"operands", operands}, {"fields", fields}};
}

}  // namespace

std::string instructions_json() {
  Json rows = Json::array();
  for (const isa::Row& row : isa::table()) rows.push_back(json_of(row));
  return rows.dump();
}

}  // namespace hadal::report

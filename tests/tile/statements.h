// Statements of tile programs, for tests.
#pragma once

#include <utility>
#include <vector>

#include "tile/program.h"

namespace hadal::tile {

inline Statement tile_of(int tile) {
  Statement statement;
  statement.kind = Statement::Kind::tile;
  statement.tile = tile;
  return statement;
}

/// Operands and fields that are not given are none, and as the row has them.
inline Statement instruction(isa::Opcode op, isa::Queue queue, std::vector<Operand> operands,
                             std::vector<Expr> fields = {}) {
  Statement statement;
  statement.op = op;
  statement.queue = queue;
  statement.operands = std::move(operands);
  const isa::Row& row = *isa::row_of(op);
  statement.operands.resize(row.operand_count());
  for (size_t i = fields.size(); i < row.field_count(); ++i) fields.emplace_back(row.fields[i].otherwise);
  statement.fields = std::move(fields);
  return statement;
}

inline Statement loop(const Expr& index, int64_t count, std::vector<Statement> body) {
  Statement statement;
  statement.kind = Statement::Kind::loop;
  statement.index = index;
  statement.count = Expr(count);
  statement.body = std::move(body);
  return statement;
}

}  // namespace hadal::tile

// A TOML file as flat fields with their places; the only file that knows the TOML library is document.cpp.
#pragma once

#include <map>
#include <string>
#include <variant>

#include "base/result.h"

namespace hadal::chip {

/// A field as written.
struct Entry {
  std::variant<std::string, int64_t, double, bool> value;
  std::string source;  ///< Of `{ value = …, source = "…" }`; empty else.
  std::string place;   ///< "file:line: field".
};

/// By dotted name, "matrix.rows".
using Document = std::map<std::string, Entry>;

/// Reads TOML: tables are flattened, a figure is a plain value or `{ value = …, source = "…" }`.
/// Errors: chip.toml (syntax), chip.type (arrays, dates, a `source` that is no text).
Result<Document> read_document(const std::string& text, const std::string& file);

}  // namespace hadal::chip

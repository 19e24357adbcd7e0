// Values of the document, and expressions.
#include "runtime/tile_reader.h"

#include <algorithm>

namespace hadal::runtime {

TileReader::At TileReader::get(const At& at, const char* name) {
  const std::string path = at.path.empty() ? name : at.path + "." + name;
  if (!at.value.is_object() || !at.value.contains(name)) {
    fail({at.value, path}, "it is missing");
    return {none_, path};
  }
  return {at.value[name], path};
}

int64_t TileReader::integer(const At& at, int64_t least, int64_t most) {
  if (!at.value.is_number_integer()) fail(at, "it is no integer");
  const int64_t value = error_ ? 0 : at.value.get<int64_t>();
  if (!error_ && (value < least || value > most)) fail(at, fmt::format("{} is not {} to {}", value, least, most));
  return error_ ? least > 0 ? least : 0 : value;
}

double TileReader::real(const At& at) {
  if (!at.value.is_number()) fail(at, "it is no number");
  return error_ ? 0 : at.value.get<double>();
}

std::string TileReader::text(const At& at) {
  if (!at.value.is_string()) fail(at, "it is no text");
  return error_ ? "" : at.value.get<std::string>();
}

size_t TileReader::number_below(const At& at, size_t count) {
  return static_cast<size_t>(integer(at, 0, static_cast<int64_t>(count) - 1));
}

std::vector<int64_t> TileReader::integers(const At& at, int64_t least) {
  std::vector<int64_t> out;
  each(at, [&](const At& item) { out.push_back(integer(item, least)); });
  return out;
}

DType TileReader::dtype(const At& at) { return named<DType>(at, dtype_named, "type"); }

/// An integer, the name of a loop's index or of the core, or [operation, left, right]; ["within", e, least, most]
/// bounds what the reader cannot see.
Expr TileReader::expression(const At& at, int depth) {
  if (depth > deepest_tiles) fail(at, fmt::format("it is nested more than {} deep", deepest_tiles));
  if (error_) return {};
  if (at.value.is_number_integer()) return {integer(at, -(int64_t{1} << 40), int64_t{1} << 40)};
  if (at.value.is_string()) {
    const auto found = variables_.find(text(at));
    if (found == variables_.end()) fail(at, fmt::format("there is no variable \"{}\" here", printable(text(at))));
    return error_ ? Expr() : found->second;
  }
  if (!at.value.is_array() || at.value.size() < 3) {
    fail(at, "it is no expression");
    return {};
  }
  const auto part = [&](size_t i) { return At{at.value[i], fmt::format("{}[{}]", at.path, i)}; };
  const std::string op = text(part(0));
  const Expr a = expression(part(1), depth + 1);
  if (op == "within") {
    if (at.value.size() != 4) fail(at, "it is no expression");
    if (error_) return {};
    const int64_t least = integer(part(2)), most = integer(part(3));
    if (std::max(least, a.lowest()) > std::min(most, a.highest())) fail(at, "no value is within these bounds");
    return error_ ? Expr() : a.within(least, most);
  }
  const Expr b = expression(part(2), depth + 1);
  static const std::map<std::string, Expr (*)(const Expr&, const Expr&), std::less<>> operations{
      {"add", [](const Expr& x, const Expr& y) { return x + y; }},
      {"sub", [](const Expr& x, const Expr& y) { return x - y; }},
      {"mul", [](const Expr& x, const Expr& y) { return x * y; }},
      {"div", [](const Expr& x, const Expr& y) { return floor_div(x, y); }},
      {"ceildiv", [](const Expr& x, const Expr& y) { return ceil_div(x, y); }},
      {"mod", [](const Expr& x, const Expr& y) { return mod(x, y); }},
      {"min", [](const Expr& x, const Expr& y) { return min(x, y); }},
      {"max", [](const Expr& x, const Expr& y) { return max(x, y); }},
      {"equal", [](const Expr& x, const Expr& y) { return equal(x, y); }},
      {"less", [](const Expr& x, const Expr& y) { return less(x, y); }}};
  const auto found = operations.find(op);
  if (found == operations.end()) fail(at, fmt::format("there is no operation \"{}\"", printable(op)));
  const bool divides = op == "div" || op == "ceildiv" || op == "mod";
  if (divides && b.lowest() < 1) fail(at, "it divides by what may be less than 1");
  const int64_t limit = int64_t{1} << (op == "mul" ? 30 : 61);
  if (std::min(a.lowest(), b.lowest()) < -limit || std::max(a.highest(), b.highest()) > limit)
    fail(at, "it may pass 64 bits");
  return error_ ? Expr() : found->second(a, b);
}

/// One for each axis of a view.
std::vector<Expr> TileReader::expressions(const At& at) {
  std::vector<Expr> out;
  each(at, [&](const At& item) { out.push_back(expression(item)); });
  if (out.empty() || out.size() > isa::rank_limit) fail(at, "a view has 1 to 6 axes");
  return out;
}

}  // namespace hadal::runtime

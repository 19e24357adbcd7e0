// Internal to tile_*.cpp: a tile program's JSON, as it is read.
#pragma once

#include <map>
#include <nlohmann/json.hpp>

#include "runtime/tile_program.h"

namespace hadal::runtime {

using tile::Expr;

inline constexpr int deepest_tiles = 64;         ///< Nesting of expressions.
inline constexpr size_t longest_tiles = 60'000;  ///< Entries of a list that others name by 16 bits.
inline constexpr int64_t most_tile_trips = int64_t{1} << 40;

/// Walks the document. The first error stays; after it, what is read is empty.
class TileReader {
 public:
  TileReader(const nlohmann::json& json, std::optional<int64_t> cores) : json_(json), given_cores_(cores) {}

  Result<TileProgram> run();

 private:
  /// A value with the path that leads to it.
  struct At {
    const nlohmann::json& value;
    std::string path;
  };
  void fail(const At& at, std::string message) {
    if (!error_) error_ = Error{"tiles.field", std::move(message), at.path};
  }
  At get(const At& at, const char* name);
  template <class F>
  void each(const At& list, const F& f);
  int64_t integer(const At& at, int64_t least = INT64_MIN, int64_t most = INT64_MAX);
  double real(const At& at);
  std::string text(const At& at);
  size_t number_below(const At& at, size_t count);
  std::vector<int64_t> integers(const At& at, int64_t least = INT64_MIN);
  DType dtype(const At& at);
  template <class T>
  T named(const At& at, std::optional<T> (*find)(std::string_view), const char* what);

  Expr expression(const At& at, int depth = 0);
  std::vector<Expr> expressions(const At& at);
  void chain(const At& at);
  void storage(const At& at);
  void tensor(const At& at);
  void semaphore(const At& at);
  void ring(const At& at);
  void port(const At& at, std::vector<isa::Port>& to);
  void weight(const At& at);
  void phase(const At& at);
  void statement(const At& at, std::vector<tile::Statement>& to);
  void loop(const At& at, std::vector<tile::Statement>& to);
  void grid(const At& at, std::vector<tile::Statement>& to);
  void manual(const At& at, std::vector<tile::Statement>& to);
  std::vector<isa::Sync> syncs(const At& at, const char* name, bool waits);
  std::string line(const At& at);
  void repeat(const At& at, const std::string& name, const Expr& count, std::vector<tile::Statement>& to);
  void instruction(const At& at, std::vector<tile::Statement>& to);
  void share(const At& at, tile::Statement& load);
  tile::Operand operand(const At& at);
  void check_operand(const At& at, const tile::Statement& made, const isa::OperandRow& row,
                     const tile::Operand& operand);
  Expr field(const At& at, const isa::FieldRow& row);

  const nlohmann::json& json_;
  const std::optional<int64_t> given_cores_;  ///< None: as the document says.
  const nlohmann::json none_;
  tile::Program out_;
  std::map<std::string, Expr, std::less<>> variables_;
  int64_t cores_ = 1;
  std::vector<int64_t> grid_;  ///< Counts of the grid that is open; empty: none.
  bool by_hand_ = false;       ///< In what is written by hand.
  int64_t trips_ = 1;          ///< Of the loops that are open, at most.
  std::optional<Error> error_;
};

template <class F>
void TileReader::each(const At& list, const F& f) {
  if (!list.value.is_array()) return fail(list, "it is no list");
  if (list.value.size() > longest_tiles && !list.path.ends_with("values"))
    return fail(list, fmt::format("it has more than {} entries", longest_tiles));
  for (size_t i = 0; i < list.value.size() && !error_; ++i) f(At{list.value[i], fmt::format("{}[{}]", list.path, i)});
}

template <class T>
T TileReader::named(const At& at, std::optional<T> (*find)(std::string_view), const char* what) {
  const std::string name = text(at);
  const std::optional<T> found = find(name);
  if (!found) fail(at, fmt::format("there is no {} \"{}\"", what, printable(name)));
  return found.value_or(T{});
}

}  // namespace hadal::runtime

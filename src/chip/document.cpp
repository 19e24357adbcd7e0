#include "chip/document.h"

// Tables within tables are freed by recursion: their depth is bounded here and in is_flat.
#define TOML_MAX_NESTED_VALUES 8
// The library asserts what hostile text breaks (3.3.0, a header "[{"), and then checks it properly: without the
// asserts.
#undef NDEBUG
#define TOML_ASSERT(expression) static_assert(true)
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

#include <vector>

namespace hadal::chip {

namespace {

// The library has undefined behaviour on some keys with letters beyond ASCII (3.3.0), so it never sees one: such bytes,
// and the tilde, go in as ~hh, which is legal exactly where they are, in texts and comments.
std::string hidden(std::string_view text) {
  std::string out;
  for (const char c : text)
    if (const auto byte = static_cast<unsigned char>(c); byte >= 0x80 || c == '~')
      out += fmt::format("~{:02x}", byte);
    else
      out += c;
  return out;
}
std::string restored(std::string_view text) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  std::string out;
  for (size_t i = 0; i < text.size(); ++i)
    if (text[i] == '~' && i + 2 < text.size() && is_digit(text[i + 1]) && is_digit(text[i + 2])) {
      out += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  return out;
}

std::string place_of(const std::string& file, const toml::node& node, const std::string& field) {
  return fmt::format("{}:{}: {}", printable(file), node.source().begin.line, printable(field));
}

Error wrong_type(const std::string& place, std::string_view found) {
  return {"chip.type", fmt::format("expected a text, a number or true/false, found {}", found), place,
          "a figure is written  key = \"8 MiB\"  or  key = { value = \"8 MiB\", source = \"data sheet\" }"};
}

/// Fills an entry's value from a TOML scalar.
Status take_value(const toml::node& node, Entry& entry) {
  if (const auto* text = node.as_string())
    entry.value = restored(text->get());
  else if (const auto* whole = node.as_integer())
    entry.value = whole->get();
  else if (const auto* real = node.as_floating_point())
    entry.value = real->get();
  else if (const auto* truth = node.as_boolean())
    entry.value = truth->get();
  else
    return wrong_type(entry.place, node.is_table() ? "a table" : node.is_array() ? "an array" : "a date or time");
  return {};
}

/// A figure with its source: { value = …, source = "…" }.
Result<Entry> take_figure(const toml::table& table, std::string place) {
  Entry entry{{}, {}, std::move(place)};
  for (const auto& [key, node] : table) {
    if (key == "value") {
      HADAL_CHECK(take_value(node, entry));
    } else if (const auto* source = node.as_string(); key == "source" && source) {
      entry.source = printable(restored(source->get()), 400);
    } else {
      return Error{"chip.type",
                   fmt::format("expected a text named source beside value, found {}", printable(restored(key.str()))),
                   entry.place,
                   {}};
    }
  }
  return entry;
}

/// Whether no line has more dots than a description needs: a hostile key has a table for each.
bool is_flat(std::string_view text) {
  int dots = 0;
  for (const char c : text) {
    dots = c == '\n' ? 0 : dots + (c == '.');
    if (dots > 64) return false;
  }
  return true;
}

}  // namespace

Result<Document> read_document(const std::string& text, const std::string& file) {
  if (!is_flat(text)) return Error{"chip.toml", "a line has more than 64 dots", printable(file), "break long texts"};
  const toml::parse_result parsed = toml::parse(std::string_view(hidden(text)), std::string_view(file));
  if (!parsed)
    return Error{"chip.toml", printable(restored(parsed.error().description()), 300),
                 fmt::format("{}:{}:{}", printable(file), parsed.error().source().begin.line,
                             parsed.error().source().begin.column),
                 "a description is TOML: [table] headers and key = value lines"};

  Document document;
  std::vector<std::pair<std::string, const toml::table*>> open{
      {"", &parsed.table()}};  // No recursion into what a file nests.
  while (!open.empty()) {
    const auto [prefix, table] = open.back();
    open.pop_back();
    for (const auto& [key, node] : *table) {
      const std::string name = prefix + restored(key.str());
      Entry entry{{}, {}, place_of(file, node, name)};
      const auto* inner = node.as_table();
      if (inner && !inner->contains("value")) {
        open.emplace_back(name + ".", inner);
        continue;
      }
      if (inner) {
        HADAL_TRY(entry, take_figure(*inner, entry.place));
      } else {
        HADAL_CHECK(take_value(node, entry));
      }
      std::string place = entry.place;
      if (!document.emplace(name, std::move(entry)).second)  // "a.b" in quotes, and b in table a.
        return Error{"chip.toml", "the field is given twice", std::move(place), {}};
    }
  }
  return document;
}

}  // namespace hadal::chip

// From the text of a description to a Device that makes sense, or the first error.
#include <cmath>
#include <filesystem>

#include "base/suggest.h"
#include "chip/entry.h"
#include "chip/files.h"
#include "memory/expression.h"
#include "memory/fields.h"
#include "memory/files.h"

namespace hadal::memory {

namespace {

using chip::Document;
using chip::Entry;

constexpr int max_extends = 8;

constexpr std::string_view kind = "memory";

Status set_field(const Field& field, const Entry& entry, Device& device) {
  if (const auto* truth = std::get_if<bool& (*)(Device&)>(&field.access)) {
    if (!std::holds_alternative<bool>(entry.value)) return chip::wrong_type(kind, entry, "true or false");
    (*truth)(device) = std::get<bool>(entry.value);
    return {};
  }
  if (const auto* text = std::get_if<std::string& (*)(Device&)>(&field.access)) {
    HADAL_TRY(const std::string given, chip::text_in(kind, entry, field.words));
    (*text)(device) = printable(given, 400);
    return {};
  }
  HADAL_TRY(const double value, chip::number_in(kind, entry, field.unit));
  HADAL_CHECK(chip::check_range(kind, entry, value, field.low, field.high, field.unit));
  if (const auto* real = std::get_if<double& (*)(Device&)>(&field.access)) {
    (*real)(device) = value;
    return {};
  }
  if (field.unit != Unit::seconds && value != std::floor(value))
    return chip::wrong_type(kind, entry, "a whole number", "write it without a fraction");
  std::get<int64_t& (*)(Device&)>(field.access)(device) =
      std::llround(field.unit == Unit::seconds ? value * 1e15 : value);
  return {};
}

/// Clocks of "14 cycles", or of "14 ns" rounded up; a hair above a whole number of clocks is that number.
Result<double> clocks_in(const Entry& entry, const Device& device) {
  const auto* text = std::get_if<std::string>(&entry.value);
  if (!text) return chip::number_in(kind, entry, Unit::cycles);
  if (auto clocks = parse_quantity(*text, Unit::cycles)) return clocks;
  HADAL_TRY(const double seconds, chip::number_in(kind, entry, Unit::seconds));
  return std::ceil(seconds * 1e15 / static_cast<double>(device.clock_femtoseconds) - 1e-6);
}

Status set_parameter(const std::string& name, const Entry& entry, Device& device) {
  for (const Parameter& parameter : parameters())
    if (parameter.name == name) {
      HADAL_TRY(const double clocks, clocks_in(entry, device));
      if (!(clocks >= 0 && clocks <= 1e6))
        return Error{"memory.range", fmt::format("{} is out of range", chip::found_text(entry)), entry.place,
                     "at least 0 and at most a million clocks"};
      if (clocks != std::floor(clocks))
        return chip::wrong_type(kind, entry, "whole clocks", "or a time, which is rounded up to them");
      device.timing[name] = static_cast<int64_t>(clocks);
      return {};
    }
  std::vector<std::string_view> names;
  for (const Parameter& parameter : parameters()) names.push_back(parameter.name);
  const std::string hint = did_you_mean(name, names);
  return Error{"memory.unknown", fmt::format("there is no timing parameter \"{}\"", printable(name)), entry.place,
               hint.empty() ? "docs/memory.md lists them" : hint};
}

Status set_length(Command command, const Entry& entry, Device& device) {
  HADAL_TRY(const double clocks, clocks_in(entry, device));
  const double ticks = clocks * static_cast<double>(device.ticks);
  if (!(ticks >= 1 && ticks <= 64) || ticks != std::floor(ticks))
    return Error{"memory.range", fmt::format("{} is no length of a command", chip::found_text(entry)), entry.place,
                 fmt::format("1 to 64 ticks; a clock has {}", device.ticks)};
  device.length[static_cast<size_t>(command)] = static_cast<Tick>(ticks);
  return {};
}

Status set_constraint(std::string_view name, const Entry& entry, Device& device) {
  const size_t dot = name.find('.');
  const auto scope = std::find(scope_names.begin(), scope_names.end(), name.substr(0, dot));
  if (dot == name.npos || scope == scope_names.end())
    return Error{"memory.unknown", fmt::format("there is no scope \"{}\"", printable(name.substr(0, dot))), entry.place,
                 fmt::format("[constraints.SCOPE], one of: {}", fmt::join(scope_names, " "))};
  const auto* sum = std::get_if<std::string>(&entry.value);
  if (!sum) return chip::wrong_type(kind, entry, "a sum of timing parameters in quotes", "like \"tCWL + tBL + tWTRS\"");
  auto clocks = evaluate(*sum, device.timing);
  if (!clocks) return std::move(clocks).error().at(entry.place);
  if (*clocks < 0)
    return Error{"memory.constraint", fmt::format("{} is negative: {} clocks", printable(*sum), *clocks), entry.place,
                 "commands cannot wait for later ones"};
  auto constraints = read_constraint(name.substr(dot + 1), static_cast<Scope>(scope - scope_names.begin()), *clocks);
  if (!constraints) return std::move(constraints).error().at(entry.place);
  // A command is stamped where it begins, and the device counts from where it has all of it.
  for (Constraint& constraint : *constraints) {
    const auto length = [&](Command command) { return device.length[static_cast<size_t>(command)]; };
    constraint.delay = constraint.delay * device.ticks + length(constraint.from) - length(constraint.to);
    device.constraints.push_back(std::move(constraint));
  }
  return {};
}

/// A command keeps its bus for its whole length.
void add_bus_constraints(Device& device) {
  for (int from = 0; from < command_count; ++from)
    for (int to = 0; to < command_count; ++to) {
      const auto first = static_cast<Command>(from), second = static_cast<Command>(to);
      const Tick length = device.length[static_cast<size_t>(from)];
      if (length > 1 && (device.buses == 1 || is_column(first) == is_column(second)))
        device.constraints.push_back({Scope::channel, first, second, length, 1, "command bus"});
    }
}

/// The document of `text` over those that it extends.
Result<Document> merged(std::string text, std::string file) {
  Document all;
  for (int depth = 0;; ++depth) {
    auto document = chip::read_document(text, file);
    if (!document) {
      Error error = std::move(document).error();
      if (error.code.starts_with("chip.")) error.code.replace(0, 4, "memory");
      return error;
    }
    const auto extends = document->extract("extends");
    if (depth > 0) document->erase("stands_for");  // Of one description alone.
    all.merge(*document);                          // Keeps what is there: the extending file's.
    if (extends.empty()) return all;
    const auto* base = std::get_if<std::string>(&extends.mapped().value);
    const bool plain = base && !base->empty() && base->find_first_of("/\\") == base->npos && base->front() != '.';
    if (!plain || depth >= max_extends)
      return Error{"memory.extends", plain ? "too many descriptions extend one another" : "expected a name",
                   extends.mapped().place,
                   "the name of a description in the same folder or of a shipped one, without .toml"};
    file = described_as(*base, std::filesystem::path(file).parent_path());
    auto next = chip::read_description(file);
    if (!next) return std::move(next).error().at(extends.mapped().place);
    text = std::move(next).value();
  }
}

bool takes(std::string_view& name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return false;
  name.remove_prefix(prefix.size());
  return true;
}

/// One entry, in the pass of those like it: fields, then what is counted in clocks, then sums of that.
enum class Pass { fields, clocks, sums };
Status set_entry(std::string_view name, const Entry& entry, Pass pass, Device& device) {
  const std::string full(name);
  if (takes(name, "timing.")) return pass == Pass::clocks ? set_parameter(std::string(name), entry, device) : Status{};
  if (takes(name, "constraints.")) return pass == Pass::sums ? set_constraint(name, entry, device) : Status{};
  if (takes(name, "mapping.")) {
    const auto* text = std::get_if<std::string>(&entry.value);
    if (!text)
      return chip::wrong_type(kind, entry, "a list of fields in quotes", "like \"channel column bank_group bank row\"");
    device.mappings[std::string(name)] = *text;
    return {};
  }
  if (const auto command = std::find(command_names.begin(), command_names.end(), full.substr(full.find('.') + 1));
      full.starts_with("commands.") && command != command_names.end())
    return pass == Pass::clocks ? set_length(static_cast<Command>(command - command_names.begin()), entry, device)
                                : Status{};
  if (pass != Pass::fields) return {};
  std::vector<std::string_view> names;
  for (const Field& field : fields()) {
    if (field.name == full) return set_field(field, entry, device);
    names.push_back(field.name);
  }
  const std::string hint = did_you_mean(full, names);
  return Error{"memory.unknown", fmt::format("there is no field \"{}\"", printable(full)), entry.place,
               hint.empty() ? "docs/memory.md lists the fields" : hint};
}

std::string missing_in(const Document& document) {
  std::string missing;
  const auto look = [&](const std::string& name) {
    if (!document.contains(name)) missing += (missing.empty() ? "" : ", ") + name;
  };
  for (const Field& field : fields())
    if (field.needed) look(std::string(field.name));
  for (const Parameter& parameter : parameters())
    if (parameter.needed) look(fmt::format("timing.{}", parameter.name));
  return missing;
}

}  // namespace

Result<Device> parse_device(const std::string& text, const std::string& file) {
  HADAL_TRY(const Document document, merged(text, file));
  Device device;
  device.file = file;
  for (const Pass pass : {Pass::fields, Pass::clocks, Pass::sums}) {
    for (const auto& [name, entry] : document) {
      HADAL_CHECK(set_entry(name, entry, pass, device));
      if (!entry.source.empty()) device.sources[name] = entry.source;
    }
    if (pass != Pass::fields) continue;
    device.length.fill(device.ticks);
    if (const std::string missing = missing_in(document); !missing.empty())
      return Error{"memory.missing", "not given: " + missing, printable(file),
                   "give every field, or extend a description that does"};
  }
  add_bus_constraints(device);
  if (auto status = check_device(device); !status.ok()) {
    Error error = std::move(status).error();
    const auto entry = document.find(error.place);
    error.place = entry == document.end() ? fmt::format("{}: {}", printable(file), error.place) : entry->second.place;
    return error;
  }
  return device;
}

Result<Device> load_device(const std::string& file) {
  HADAL_TRY(const std::string text, chip::read_description(file));
  return parse_device(text, file);
}

}  // namespace hadal::memory

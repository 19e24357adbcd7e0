// Internal to assemble*.cpp: the state of one assembly.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <unordered_map>

#include "base/tensor.h"
#include "isa/cursor.h"
#include "isa/program.h"
#include "isa/table.h"

namespace hadal::isa {

/// Names of the things of one kind. A name that stands for two refers to none.
class NameTable {
 public:
  explicit NameTable(const char* kind) : kind_(kind) {}
  void add(const std::string& name) {
    const auto [at, added] = numbers_.try_emplace(name, count_++);
    if (!added) at->second = ambiguous;
  }
  /// A name, or `#` and a number.
  Result<size_t> read(Cursor& cursor) const;

 private:
  static constexpr size_t ambiguous = SIZE_MAX;
  const char* kind_;
  size_t count_ = 0;
  std::map<std::string, size_t> numbers_;
};

class Assembler {
 public:
  explicit Assembler(std::filesystem::path folder) : folder_(std::move(folder)) {}
  Status line(Cursor& cursor);
  Result<Program> finish(const std::string& file);
  [[nodiscard]] size_t instructions() const { return program_.code.size(); }

 private:
  // Declarations: assemble.cpp.
  Status program_line(Cursor& c);
  Status limit(Cursor& c);
  Status param(Cursor& c);
  Status region(Cursor& c);
  Status tensor(Cursor& c);
  Status chain(Cursor& c);
  Status chain_step(Cursor& c, Chain& chain);
  Status resample_table(Cursor& c);
  Status function(Cursor& c);
  Status semaphore(Cursor& c);
  Status layer(Cursor& c);
  Status port(Cursor& c, std::vector<Port>& ports);
  static Status shape(Cursor& c, Shape& shape);
  static Result<DType> dtype(Cursor& c);
  static Status number_is(Cursor& c, size_t number);

  // Weights: assemble_weights.cpp.
  Status weight(Cursor& c);
  Status fixed(Cursor& c);
  Status state(Cursor& c);
  Result<Bytes> weight_file(Cursor& c, uint64_t size);

  // Code: assemble_code.cpp.
  Status code_line(Cursor& c);
  Status loop(Cursor& c, Instruction& in);
  Status let(Cursor& c, const Row& row, Instruction& in);
  Status operands(Cursor& c, const Row& row, Instruction& in);
  Status fields(Cursor& c, const Row& row, Instruction& in);
  Status syncs(Cursor& c, std::array<Sync, 3>& syncs);
  Result<uint16_t> view(Cursor& c);
  static Result<int64_t> field_value(Cursor& c, const FieldRow& row);
  static Result<Field> number_or_register(Cursor& c);

  Program program_;
  std::filesystem::path folder_;
  NameTable regions_{"region"}, tensors_{"tensor"}, semaphores_{"semaphore"};
  std::unordered_map<std::string, uint16_t> views_;  ///< By their bytes.
  std::map<std::string, Bytes> files_;               ///< Mapped files of weights.
  uint32_t layer_ = 0;
  std::string line_;  ///< Of the source text.
  bool named_ = false, in_code_ = false;
};

}  // namespace hadal::isa

// What is run: a model, compiled, or a program, read from its file or assembled from its text, and verified.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "chip/chip.h"
#include "isa/program.h"
#include "runtime/inputs.h"

namespace hadal::compile {
struct Lowered;
}

namespace hadal::runtime {

/// Kernels of the caller's for nodes of these operators, "Type" or "domain::Type". The answer for a node, both as JSON
/// (include/hadal.h); none: the node is imported as usual.
struct KernelSource {
  std::set<std::string> operators = {};
  std::function<std::optional<std::string>(const std::string& node)> answer = {};
};

/// Where a model or a program comes from, and what it is made for.
struct Source {
  std::filesystem::path file;
  std::optional<std::string> chip;     ///< Name or file; absent: the profile's, that of a program, else hadal-1.
  std::optional<std::string> profile;  ///< Name or file of the measured software whose habits to keep; absent: none.
  std::optional<DType> precision;      ///< Absent: the model's own types.
  std::map<std::string, Shape> shapes = {};   ///< Of inputs; they bind symbolic dimensions.
  std::map<std::string, Tensor> values = {};  ///< Of inputs; a model is compiled for those that decide shapes.
  /// Inputs that the next run finds as this one leaves an output: see compile::Options.
  std::vector<std::pair<std::string, std::string>> states = {};
  std::vector<GivenInput> calibration = {};  ///< Samples of inputs, by which a float model is quantised to int8.
  KernelSource kernels = {};
  bool allow_absent_data = false;  ///< Values are not needed.
  int64_t memory_limit = 0;        ///< Bytes.
  bool keep_graph = false;         ///< Loaded::lowered is wanted.
  int threads = 1;                 ///< Of this computer.
  int effort = 8;                  ///< Plans more that the compiler tries where layers have other tiles.
  std::string dump_after = {};     ///< A pass, whose text goes to `dump`.
  std::function<void(const std::string& pass, const std::string& text)> dump = {};
  std::function<void(const std::string& stage)> progress = {};
};

struct Loaded {
  isa::Program program;
  chip::Chip chip;
  std::vector<std::string> text = {};   ///< The lines that a program was assembled from, which its `lines` name.
  std::vector<std::string> notes = {};  ///< For the user: "unbound symbols are 1: batch".
  bool warm = false;                    ///< The profile's calls find what those before left in the cache.
  std::shared_ptr<const compile::Lowered> lowered = {};  ///< Of a model, where it was asked for.
  bool compiled = false;                                 ///< From a model; else a program was read.
  double import_seconds = 0, compile_seconds = 0;        ///< Host time; a program file has only the first.
};

inline constexpr const char* default_chip = "hadal-1";

/// The chip that a source asks for; hadal-1 where it does not. Errors: those of the chip's file.
Result<chip::Chip> chip_of(const Source& source);

/// Adds shapes and values of given arrays to a source. Errors: input.shape, where one contradicts the source's.
Status add_inputs(Source& source, const std::vector<GivenInput>& given);

/// Whether a file is a program, or a program's text (.hasm); else it is taken for a model.
bool is_program(const std::filesystem::path& file);

/// Errors: those of the chip file, of import and compilation, of reading, assembling
/// and verifying a program; usage.program (flags
/// that a program file cannot follow, such as a precision); input.fixed (values other than those that a program was
/// compiled for).
Result<Loaded> load(const Source& source);

}  // namespace hadal::runtime

// A run's outputs: files, and comparison with expected values.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/tensor.h"
#include "isa/program.h"
#include "runtime/inputs.h"

namespace hadal::runtime {

/// "0_logits.npy": the output's index, and its name with every byte outside [A-Za-z0-9._-] as _, cut to 200 bytes.
std::string output_file_name(size_t index, const std::string& name);

/// Writes every output into a folder, which is made where it is missing; returns the files' paths. Each is written
/// whole or not at all. Errors: output.folder, file.write.
Result<std::vector<std::string>> write_outputs(const std::filesystem::path& folder, const std::vector<isa::Port>& ports,
                                               const std::vector<Tensor>& outputs);

/// Expected values of one output.
struct Expected {
  size_t output = 0;  ///< Its index.
  Tensor values;
};
/// Reads expected values and matches them with the outputs. Errors: expected.name, expected.shape, expected.type,
/// file.*, npy.*
Result<std::vector<Expected>> read_expected(const std::vector<NamedFile>& files, const std::vector<isa::Port>& ports,
                                            int64_t largest_bytes);

/// How far an output is from what was expected.
struct Comparison {
  std::string name;
  double error = 0;  ///< max |got - want| / max |want|; infinite where NaN or infinities are at other places, or
                     ///< where data made another number of them.
  double tolerance = 0;
  bool ok = false;
};
/// `tolerance` absent: default_tolerance of the run's precision; integers and booleans must be equal.
Comparison compare(const std::string& name, const Tensor& got, const Tensor& want, std::optional<double> tolerance,
                   DType precision);
/// 1e-3 for f32 and f64, 5e-3 for f16, 2e-2 for bf16, 1e-1 for 8-bit types.
double default_tolerance(DType precision);

}  // namespace hadal::runtime

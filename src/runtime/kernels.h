// Kernels of the caller's, which compute nodes of a model.
#pragma once

#include <string>
#include <vector>

#include "compile/plan.h"
#include "onnx/import.h"
#include "runtime/load.h"

namespace hadal::runtime {

/// Asks the caller for the kernels of nodes while a model is imported, and keeps their tile programs for the compiler.
class Kernels {
 public:
  explicit Kernels(const KernelSource& source);
  Kernels(const Kernels&) = delete;
  Kernels& operator=(const Kernels&) = delete;

  /// What the importer asks. Errors: kernel.answer, where the caller's answer is not as include/hadal.h has it; the
  /// caller's own.
  [[nodiscard]] onnx::KernelTable table();
  /// What the compiler asks. Errors: those of tile programs.
  [[nodiscard]] const compile::KernelPrograms* programs() const { return texts_.empty() ? nullptr : &programs_; }

 private:
  Result<std::optional<onnx::Kernel>> kernel_of(const onnx::KernelNode& node);

  const KernelSource& source_;
  std::vector<std::string> texts_;  ///< Tile programs as JSON.
  compile::KernelPrograms programs_;
};

}  // namespace hadal::runtime

// Checkpoints: the state of a run after a step, so that it goes on as if it had never stopped.
//
// A checkpoint is two files in a folder: step-N.safetensors (github.com/huggingface/safetensors), and behind it, once
// that is on the disk, step-N.json: the manifest, which says what run it is of and holds check sums of both.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/tensor.h"

namespace hadal::train {

/// What makes a run the same run: names as of the command's flags, and their values.
using Identity = std::map<std::string, std::string>;

struct Checkpoint {
  int64_t step = 0;  ///< The last that was done.
  std::map<std::string, Tensor> tensors;
};

/// Whether a folder has any checkpoint.
bool has_checkpoints(const std::filesystem::path& folder);

/// Writes a checkpoint, then removes all but the last `keep`. The folder is made. Errors: file.write.
Status save_checkpoint(const std::filesystem::path& folder, const Identity& identity, const Checkpoint& checkpoint,
                       size_t keep);

/// The last good checkpoint; none where the folder has none. What is torn or altered is skipped and told in `skipped`.
/// Errors: checkpoint.run (it is of another model, or of a run with other flags).
Result<std::optional<Checkpoint>> load_checkpoint(const std::filesystem::path& folder, const Identity& identity,
                                                  int64_t largest_bytes, std::vector<std::string>& skipped);

}  // namespace hadal::train

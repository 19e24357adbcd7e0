// Host memory of a program: its regions, and each core's scratchpad and accumulators.
#pragma once

#include <memory>
#include <vector>

#include "base/result.h"
#include "base/tensor.h"
#include "isa/program.h"
#include "isa/sequencer.h"

namespace hadal::machine {

struct Unmap {
  size_t bytes = 0;
  void operator()(std::byte* p) const;
};

/// Zero bytes from the system, page by page as they are touched.
class Mapping {
 public:
  Mapping() = default;
  static Result<Mapping> of(uint64_t bytes);
  [[nodiscard]] std::byte* data() const { return data_.get(); }

 private:
  std::unique_ptr<std::byte, Unmap> data_;
};

class Memory {
 public:
  /// Errors: region.C1 where a tensor descriptor passes its region, weight or scratchpad, or a weight's bytes are
  /// absent; machine.memory where the host has none.
  static Result<Memory> of(const isa::Program& program, int64_t cores);

  /// Points the input regions at the tensors' bytes and the output regions at new ones; an output that shares a region
  /// with an input has the input's bytes. Errors: run.input.
  Status bind(const std::vector<Tensor>& inputs);
  /// The outputs of the run, as bound; of those that are counted, what counts.
  [[nodiscard]] std::vector<Tensor> outputs() const;
  /// Lets go of what `bind` has bound.
  void release();

  /// Where the first element of a box outside the scratchpad lies.
  [[nodiscard]] std::byte* at(const isa::Box& box) const {
    const Place& place = places_[box.tensor];
    return *place.base + (place.shift + box.offset);
  }
  [[nodiscard]] bool is_weight(const isa::Box& box) const { return places_[box.tensor].weight; }
  /// Where a region begins; that of inputs and outputs differs from run to run.
  [[nodiscard]] std::byte* base(uint16_t region) const { return bases_[region]; }
  [[nodiscard]] std::byte* scratchpad(size_t core) const { return scratchpads_[core].data(); }
  [[nodiscard]] std::byte* accumulators(size_t core) const { return accumulators_[core].data(); }

 private:
  /// Byte b of the tensor's region is at *base + shift + b.
  struct Place {
    std::byte* const* base = nullptr;
    int64_t shift = 0;
    bool weight = false;
  };
  Status place_tensor(size_t tensor);
  Status place_in_weights(const isa::TensorDescriptor& tensor, Place& place, int64_t low, int64_t high) const;
  [[nodiscard]] uint64_t room(uint16_t region) const;
  [[nodiscard]] const Tensor& input_in(uint16_t region) const;

  const isa::Program* program_ = nullptr;
  std::vector<Mapping> scratchpads_, accumulators_, regions_;
  std::vector<std::byte*> bases_;  ///< Of each region, then of each weight.
  std::vector<Place> places_;      ///< Of each tensor descriptor.
  std::vector<Tensor> inputs_, outputs_;
  std::vector<Tensor> kept_;  ///< Outputs of the last run.
};

}  // namespace hadal::machine

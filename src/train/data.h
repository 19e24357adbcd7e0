// What a model is trained on: arrays whose first axis counts samples.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/tensor.h"
#include "graph/graph.h"

namespace hadal::train {

struct Dataset {
  std::string place;  ///< The file, for errors.
  std::map<std::string, Tensor> arrays;
  int64_t samples = 0;
};

/// Errors: those of the archive; data.samples (none, or not as many in each array).
Result<Dataset> read_dataset(const std::filesystem::path& path, int64_t largest_bytes);

/// Error: data.missing, with the names that there are.
Result<Tensor> array_named(const Dataset& data, const std::string& name);

/// The array of that name, for an input of this type in each batch: [samples, rest...] for [batch, rest...]. Numbers
/// become the input's floats, and integers its integers. Errors: data.missing, data.type, data.shape.
Result<Tensor> column(const Dataset& data, const std::string& name, const graph::Type& batch);

/// Every class lies in [0, classes), or is `ignored`. Error: data.label, with the first sample that does not.
Status check_classes(const Dataset& data, const Tensor& labels, int64_t classes, const std::optional<int64_t>& ignored);

/// Which samples a step takes: one epoch behind the other, each in an order of its own (or as they stand), a step going
/// on where the last one stopped. It depends on nothing but these numbers.
class Order {
 public:
  Order(int64_t samples, int64_t batch, bool shuffle, uint64_t seed)
      : samples_(samples), batch_(batch), shuffle_(shuffle), seed_(seed) {}
  /// Samples of a step, counted from 1.
  std::vector<int64_t> of_step(int64_t step);

 private:
  const std::vector<int64_t>& order_of(int64_t epoch);

  int64_t samples_, batch_;
  bool shuffle_;
  uint64_t seed_;
  int64_t epoch_ = -1;  ///< The one that `order_` is of.
  std::vector<int64_t> order_;
};

/// The samples of a column, in this order.
Tensor rows_of(const Tensor& column, const std::vector<int64_t>& samples);

}  // namespace hadal::train

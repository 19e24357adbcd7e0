#include "train/data.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "base/npz.h"
#include "base/split_mix.h"
#include "base/suggest.h"

namespace hadal::train {

namespace {

std::string place_of(const Dataset& data, const std::string& name) {
  return fmt::format("{}: array \"{}\"", data.place, printable(name));
}

}  // namespace

Result<Dataset> read_dataset(const std::filesystem::path& path, int64_t largest_bytes) {
  Dataset out{printable(path.string()), {}, 0};
  HADAL_TRY(out.arrays, read_npz(path, largest_bytes));
  const std::string* first = nullptr;
  for (const auto& [name, array] : out.arrays) {
    if (array.shape.empty() || array.shape[0] == 0)
      return Error{"data.samples", "expected samples along the first axis, found none", place_of(out, name)};
    if (first && array.shape[0] != out.samples)
      return Error{"data.samples",
                   fmt::format("it holds {} samples, array \"{}\" {}", array.shape[0], printable(*first), out.samples),
                   place_of(out, name)};
    out.samples = array.shape[0];
    first = &name;
  }
  if (!first) return Error{"data.samples", "the archive holds no array", out.place};
  return out;
}

Result<Tensor> array_named(const Dataset& data, const std::string& name) {
  if (const auto found = data.arrays.find(name); found != data.arrays.end()) return found->second;
  std::vector<std::string_view> names;
  for (const auto& [given, array] : data.arrays) names.push_back(given);
  return Error{"data.missing",
               fmt::format("no array is named \"{}\"; there are {}", printable(name), fmt::join(names, ", ")),
               data.place, did_you_mean(name, names)};
}

Result<Tensor> column(const Dataset& data, const std::string& name, const graph::Type& batch) {
  HADAL_TRY(const Tensor array, array_named(data, name));
  Shape expected = batch.shape;
  if (expected.empty())
    return Error{"data.shape", "the model's input is a scalar: it has no axis of samples", place_of(data, name)};
  expected[0] = data.samples;
  if (array.shape != expected)
    return Error{"data.shape", fmt::format("expected {}, found {}", text_of(expected), text_of(array.shape)),
                 place_of(data, name)};
  if (is_float(array.dtype) && !is_float(batch.dtype))
    return Error{"data.type", fmt::format("expected {}, found {}", name_of(batch.dtype), name_of(array.dtype)),
                 place_of(data, name)};
  return cast(array, batch.dtype);
}

Status check_classes(const Dataset& data, const Tensor& labels, int64_t classes,
                     const std::optional<int64_t>& ignored) {
  const int64_t each = labels.size() / labels.shape[0];
  for (int64_t i = 0; i < labels.size(); ++i) {
    const int64_t label = integer_at(labels, i);
    if ((label >= 0 && label < classes) || label == ignored) continue;
    return Error{
        "data.label",
        fmt::format("the label of sample {} is {}, the model knows classes 0 to {}", i / each, label, classes - 1),
        place_of(data, "label"), ignored ? "" : "--ignore-index CLASS leaves one out"};
  }
  return {};
}

const std::vector<int64_t>& Order::order_of(int64_t epoch) {
  if (epoch == epoch_) return order_;
  order_.resize(static_cast<size_t>(samples_));
  std::iota(order_.begin(), order_.end(), 0);
  epoch_ = epoch;
  if (!shuffle_) return order_;
  SplitMix random(SplitMix(seed_).next() + static_cast<uint64_t>(epoch));
  for (size_t i = order_.size(); i > 1; --i) std::swap(order_[i - 1], order_[random.next() % i]);
  return order_;
}

std::vector<int64_t> Order::of_step(int64_t step) {
  std::vector<int64_t> out;
  for (int64_t i = 0; i < batch_; ++i) {
    const int64_t position = (step - 1) * batch_ + i;
    out.push_back(order_of(position / samples_)[static_cast<size_t>(position % samples_)]);
  }
  return out;
}

Tensor rows_of(const Tensor& column, const std::vector<int64_t>& samples) {
  Shape shape = column.shape;
  shape[0] = std::ssize(samples);
  std::byte* data = nullptr;
  Tensor out = Tensor::zeros(column.dtype, shape, data);
  const size_t row = column.bytes.view.size() / static_cast<size_t>(column.shape[0]);
  for (size_t i = 0; row > 0 && i < samples.size(); ++i)
    std::memcpy(data + i * row, column.bytes.view.data() + static_cast<size_t>(samples[i]) * row, row);
  return out;
}

}  // namespace hadal::train

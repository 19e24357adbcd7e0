#include "runtime/outputs.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "base/npy.h"
#include "base/suggest.h"

namespace hadal::runtime {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

std::string in_quotes(std::string_view text) { return fmt::format("\"{}\"", printable(text)); }

Result<size_t> index_of(const std::string& name, const std::vector<isa::Port>& ports) {
  std::vector<std::string_view> names;
  std::string list;
  for (size_t i = 0; i < ports.size(); ++i) {
    if (ports[i].name == name) return i;
    names.push_back(ports[i].name);
    list += (list.empty() ? "" : ", ") + in_quotes(ports[i].name);
  }
  const std::string_view near = closest(name, names);
  const std::string hint = near.empty() ? "" : fmt::format("did you mean {}? ", in_quotes(near));
  return Error{"expected.name",
               fmt::format("the model has no output {}", in_quotes(name)),
               {},
               hint + "its outputs are " + list};
}

/// Of a counted output, less than the most may be expected.
bool may_be_of(const isa::Port& port, Shape shape) {
  if (port.count && shape.size() == port.shape.size() && shape[port.count->axis] < port.shape[port.count->axis])
    shape[port.count->axis] = port.shape[port.count->axis];
  return shape == port.shape;
}

}  // namespace

std::string output_file_name(size_t index, const std::string& name) {
  std::string safe = name.substr(0, 200);
  for (char& c : safe) {
    const bool plain =
        (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
    if (!plain) c = '_';
  }
  return fmt::format("{}_{}.npy", index, safe);
}

Result<std::vector<std::string>> write_outputs(const std::filesystem::path& folder, const std::vector<isa::Port>& ports,
                                               const std::vector<Tensor>& outputs) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (!std::filesystem::is_directory(folder))
    return Error{"output.folder",
                 fmt::format("cannot make the folder: {}", error ? error.message() : "a file has its name"),
                 printable(folder.string())};
  std::vector<std::string> files;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const std::filesystem::path file = folder / output_file_name(i, ports[i].name);
    HADAL_CHECK(write_npy(file, outputs[i]));
    files.push_back(file.string());
  }
  return files;
}

Result<std::vector<Expected>> read_expected(const std::vector<NamedFile>& files, const std::vector<isa::Port>& ports,
                                            int64_t largest_bytes) {
  std::vector<Expected> out;
  std::set<size_t> seen;
  for (const NamedFile& file : files) {
    HADAL_TRY(const size_t index, index_of(file.name, ports));
    const isa::Port& port = ports[index];
    const std::string place = fmt::format("expected {}: {}", in_quotes(file.name), printable(file.file));
    if (!seen.insert(index).second)
      return Error{"usage.duplicate", fmt::format("output {} is expected twice", in_quotes(file.name))};
    HADAL_TRY(Tensor values, read_npy(file.file, largest_bytes));
    if (!may_be_of(port, values.shape))
      return Error{"expected.shape",
                   fmt::format("the output has shape {}, the file {}", text_of(port.shape), text_of(values.shape)),
                   place};
    if (is_float(values.dtype) != is_float(port.dtype))
      return Error{"expected.type",
                   fmt::format("the output has type {}, the file {}", name_of(port.dtype), name_of(values.dtype)),
                   place};
    out.push_back({index, std::move(values)});
  }
  return out;
}

double default_tolerance(DType precision) {
  switch (precision) {
    case DType::f16:
      return 5e-3;
    case DType::bf16:
      return 2e-2;
    case DType::f8e4m3:
    case DType::f8e5m2:
    case DType::f8e4m3fnuz:
    case DType::f8e5m2fnuz:
    case DType::i8:
    case DType::u8:
      return 1e-1;
    default:
      return 1e-3;
  }
}

Comparison compare(const std::string& name, const Tensor& got, const Tensor& want, std::optional<double> tolerance,
                   DType precision) {
  double difference = got.shape == want.shape ? 0 : infinity, largest = 0;
  const int64_t n = got.shape == want.shape ? want.size() : 0;
  for (int64_t i = 0; i < n; ++i) {
    const double g = number_at(got, i), w = number_at(want, i);
    if (std::isfinite(g) && std::isfinite(w)) {
      difference = std::max(difference, std::fabs(g - w));
      largest = std::max(largest, std::fabs(w));
    } else if (!(g == w || (std::isnan(g) && std::isnan(w)))) {
      difference = infinity;
    }
  }
  Comparison out{name, difference == 0 ? 0 : difference / largest, 0, false};  // x / 0 is infinite.
  out.tolerance = tolerance.value_or(is_float(want.dtype) ? default_tolerance(precision) : 0);
  out.ok = out.error <= out.tolerance;
  return out;
}

}  // namespace hadal::runtime

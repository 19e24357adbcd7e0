#include <algorithm>

#include "onnx/importer.h"

namespace hadal::onnx {

const ModelAttribute& Site::attribute(const std::string& name) const {
  const auto found = node.attributes.find(name);
  if (found == node.attributes.end()) fail("onnx.attribute", "attribute '{}' is missing", name);
  return found->second;
}

int64_t Site::integer(const std::string& name, int64_t otherwise) const {
  return has(name) ? attribute(name).integer : otherwise;
}
double Site::number(const std::string& name, double otherwise) const {
  return has(name) ? attribute(name).number : otherwise;
}
std::string Site::text(const std::string& name, const std::string& otherwise) const {
  return has(name) ? attribute(name).text : otherwise;
}
Integers Site::integers(const std::string& name) const { return has(name) ? attribute(name).integers : Integers{}; }

const Tensor& Site::tensor(size_t i, std::string_view what) const {
  if (!has(i)) fail("onnx.inputs", "input {} ({}) is missing", i, what);
  return b.decisive(inputs[i], fmt::format("input {} ({})", i, what));
}

Integers Site::integers(size_t i, std::string_view what) const {
  const Tensor& from = tensor(i, what);
  if (is_float(from.dtype)) fail("onnx.type", "input {} ({}) is {}, expected integers", i, what, name_of(from.dtype));
  Integers out;
  for (int64_t k = 0; k < from.size(); ++k) out.push_back(integer_at(from, k));
  return out;
}

int64_t Site::integer(size_t i, std::string_view what) const {
  const Integers all = integers(i, what);
  if (all.size() != 1) fail("onnx.shape", "input {} ({}) has {} elements, expected one", i, what, all.size());
  return all[0];
}

std::vector<double> Site::numbers(size_t i, std::string_view what) const {
  const Tensor& from = tensor(i, what);
  std::vector<double> out;
  for (int64_t k = 0; k < from.size(); ++k) out.push_back(number_at(from, k));
  return out;
}

double Site::number(size_t i, std::string_view what) const {
  const std::vector<double> all = numbers(i, what);
  if (all.size() != 1) fail("onnx.shape", "input {} ({}) has {} elements, expected one", i, what, all.size());
  return all[0];
}

std::optional<Integers> Site::list(const std::string& name, size_t i) const {
  if (has(name)) return integers(name);
  if (has(i)) return integers(i, name);
  return std::nullopt;
}

int64_t Site::axis(int64_t axis, int64_t rank) {
  if (axis < -rank || axis >= rank) fail("onnx.attribute", "axis {} is outside rank {}", axis, rank);
  return axis < 0 ? axis + rank : axis;
}

Integers Site::axes(Integers axes, int64_t rank) {
  for (int64_t& entry : axes) entry = axis(entry, rank);
  return axes;
}

}  // namespace hadal::onnx

#include "onnx/windows.h"

namespace hadal::onnx {

void check_entries(std::string_view name, const Integers& list, size_t count, int64_t least) {
  if (list.size() != count) fail("onnx.attribute", "{} has {} entries for {} spatial axes", name, list.size(), count);
  for (const int64_t entry : list)
    if (entry < least || entry >= int64_t{1} << 31) fail("onnx.attribute", "{} has an entry {}", name, entry);
}

Window window_of(const Site& n, Integers kernel, const Shape& spatial) {
  const size_t count = kernel.size();
  const auto list = [&](const char* name, int64_t otherwise) {
    return n.has(name) ? n.integers(name) : Integers(count, otherwise);
  };
  Window w{std::move(kernel), list("strides", 1), list("dilations", 1), {}, {}};
  check_entries("kernel_shape", w.kernel, count, 1);
  check_entries("strides", w.strides, count, 1);
  check_entries("dilations", w.dilations, count, 1);
  if (spatial.size() != count) fail("onnx.shape", "a kernel of {} axes over {} spatial axes", count, spatial.size());
  Integers pads = n.has("pads") ? n.integers("pads") : Integers(2 * count, 0);
  check_entries("pads", pads, 2 * count, 0);
  const std::string automatic = n.text("auto_pad", "NOTSET");
  for (size_t i = 0; i < count; ++i) {
    if (automatic == "SAME_UPPER" || automatic == "SAME_LOWER") {
      const int64_t out = (spatial[i] + w.strides[i] - 1) / w.strides[i];
      const int64_t total = std::max<int64_t>(0, (out - 1) * w.strides[i] + w.reach(i) - spatial[i]);
      pads[i] = automatic == "SAME_UPPER" ? total / 2 : total - total / 2;
      pads[count + i] = total - pads[i];
    } else if (automatic == "VALID") {
      pads[i] = pads[count + i] = 0;
    } else if (automatic != "NOTSET" && !automatic.empty()) {
      fail("onnx.attribute", "auto_pad: '{}' is not known", printable(automatic));
    }
  }
  w.begin.assign(pads.begin(), pads.begin() + static_cast<int64_t>(count));
  w.end.assign(pads.begin() + static_cast<int64_t>(count), pads.end());
  return w;
}

Shape spatial_of(const Site& n, ValueId v) {
  const Shape& x = n.b.shape(v);
  if (x.size() < 3 || x.size() > 5)
    fail("onnx.shape", "the operand is {}; 1 to 3 spatial axes are supported", text_of(x));
  return {x.begin() + 2, x.end()};
}

Integers filter_of(const Site& n, ValueId x, ValueId weights) {
  const Shape& w = n.b.shape(weights);
  if (w.size() != n.b.shape(x).size())
    fail("onnx.shape", "weights are {}, the operand {}", text_of(w), text_of(n.b.shape(x)));
  const Integers kernel(w.begin() + 2, w.end());
  if (n.has("kernel_shape") && n.integers("kernel_shape") != kernel)
    fail("onnx.attribute", "kernel_shape is {}, the weights are {}", text_of(n.integers("kernel_shape")), text_of(w));
  return kernel;
}

}  // namespace hadal::onnx

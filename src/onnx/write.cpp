#include "onnx/write.h"

#include <limits>

#include "base/files.h"
#include "onnx.pb.h"
#include "onnx/external.h"
#include "onnx/model.h"

namespace hadal::onnx {

namespace pb = ::onnx;

namespace {

/// Element type and shape stay; the values are these bytes.
void set_values(pb::TensorProto& to, const Tensor& tensor) {
  to.clear_float_data();
  to.clear_double_data();
  to.clear_int32_data();
  to.clear_int64_data();
  to.clear_uint64_data();
  to.clear_external_data();
  to.clear_data_location();
  to.set_raw_data(tensor.bytes.view.data(), tensor.bytes.view.size());
}

}  // namespace

Status write_model(const std::filesystem::path& model, const std::map<std::string, Tensor>& values,
                   const std::filesystem::path& output) {
  HADAL_TRY(const Model read, read_model(model, false));
  HADAL_TRY(const Bytes file, map_file(model));
  pb::ModelProto message;
  if (!message.ParseFromArray(file.view.data(), static_cast<int>(file.view.size())))
    return Error{"onnx.parse", "the file is not an ONNX model", read.file};
  std::map<std::string, const Tensor*> held;
  for (const auto& [name, tensor] : read.graph.constants) held[name] = &tensor;
  for (pb::TensorProto& to : *message.mutable_graph()->mutable_initializer()) {
    const auto value = values.find(to.name());
    const bool outside = to.data_location() == pb::TensorProto::EXTERNAL;
    if (value != values.end())
      set_values(to, value->second);
    else if (outside && info(held.at(to.name())->dtype).bits < 8)
      return Error{"onnx.external", "external data of less than 8 bits an element cannot be moved into the file",
                   fmt::format("{}: initializer '{}'", read.file, printable(to.name()))};
    else if (outside)
      set_values(to, *held.at(to.name()));
  }
  if (message.ByteSizeLong() > static_cast<size_t>(std::numeric_limits<int>::max()))
    return Error{"onnx.size",
                 fmt::format("the model has {} bytes, more than one ONNX file can", message.ByteSizeLong()),
                 printable(output.string())};
  std::string bytes;
  if (!message.SerializeToString(&bytes)) return Error{"onnx.size", "the model cannot be written", read.file};
  return write_file(output, bytes);
}

}  // namespace hadal::onnx

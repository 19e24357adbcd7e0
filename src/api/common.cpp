// Versions, errors, strings, arrays.
#include <cstdlib>
#include <cstring>

#include "api/handles.h"
#include "base/dtype.h"

namespace hadal::api {

char* copied(const std::string& text) {
  auto* out = static_cast<char*>(std::malloc(text.size() + 1));
  if (out == nullptr) throw std::bad_alloc();
  std::memcpy(out, text.c_str(), text.size() + 1);
  return out;
}

Result<Tensor> tensor_of(const hadal_array& array) {
  const std::string place = fmt::format("input \"{}\"", printable(array.name));
  const auto dtype = dtype_named(array.dtype);
  if (!dtype) return Error{"input.type", fmt::format("there is no type \"{}\"", printable(array.dtype)), place};
  Tensor tensor{*dtype, Shape(array.shape, array.shape + array.rank), {}};
  const int64_t bytes = checked_bytes(tensor.shape, bytes_of(*dtype));
  if (bytes < 0 || (array.data != nullptr && static_cast<uint64_t>(bytes) != array.bytes))
    return Error{"input.shape", fmt::format("shape {} has other than {} bytes", text_of(tensor.shape), array.bytes),
                 place};
  tensor.bytes.view = {static_cast<const std::byte*>(array.data), array.data != nullptr ? array.bytes : 0};
  return tensor;
}

Result<std::vector<runtime::GivenInput>> inputs_of(const hadal_array* arrays, size_t count) {
  std::vector<runtime::GivenInput> given;
  for (size_t i = 0; i < count; ++i) {
    HADAL_TRY(Tensor tensor, tensor_of(arrays[i]));
    given.push_back({{arrays[i].name, {}, {}, false}, std::move(tensor), {}});
  }
  return given;
}

void show(const std::string& name, DType dtype, const Shape& shape, hadal_array& array) {
  array = {name.c_str(), name_of(dtype).data(), shape.data(), shape.size(), nullptr, 0};
}

}  // namespace hadal::api

uint32_t hadal_abi_version(void) { return HADAL_ABI_VERSION; }
const char* hadal_version(void) { return HADAL_VERSION; }

const char* hadal_status_code(const hadal_status* status) { return status->error.code.c_str(); }
const char* hadal_status_message(const hadal_status* status) { return status->error.message.c_str(); }
const char* hadal_status_place(const hadal_status* status) { return status->error.place.c_str(); }
const char* hadal_status_remedy(const hadal_status* status) { return status->error.remedy.c_str(); }
const char* hadal_status_text(const hadal_status* status) { return status->text.c_str(); }
void hadal_status_free(hadal_status* status) { delete status; }

void hadal_string_free(char* text) { std::free(text); }

// Numbers and letters that ONNX gives to types.
#include <array>

#include "onnx/model.h"

namespace hadal::onnx {

std::string_view name_of(ModelAttribute::Kind kind) {
  constexpr std::string_view names[] = {"an integer", "a float", "a string", "a tensor",    "a graph",
                                        "integers",   "floats",  "strings",  "a reference", "of another type"};
  return names[static_cast<size_t>(kind)];
}

std::string_view letters_of(ModelAttribute::Kind kind) {
  constexpr std::string_view letters[] = {"i", "f", "s", "t", "g", "is", "fs", "ss", "?", "?"};
  return letters[static_cast<size_t>(kind)];
}

namespace {

struct ElementType {
  std::string_view name;
  std::optional<DType> dtype;
};
/// By the number of TensorProto.DataType.
constexpr std::array<ElementType, 27> element_types{{{"UNDEFINED", {}},
                                                     {"FLOAT", DType::f32},
                                                     {"UINT8", DType::u8},
                                                     {"INT8", DType::i8},
                                                     {"UINT16", DType::u16},
                                                     {"INT16", DType::i16},
                                                     {"INT32", DType::i32},
                                                     {"INT64", DType::i64},
                                                     {"STRING", {}},
                                                     {"BOOL", DType::boolean},
                                                     {"FLOAT16", DType::f16},
                                                     {"DOUBLE", DType::f64},
                                                     {"UINT32", DType::u32},
                                                     {"UINT64", DType::u64},
                                                     {"COMPLEX64", {}},
                                                     {"COMPLEX128", {}},
                                                     {"BFLOAT16", DType::bf16},
                                                     {"FLOAT8E4M3FN", DType::f8e4m3},
                                                     {"FLOAT8E4M3FNUZ", DType::f8e4m3fnuz},
                                                     {"FLOAT8E5M2", DType::f8e5m2},
                                                     {"FLOAT8E5M2FNUZ", DType::f8e5m2fnuz},
                                                     {"UINT4", DType::u4},
                                                     {"INT4", DType::i4},
                                                     {"FLOAT4E2M1", DType::f4e2m1},
                                                     {"FLOAT8E8M0", DType::f8e8m0},
                                                     {"UINT2", DType::u2},
                                                     {"INT2", DType::i2}}};

bool is_known(int type) { return type >= 0 && static_cast<size_t>(type) < element_types.size(); }

}  // namespace

std::optional<DType> dtype_of(int onnx_type) {
  return is_known(onnx_type) ? element_types[static_cast<size_t>(onnx_type)].dtype : std::nullopt;
}

std::string_view onnx_type_name(int onnx_type) {
  return is_known(onnx_type) ? element_types[static_cast<size_t>(onnx_type)].name : "an unknown type";
}

}  // namespace hadal::onnx

// NumPy's array files (.npy), versions 1 to 3.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"
#include "base/tensor.h"

namespace hadal {

/// Reads an array of plain little-endian numbers in C order. Errors: file.*, npy.header (no .npy, or a broken one),
/// npy.type (pickled objects, text, structures, complex numbers), npy.order (Fortran), npy.endian, npy.size (the
/// shape does not match the file's length).
Result<Tensor> read_npy(const std::filesystem::path& path, int64_t largest_bytes);
/// The same from a file's bytes; `place` is named in errors.
Result<Tensor> parse_npy(std::span<const std::byte> file, const std::string& place);
/// True where the bytes begin like an .npy file.
bool is_npy(std::span<const std::byte> file);

/// An array as a tensor of a type. NumPy lacks some: f32 (or i8) stands for their values, and an unsigned integer of
/// their width, which plain bytes are read as, for their bits. None where the array is of another type.
std::optional<Tensor> array_as(const Tensor& array, DType wanted);

/// The bytes of an .npy file. Types that NumPy lacks are written as f32, i8 or u8.
std::string npy_of(const Tensor& tensor);
/// Writes npy_of whole or not at all. Errors: file.write.
Status write_npy(const std::filesystem::path& path, const Tensor& tensor);

}  // namespace hadal

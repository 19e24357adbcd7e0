// A model's inputs: files named on the command line, or values made up from a seed.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/tensor.h"
#include "isa/program.h"
#include "runtime/picture.h"

namespace hadal::runtime {

/// A tensor's name and a file.
struct NamedFile {
  std::string name, file;
  PictureOptions options;
  bool has_options = false;
};

/// Reads "NAME=FILE.npy" or "NAME=FILE.png,order=bgr,mean=0.5,scale=2" (three numbers are separated by ':'). Errors:
/// usage.*
Result<NamedFile> parse_input(std::string_view text);
/// Reads "NAME=FILE". Errors: usage.*
Result<NamedFile> parse_named_file(std::string_view text, std::string_view flag);
/// Reads "NAME=1,3,224,224". Errors: usage.*
Result<std::pair<std::string, Shape>> parse_shape(std::string_view text);

/// An input as it was given: an array, or a picture's bytes, which become one once the input's size is known.
struct GivenInput {
  NamedFile source;
  std::optional<Tensor> tensor;
  std::vector<std::byte> picture;
};
/// Reads all files. Errors: input.format (no .npy, PNG or JPEG), file.*, npy.*, usage.options.
Result<std::vector<GivenInput>> read_inputs(const std::vector<NamedFile>& sources, int64_t largest_bytes);

/// input.name: lists the inputs, and the nearest name.
Error unknown_input(const std::string& name, const std::vector<isa::Port>& ports);
/// Whether every given input is one of the program's. Errors: input.name.
Status check_names(const std::vector<GivenInput>& given, const std::vector<isa::Port>& ports);

/// Values of every input of a program in its order, of the ports' own types: given ones, checked, else made-up ones.
/// Errors: input.name (the inputs' names are listed), input.type, input.shape, picture.*
Result<std::vector<Tensor>> bind_inputs(const std::vector<isa::Port>& ports, const std::vector<GivenInput>& given,
                                        uint64_t seed);

/// Made-up values: floats uniform in [0,1), integers 0 or 1. Element i is a function of (name, seed, i) alone:
/// docs/report.md states it.
Tensor made_up_input(const std::string& name, DType dtype, const Shape& shape, uint64_t seed);

}  // namespace hadal::runtime

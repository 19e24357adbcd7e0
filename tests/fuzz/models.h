// Models made here, in ONNX's own messages.
#pragma once

#include <onnx.pb.h>

#include <string>

#include "fuzz/random.h"

namespace hadal::fuzz {

/// A convolution with a relu, a pool and a product: a few thousand multiply-accumulates.
::onnx::ModelProto small_model();

/// A chain of up to four nodes of any operator that can be imported; shapes mostly fit, attributes are of the right
/// kinds and of likely values, seldom of unlikely ones.
::onnx::ModelProto random_model(Random& random);

/// Changes fields: dimensions, types, names, attributes, whole nodes and tensors.
void edit_fields(::onnx::ModelProto& model, Random& random);

}  // namespace hadal::fuzz

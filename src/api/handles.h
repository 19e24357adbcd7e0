// What the handles of include/hadal.h are.
#pragma once

#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "debug/session.h"
#include "hadal.h"
#include "runtime/load.h"
#include "runtime/values.h"

struct hadal_status {
  hadal::Error error;
  std::string text;
};

namespace hadal::api {

/// A program with what was asked for; sessions keep it.
struct Compiled {
  runtime::Source source;
  runtime::Loaded loaded;
  bool values = true, exact = false, exact_memory = false;
};

inline hadal_status* status_of(Error error) {
  std::string text = error.text();
  return new hadal_status{std::move(error), std::move(text)};
}

/// Runs f, whose Status or exception becomes the status.
template <class F>
hadal_status* guarded(const F& f) {
  try {
    if (Status status = f(); !status) return status_of(std::move(status).error());
    return nullptr;
  } catch (const std::bad_alloc&) {
    return status_of({"memory.limit", "memory did not suffice"});
  } catch (const std::exception& unexpected) {
    return status_of({"internal", "an unexpected error: " + printable(unexpected.what())});
  }
}

/// A copy that hadal_string_free frees.
char* copied(const std::string& text);

/// What options ask for; `values` and `given` keep the caller's bytes. Errors: usage.value, those of tensor_of.
Result<runtime::Source> source_of(const char* file, const hadal_options& options);
/// Inputs by name. Errors: those of tensor_of.
Result<std::vector<runtime::GivenInput>> inputs_of(const hadal_array* arrays, size_t count);

/// An array's bytes as a tensor that does not own them. Errors: input.type, input.shape.
Result<Tensor> tensor_of(const hadal_array& array);
/// The other way; `array` lives no longer than name, shape and tensor.
void show(const std::string& name, DType dtype, const Shape& shape, hadal_array& array);

}  // namespace hadal::api

struct hadal_answer {
  std::optional<std::string> json;
};

struct hadal_program {
  std::shared_ptr<const hadal::api::Compiled> compiled;
};

struct hadal_session {
  std::shared_ptr<const hadal::api::Compiled> compiled;
  hadal::runtime::Values values;
  std::mutex mutex;  ///< Over `values`: one run at a time.
};

struct hadal_debugger {
  std::shared_ptr<const hadal::api::Compiled> compiled;
  hadal::debug::Session session;
};

struct hadal_outputs {
  std::shared_ptr<const hadal::api::Compiled> compiled;
  std::vector<hadal::Tensor> tensors;
};

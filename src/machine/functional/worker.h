// What one host thread keeps between instructions: buffers, and its handles of the matrix primitives.
#pragma once

#include <array>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

#include "machine/functional/chain.h"
#include "machine/functional/dnn.h"

namespace hadal::machine {

/// Bytes that grow when asked for more; their contents do not outlive the next request.
class Buffer {
 public:
  template <class T>
  T* of(int64_t elements) {
    const auto bytes = static_cast<size_t>(elements) * sizeof(T);
    if (bytes > size_) {
      const size_t rounded = (bytes + 4095) / 4096 * 4096;
      data_.reset();
      data_.reset(static_cast<std::byte*>(std::aligned_alloc(4096, rounded)));
      if (!data_) throw std::bad_alloc();
      size_ = rounded;
    }
    return reinterpret_cast<T*>(data_.get());
  }

 private:
  struct Free {
    void operator()(std::byte* p) const { std::free(p); }
  };
  std::unique_ptr<std::byte, Free> data_;
  size_t size_ = 0;
};

class Worker {
 public:
  Worker(const std::vector<ChainPlan>& plans, SharedPrimitives& primitives) : chains(plans), dnn(primitives) {}

  const std::vector<ChainPlan>& chains;  ///< Of the program, by number.
  std::array<Buffer, 4> buffers;         ///< For kernels: operands in other types, tables.
  Buffer chain_buffer;                   ///< For the chain interpreter.
  std::vector<const float*> taps;        ///< For windows.
  DnnEngine dnn;
};

}  // namespace hadal::machine

#include "machine/functional/dnn.h"

#include <omp.h>

#include <algorithm>
#include <array>
#include <cfenv>
#include <cstring>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "isa/fields.h"
#include "machine/functional/clock.h"
#include "machine/functional/convert.h"
#include "machine/functional/dnn_primitive.h"
#include "machine/functional/dnn_shifted.h"
#include "machine/functional/matrix.h"
#include "machine/functional/worker.h"

namespace hadal::machine {

namespace {

using dnnl::memory;
using isa::Opcode;

struct Packed {
  memory weights;
  std::vector<int32_t> column_sums;  ///< Where shifted: 128 times the sum of each output channel's weights.
};

class Primitives final : public SharedPrimitives {
 public:
  double take_seconds() override {
    const std::lock_guard lock(mutex_);
    return std::exchange(seconds_, 0);
  }

  std::shared_ptr<const Primitive> primitive(const MatrixKey& key, const MatrixCall& m, MatrixMode mode) {
    const std::lock_guard lock(mutex_);
    auto& entry = primitives_[key];
    if (!entry) {
      const double start = seconds_now();
      entry = std::make_shared<Primitive>(make_primitive(engine, m, mode));
      seconds_ += seconds_now() - start;
    }
    return entry;
  }

  /// The weights of a constant operand, packed once.
  template <class Pack>
  std::shared_ptr<const Packed> packed(const Primitive& primitive, const std::byte* source, const Pack& pack) {
    const std::lock_guard lock(mutex_);
    auto& list = packed_[source];
    for (const auto& entry : list)
      if (entry.plain == primitive.b_plain && entry.wanted == primitive.b && entry.shifted == primitive.shifted)
        return entry.packed;
    const double start = seconds_now();
    list.push_back({primitive.b_plain, primitive.b, primitive.shifted, std::make_shared<Packed>(pack())});
    seconds_ += seconds_now() - start;
    return list.back().packed;
  }

  dnnl::engine engine{dnnl::engine::kind::cpu, 0};

 private:
  struct Entry {
    memory::desc plain, wanted;
    bool shifted;
    std::shared_ptr<const Packed> packed;
  };

  std::mutex mutex_;
  std::unordered_map<MatrixKey, std::shared_ptr<const Primitive>, MatrixKeyHash> primitives_;
  std::unordered_map<const void*, std::vector<Entry>> packed_;
  double seconds_ = 0;
};

/// A primitive with this thread's handles of its arguments.
struct Plan {
  MatrixKey key;
  std::shared_ptr<const Primitive> primitive;
  memory a, b, out, bias, scratchpad;
  std::vector<memory> others;  ///< Of the epilogue's binary operations, in order.
  std::vector<dnnl_exec_arg_t> arguments;
  size_t b_argument = 0;
  std::unordered_map<const void*, std::shared_ptr<const Packed>> packed;
};

}  // namespace

class DnnEngine::Impl {
 public:
  explicit Impl(Primitives& shared) : shared_(shared), stream_(shared.engine) {}

  bool run(const MatrixCall& m, MatrixMode mode, std::byte* out);

 private:
  Plan& plan_of(const MatrixCall& m, MatrixMode mode);
  std::unique_ptr<Plan> make_plan(const MatrixKey& key, const MatrixCall& m, MatrixMode mode);
  std::byte* prepare_a(const MatrixCall& m, const Primitive& p);
  std::byte* prepare_b(const MatrixCall& m, const Primitive& p);
  Packed pack(const MatrixCall& m, const Primitive& p, memory into);
  const Packed& packed(const MatrixCall& m, Plan& plan);

  Primitives& shared_;
  dnnl::stream stream_;
  std::unordered_map<MatrixKey, std::unique_ptr<Plan>, MatrixKeyHash> plans_;
  Buffer a_buffer_, b_buffer_, packed_buffer_, scratchpad_, bias_buffer_;
  Packed transient_;
};

std::unique_ptr<Plan> DnnEngine::Impl::make_plan(const MatrixKey& key, const MatrixCall& m, MatrixMode mode) {
  auto plan = std::make_unique<Plan>();
  plan->key = key;
  plan->primitive = shared_.primitive(key, m, mode);
  const Primitive& p = *plan->primitive;
  if (!p.primitive) return plan;
  const auto argument = [&](int id, memory& at, const memory::desc& md) {
    at = memory(md, shared_.engine, nullptr);
    plan->arguments.push_back({id, at.get()});
  };
  argument(DNNL_ARG_SRC, plan->a, p.a);
  plan->b_argument = plan->arguments.size();
  argument(DNNL_ARG_WEIGHTS, plan->b, p.b);
  argument(DNNL_ARG_DST, plan->out, p.out);
  argument(DNNL_ARG_SCRATCHPAD, plan->scratchpad, p.scratchpad);
  if (p.bias_operand) argument(DNNL_ARG_BIAS, plan->bias, p.bias);
  plan->others.resize(p.binaries.size());
  for (size_t i = 0; i < plan->others.size(); ++i)
    argument(DNNL_ARG_ATTR_MULTIPLE_POST_OP(p.binaries[i].position) | DNNL_ARG_SRC_1, plan->others[i],
             p.binaries[i].desc);
  return plan;
}

Plan& DnnEngine::Impl::plan_of(const MatrixCall& m, MatrixMode mode) {
  void** found = m.call.found ? &m.call.found->plans[static_cast<size_t>(mode)] : nullptr;
  if (found && *found) return *static_cast<Plan*>(*found);
  const MatrixKey key = key_of(m, mode);
  auto& plan = plans_[key];
  if (!plan) plan = make_plan(key, m, mode);
  if (found) *found = plan.get();
  return *plan;
}

std::byte* DnnEngine::Impl::prepare_a(const MatrixCall& m, const Primitive& p) {
  if (p.shifted) return shifted_bytes(m, a_buffer_);
  if (!copies_a(m, p)) return m.a.data;
  const int64_t n = m.a.elements();
  auto* to = a_buffer_.of<std::byte>(n * 4);
  copy_box(m.a.rank(), m.a.extents(), {to, p.a_type, dense_strides(m.a.rank(), m.a.extents(), bytes_of(p.a_type))},
           {m.a.data, m.a.dtype(), m.a.box->strides});
  if (p.round) round_to_bf16(reinterpret_cast<float*>(to), reinterpret_cast<float*>(to), static_cast<size_t>(n));
  return to;
}

/// The weights in a type that oneDNN reads, still as the program lays them out.
std::byte* DnnEngine::Impl::prepare_b(const MatrixCall& m, const Primitive& p) {
  if (reads_weights(m, p) && (p.packs || m.b.dtype() == p.b_type)) return m.b.data;
  // The copy has the operand's strides, so that its description stays true; holes are not read.
  int64_t span = 1;
  Dims strides{};
  const memory::dims elements = element_strides(m.b);
  for (size_t i = 0; i < elements.size(); ++i) {
    strides[i] = elements[i] * bytes_of(p.b_type);
    span += (m.b.extent(i) - 1) * elements[i];
  }
  auto* to = b_buffer_.of<std::byte>(span * bytes_of(p.b_type));
  copy_box(m.b.rank(), m.b.extents(), {to, p.b_type, strides}, {m.b.data, m.b.dtype(), m.b.box->strides});
  if (p.round && p.b_type == DType::f32)
    round_to_bf16(reinterpret_cast<float*>(to), reinterpret_cast<float*>(to), static_cast<size_t>(span));
  return to;
}

Packed DnnEngine::Impl::pack(const MatrixCall& m, const Primitive& p, memory into) {
  Packed packed{std::move(into), {}};
  memory plain(p.b_plain, shared_.engine, prepare_b(m, p));
  if (p.b_dense) {
    memory dense(p.b_dense, shared_.engine);
    dnnl::reorder(plain, dense).execute(stream_, plain, dense);
    plain = std::move(dense);
  }
  dnnl::reorder(plain, packed.weights).execute(stream_, plain, packed.weights);
  stream_.wait();
  if (p.shifted) packed.column_sums = shifted_column_sums(m);
  return packed;
}

const Packed& DnnEngine::Impl::packed(const MatrixCall& m, Plan& plan) {
  const Primitive& p = *plan.primitive;
  if (!m.b.constant) {
    transient_ =
        pack(m, p, memory(p.b, shared_.engine, packed_buffer_.of<std::byte>(static_cast<int64_t>(p.b.get_size()))));
    return transient_;
  }
  if (m.call.found && m.call.found->packed) return *static_cast<const Packed*>(m.call.found->packed);
  auto& entry = plan.packed[m.b.data];
  if (!entry) entry = shared_.packed(p, m.b.data, [&] { return pack(m, p, memory(p.b, shared_.engine)); });
  if (m.call.found) m.call.found->packed = entry.get();
  return *entry;
}

bool DnnEngine::Impl::run(const MatrixCall& m, MatrixMode mode, std::byte* out) {
  Plan& plan = plan_of(m, mode);
  const Primitive& p = *plan.primitive;
  if (!p.primitive) return false;
  const Packed* packed_weights = nullptr;
  if (p.packs) {
    packed_weights = &packed(m, plan);
    plan.arguments[plan.b_argument].memory = packed_weights->weights.get();
  } else {
    plan.b.set_data_handle(prepare_b(m, p));
  }
  plan.a.set_data_handle(prepare_a(m, p));
  plan.out.set_data_handle(out);
  plan.scratchpad.set_data_handle(scratchpad_.of<std::byte>(static_cast<int64_t>(p.scratchpad.get_size())));
  if (p.bias_operand) {
    const Operand& e = m.epilogue(*p.bias_operand);
    std::byte* bias = e.data;
    if (e.dtype() != DType::f32) {
      bias = bias_buffer_.of<std::byte>(e.elements() * 4);
      convert_run(e.dtype(), e.data, DType::f32, bias, static_cast<size_t>(e.elements()));
    }
    plan.bias.set_data_handle(bias);
  }
  for (size_t i = 0; i < plan.others.size(); ++i)
    plan.others[i].set_data_handle(m.epilogue(p.binaries[i].operand).data);
  // x86's maximum, by which oneDNN makes its ReLU, clips and saturation, gives a bound for NaN, but says so.
  const bool watches = mode == MatrixMode::emit;
  if (watches) std::feclearexcept(FE_INVALID);
  dnnl::error::wrap_c_api(dnnl_primitive_execute(p.primitive.get(), stream_.get(),
                                                 static_cast<int>(plan.arguments.size()), plan.arguments.data()),
                          "could not execute a primitive");
  stream_.wait();
  if (watches && std::fetestexcept(FE_INVALID)) return false;
  if (p.shifted) unshift(m, packed_weights->column_sums, out);
  return true;
}

std::unique_ptr<SharedPrimitives> SharedPrimitives::make() { return std::make_unique<Primitives>(); }

DnnEngine::DnnEngine(SharedPrimitives& shared) : impl_(std::make_unique<Impl>(static_cast<Primitives&>(shared))) {}
DnnEngine::~DnnEngine() = default;

bool DnnEngine::emit(const MatrixCall& matrix) { return impl_->run(matrix, MatrixMode::emit, matrix.out.data); }

bool DnnEngine::sum(const MatrixCall& matrix, bool accumulate, std::byte* sums) {
  return impl_->run(matrix, accumulate ? MatrixMode::sum_add : MatrixMode::sum, sums);
}

SingleThreaded::SingleThreaded() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
SingleThreaded::~SingleThreaded() { omp_set_num_threads(before_); }

}  // namespace hadal::machine

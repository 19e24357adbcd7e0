#include "machine/functional/dnn.h"

#include <omp.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>
#include <optional>
#include <unordered_map>
#include <vector>

#include "isa/fields.h"
#include "machine/functional/clock.h"
#include "machine/functional/convert.h"
#include "machine/functional/dnn_epilogue.h"
#include "machine/functional/dnn_shapes.h"
#include "machine/functional/dnn_shifted.h"
#include "machine/functional/matrix.h"
#include "machine/functional/worker.h"

namespace hadal::machine {

namespace {

using dnnl::memory;
using Type = memory::data_type;
using isa::Opcode;

std::optional<Type> dnn_type(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return Type::f32;
    case DType::bf16:
      return Type::bf16;
    case DType::i8:
      return Type::s8;
    case DType::u8:
      return Type::u8;
    case DType::i32:
      return Type::s32;
    default:
      return std::nullopt;
  }
}

/// A primitive with what it wants of its memory; shared by the threads.
struct Primitive {
  dnnl::primitive primitive;  ///< Empty where oneDNN has no good implementation.
  memory::desc a, b, out, bias, scratchpad;
  memory::desc b_plain;  ///< The weights as the program holds them.
  DType a_type = DType::f32, b_type = DType::f32;
  bool round = false;                  ///< Operands are rounded to bf16, and multiplied as f32.
  bool shifted = false;                ///< i8 as u8, 128 higher, pads included; see `unshift`.
  bool packs = false;                  ///< Weights are laid out as the primitive likes.
  std::optional<size_t> bias_operand;  ///< Of the epilogue.
  struct Binary {
    int position;    ///< Among the post-operations.
    size_t operand;  ///< Of the epilogue.
    memory::desc desc;
  };
  std::vector<Binary> binaries;
};

struct Packed {
  memory weights;
  std::vector<int32_t> column_sums;  ///< Where shifted: 128 times the sum of each output channel's weights.
};

std::optional<dnnl::algorithm> eltwise_of(ChainOp op) {
  using dnnl::algorithm;
  switch (op) {
    case ChainOp::abs:
      return algorithm::eltwise_abs;
    case ChainOp::round:
      return algorithm::eltwise_round;
    case ChainOp::exp:
      return algorithm::eltwise_exp;
    case ChainOp::sqrt:
      return algorithm::eltwise_sqrt;
    case ChainOp::tanh:
      return algorithm::eltwise_tanh;
    case ChainOp::relu:
    case ChainOp::leaky_relu:
      return algorithm::eltwise_relu;
    case ChainOp::elu:
      return algorithm::eltwise_elu;
    case ChainOp::sigmoid:
      return algorithm::eltwise_logistic;
    case ChainOp::hard_swish:
      return algorithm::eltwise_hardswish;
    case ChainOp::silu:
      return algorithm::eltwise_swish;
    case ChainOp::gelu:
      return algorithm::eltwise_gelu_erf;
    case ChainOp::gelu_tanh:
      return algorithm::eltwise_gelu_tanh;
    case ChainOp::softplus:
      return algorithm::eltwise_soft_relu;
    case ChainOp::mish:
      return algorithm::eltwise_mish;
    case ChainOp::clip:
      return algorithm::eltwise_clip;
    default:
      return std::nullopt;
  }
}

std::optional<dnnl::algorithm> binary_of(ChainOp op) {
  using dnnl::algorithm;
  switch (op) {
    case ChainOp::add:
      return algorithm::binary_add;
    case ChainOp::sub:
      return algorithm::binary_sub;
    case ChainOp::mul:
      return algorithm::binary_mul;
    case ChainOp::div:
      return algorithm::binary_div;
    case ChainOp::min:
      return algorithm::binary_min;
    case ChainOp::max:
      return algorithm::binary_max;
    default:
      return std::nullopt;
  }
}

/// What an operand of the epilogue looks like from the output of a primitive.
memory::desc operand_desc(const MatrixCall& m, const DnnShapes& s, PostOperation::Extent extent, Type type) {
  if (extent == PostOperation::Extent::element) return {s.out, type, s.out_strides};
  memory::dims dims(s.out.size(), 1), strides(s.out.size(), 1);
  if (extent == PostOperation::Extent::channel) {
    const size_t axis = m.is_matmul() ? s.out.size() - 1 : 1;
    dims[axis] = s.out[axis];
    std::fill(strides.begin(), strides.end(), s.out[axis]);
    strides[axis] = 1;
  }
  return {dims, type, strides};
}

/// Adds a function to `ops`; false where it is there with other parameters: oneDNN 2.6 would give both those of one.
bool append_eltwise(dnnl::post_ops& ops, dnnl::algorithm how, float alpha, float beta) {
  for (int i = 0; i < ops.len(); ++i) {
    if (ops.kind(i) != dnnl::primitive::kind::eltwise) continue;
    float scale = 1, other_alpha = 0, other_beta = 0;
    dnnl::algorithm other{};
    ops.get_params_eltwise(i, scale, other, other_alpha, other_beta);
    if (other == how && (other_alpha != alpha || other_beta != beta)) return false;
  }
  ops.append_eltwise(1, how, alpha, beta);
  return true;
}

/// Adds the operation to `ops`; false where oneDNN lacks it.
bool append(Primitive& p, dnnl::post_ops& ops, const PostOperation& operation, const MatrixCall& m,
            const DnnShapes& s) {
  if (operation.linear) return append_eltwise(ops, dnnl::algorithm::eltwise_linear, operation.alpha, operation.beta);
  if (operation.op == ChainOp::hard_sigmoid)
    return append_eltwise(ops, dnnl::algorithm::eltwise_linear, operation.alpha, operation.beta) &&
           append_eltwise(ops, dnnl::algorithm::eltwise_clip, 0, 1);
  if (operation.extent == PostOperation::Extent::none) {
    const auto how = eltwise_of(operation.op);
    const bool plain = operation.op == ChainOp::relu, swish = operation.op == ChainOp::silu;
    return how && append_eltwise(ops, *how, swish ? 1 : plain ? 0 : operation.alpha, operation.beta);
  }
  const auto how = binary_of(operation.op);
  const DType dtype = m.epilogue(operation.operand).dtype();
  if (!how || (dtype != DType::f32 && dtype != DType::bf16)) return false;
  const memory::desc desc = operand_desc(m, s, operation.extent, *dnn_type(dtype));
  p.binaries.push_back({ops.len(), operation.operand, desc});
  ops.append_binary(*how, desc);
  return true;
}

/// Whether oneDNN can repack the weights in the type that the program holds them in.
bool reads_weights(const MatrixCall& m, const Primitive& p) {
  return dnn_type(m.b.dtype()).has_value() && !(p.round && p.b_type == DType::f32);
}

/// Whether the first operand is converted, into a dense buffer.
bool copies_a(const MatrixCall& m, const Primitive& p) { return p.shifted || p.round || m.a.dtype() != p.a_type; }

/// Whether the shifted sums of signed bytes may pass what f32 holds exactly.
bool deep(const MatrixCall& m) { return m.depth() * 255 * 128 > 1 << 24; }

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
      entry = std::make_shared<Primitive>(make(m, mode));
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

  Primitive make(const MatrixCall& m, MatrixMode mode);
  bool create(Primitive& p, const MatrixCall& m, MatrixMode mode);

  std::mutex mutex_;
  std::unordered_map<MatrixKey, std::shared_ptr<const Primitive>, MatrixKeyHash> primitives_;
  std::unordered_map<const void*, std::vector<Entry>> packed_;
  double seconds_ = 0;
};

bool host_multiplies_integers() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512vnni");  // Without it oneDNN's products of bytes may saturate.
#else
  return false;
#endif
}

/// The first of the ways to multiply these operand types that oneDNN has a good implementation of.
Primitive Primitives::make(const MatrixCall& m, MatrixMode mode) {
  const bool rounded = m.call.options.round_products_to_bf16;
  const DType a = m.a.dtype(), b = m.b.dtype();
  std::vector<Primitive> ways;
  const auto way = [&](DType a_type, DType b_type, bool round, bool shifted) {
    Primitive p;
    p.a_type = a_type;
    p.b_type = b_type;
    p.round = round;
    p.shifted = shifted;
    ways.push_back(std::move(p));
  };
  if (m.integers()) {
    const bool bytes = (a == DType::i8 || a == DType::u8) && b == DType::i8 && host_multiplies_integers();
    // oneDNN adds what its signed form shifts in floats: exact only where sums stay below 2^24.
    if (bytes && (a == DType::u8 || !deep(m))) way(a, b, false, false);
    if (bytes && a == DType::i8 && deep(m) && mode == MatrixMode::sum && m.op != Opcode::conv_transpose)
      way(DType::u8, b, false, true);
  } else {
    if (rounded || (a == DType::bf16 && b == DType::bf16)) way(DType::bf16, DType::bf16, false, false);
    way(DType::f32, DType::f32, rounded, false);
  }
  for (Primitive& p : ways) {
    try {
      if (create(p, m, mode)) return std::move(p);
    } catch (const dnnl::error&) {  // oneDNN's way to say that it has none
    }
  }
  return {};
}

/// Makes the primitive of a description, unless only the reference implementation has it.
template <class PrimitiveDesc, class Desc>
bool keep(Primitive& p, const Desc& description, const dnnl::primitive_attr& attr, const dnnl::engine& engine) {
  const PrimitiveDesc pd(description, attr, engine, true);
  if (!pd || std::string_view(pd.impl_info_str()).starts_with("ref")) return false;
  p.primitive = dnnl::primitive(pd);
  p.b = pd.weights_desc();
  p.scratchpad = pd.scratchpad_desc();
  return true;
}

/// conv and conv_transpose, which differ in their names.
template <class Forward>
bool keep_conv(Primitive& p, dnnl::algorithm how, const DnnShapes& s, const memory::desc& b,
               const dnnl::primitive_attr& attr, const dnnl::engine& engine) {
  const auto kind = dnnl::prop_kind::forward_inference;
  const typename Forward::desc description =
      p.bias_operand ? typename Forward::desc(kind, how, p.a, b, p.bias, p.out, s.stride, s.dilation, s.before, s.after)
                     : typename Forward::desc(kind, how, p.a, b, p.out, s.stride, s.dilation, s.before, s.after);
  return keep<typename Forward::primitive_desc>(p, description, attr, engine);
}

bool set_attributes(Primitive& p, const MatrixCall& m, const DnnShapes& s, MatrixMode mode,
                    dnnl::primitive_attr& attr) {
  dnnl::post_ops ops;
  if (mode == MatrixMode::sum_add) ops.append_sum();
  if (mode == MatrixMode::emit) {
    const std::optional<FusedEpilogue> epilogue = fuse_epilogue(m);
    if (!epilogue) return false;
    p.bias_operand = epilogue->bias;
    for (const PostOperation& operation : epilogue->operations)
      if (!append(p, ops, operation, m, s)) return false;
  }
  attr.set_post_ops(ops);
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return true;
}

bool Primitives::create(Primitive& p, const MatrixCall& m, MatrixMode mode) {
  const DType out_type = mode == MatrixMode::emit ? m.out.dtype() : m.sum_type();
  if (mode == MatrixMode::sum_add && m.integers()) return false;  // oneDNN adds in floats
  if (!dnn_type(out_type)) return false;
  const DnnShapes s = dnn_shapes(m, p.shifted, copies_a(m, p));
  dnnl::primitive_attr attr;
  if (!set_attributes(p, m, s, mode, attr)) return false;
  const Type b_type = *dnn_type(p.b_type);
  p.a = {s.a, *dnn_type(p.a_type), s.a_strides};
  p.out = {s.out, *dnn_type(out_type), s.out_strides};
  // Weights keep the program's type where oneDNN repacks it; others are converted first.
  p.b_plain = {s.b, reads_weights(m, p) ? *dnn_type(m.b.dtype()) : b_type, s.b_strides};
  p.packs = m.b.constant || p.shifted || !m.is_matmul();
  const memory::desc b =
      p.packs ? memory::desc(s.b, b_type, memory::format_tag::any) : memory::desc(s.b, b_type, s.b_strides);
  if (p.bias_operand) {
    memory::dims dims(m.is_matmul() ? s.out.size() : 1, 1);
    dims.back() = m.out.extent(static_cast<size_t>(m.out.rank() - 1));
    p.bias = {dims, Type::f32, dense(dims)};
  }
  if (m.op == Opcode::conv_transpose)
    return keep_conv<dnnl::deconvolution_forward>(p, dnnl::algorithm::deconvolution_direct, s, b, attr, engine);
  if (!m.is_matmul())
    return keep_conv<dnnl::convolution_forward>(p, dnnl::algorithm::convolution_direct, s, b, attr, engine);
  const dnnl::matmul::desc description =
      p.bias_operand ? dnnl::matmul::desc(p.a, b, p.bias, p.out) : dnnl::matmul::desc(p.a, b, p.out);
  return keep<dnnl::matmul::primitive_desc>(p, description, attr, engine);
}

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
  dnnl::error::wrap_c_api(dnnl_primitive_execute(p.primitive.get(), stream_.get(),
                                                 static_cast<int>(plan.arguments.size()), plan.arguments.data()),
                          "could not execute a primitive");
  stream_.wait();
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

#include "machine/functional/dnn_primitive.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <type_traits>

#include "isa/fields.h"
#include "machine/functional/dnn_epilogue.h"

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

/// Whether the shifted sums of signed bytes may pass what f32 holds exactly.
bool deep(const MatrixCall& m) { return m.depth() * 255 * 128 > 1 << 24; }

/// Whether along an axis some windows lie outside of the input altogether.
bool leaves_input(const MatrixCall& m, size_t axis) {
  const int64_t reach = m.dilation[axis] * (m.b.extent(axis) - 1) + 1;
  return m.before[axis] >= reach || m.after[axis] >= reach;
}

/// Whether along an axis nothing is spread to some outputs: beyond the input's, or between those where windows begin.
bool leaves_gaps(const MatrixCall& m, size_t axis) {
  return m.before[axis] < 0 || m.after[axis] < 0 || m.b.extent(axis) < m.stride[axis] ||
         std::gcd(m.stride[axis], m.dilation[axis]) > 1;
}

/// Whether some outputs depend on nothing. oneDNN's kernels do not expect that; those of floats spread nothing rightly.
bool has_idle_outputs(const MatrixCall& m) {
  if (m.is_matmul() || (m.op == Opcode::conv_transpose && !m.integers())) return false;
  const auto idle = m.op == Opcode::conv_transpose ? leaves_gaps : leaves_input;
  return idle(m, 0) || idle(m, 1) || idle(m, 2);
}

bool host_multiplies_integers() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512vnni");  // Without it oneDNN's products of bytes may saturate.
#else
  return false;
#endif
}

bool repacks(const dnnl::engine& engine, const memory::desc& from, const memory::desc& to) {
  return static_cast<bool>(dnnl::reorder::primitive_desc(engine, from, engine, to, {}, true));
}

/// Finds how the weights get from the program's layout to the primitive's; false where there is no way.
bool find_packing(Primitive& p, const dnnl::engine& engine, const DnnShapes& s) {
  if (!p.packs || repacks(engine, p.b_plain, p.b)) return true;
  p.b_dense = {s.b, p.b_plain.data_type(), dense(s.b)};
  return repacks(engine, p.b_plain, p.b_dense) && repacks(engine, p.b_dense, p.b);
}

/// Whether an operand of the epilogue has as many elements as the output.
bool has_residual(const Primitive& p) {
  return std::ranges::any_of(p.binaries, [&](const auto& binary) { return binary.desc.dims() == p.out.dims(); });
}

/// Makes the primitive of a description, unless only the reference implementation has it.
template <class PrimitiveDesc, class Desc>
bool keep(Primitive& p, const Desc& description, const dnnl::primitive_attr& attr, const dnnl::engine& engine) {
  const PrimitiveDesc pd(description, attr, engine, true);
  if (!pd) return false;
  const std::string_view how = pd.impl_info_str();
  if (how.starts_with("ref")) return false;
  // Convolutions that are cut into products take each part's residual from the first part.
  const bool is_convolution = std::is_same_v<PrimitiveDesc, dnnl::convolution_forward::primitive_desc>;
  if (is_convolution && how.find("gemm") != std::string_view::npos && has_residual(p)) return false;
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

/// oneDNN makes i32 of large computed numbers that are below the largest.
bool converts_rightly(const MatrixCall& m, const FusedEpilogue& epilogue) {
  return m.out.dtype() != DType::i32 || (!epilogue.bias && epilogue.operations.empty());
}

bool set_attributes(Primitive& p, const MatrixCall& m, const DnnShapes& s, MatrixMode mode,
                    dnnl::primitive_attr& attr) {
  dnnl::post_ops ops;
  if (mode == MatrixMode::sum_add) ops.append_sum();
  if (mode == MatrixMode::emit) {
    const std::optional<FusedEpilogue> epilogue = fuse_epilogue(m);
    if (!epilogue) return false;
    if (!converts_rightly(m, *epilogue)) return false;
    p.bias_operand = epilogue->bias;
    for (const PostOperation& operation : epilogue->operations)
      if (!append(p, ops, operation, m, s)) return false;
  }
  attr.set_post_ops(ops);
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return true;
}

bool create(Primitive& p, const dnnl::engine& engine, const MatrixCall& m, MatrixMode mode) {
  const DType out_type = mode == MatrixMode::emit ? m.out.dtype() : m.sum_type();
  if (mode == MatrixMode::sum_add && m.integers()) return false;  // oneDNN adds in floats
  if (has_idle_outputs(m)) return false;
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
  const auto keep_one = [&] {
    if (m.op == Opcode::conv_transpose)
      return keep_conv<dnnl::deconvolution_forward>(p, dnnl::algorithm::deconvolution_direct, s, b, attr, engine);
    if (!m.is_matmul())
      return keep_conv<dnnl::convolution_forward>(p, dnnl::algorithm::convolution_direct, s, b, attr, engine);
    const dnnl::matmul::desc description =
        p.bias_operand ? dnnl::matmul::desc(p.a, b, p.bias, p.out) : dnnl::matmul::desc(p.a, b, p.out);
    return keep<dnnl::matmul::primitive_desc>(p, description, attr, engine);
  };
  return keep_one() && find_packing(p, engine, s);
}

}  // namespace

bool reads_weights(const MatrixCall& m, const Primitive& p) {
  return dnn_type(m.b.dtype()).has_value() && !(p.round && p.b_type == DType::f32);
}

bool copies_a(const MatrixCall& m, const Primitive& p) { return p.shifted || p.round || m.a.dtype() != p.a_type; }

Primitive make_primitive(const dnnl::engine& engine, const MatrixCall& m, MatrixMode mode) {
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
      if (create(p, engine, m, mode)) return std::move(p);
    } catch (const dnnl::error&) {  // oneDNN's way to say that it has none
    }
  }
  return {};
}

}  // namespace hadal::machine

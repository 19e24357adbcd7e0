// Matrix instructions: where the sums go, and how they leave.
#include "machine/functional/matrix.h"

#include <cstring>

#include "machine/functional/convert.h"
#include "machine/functional/kernels.h"
#include "machine/functional/worker.h"

namespace hadal::machine {

using isa::Opcode;

MatrixCall::MatrixCall(const Call& c) : call(c), op(c.in.op), out(c[isa::at::out]), a(c[isa::at::a]), b(c[isa::at::b]) {
  if (is_matmul()) {
    transpose_a = c.flag(isa::at::transpose_a);
    transpose_b = c.flag(isa::at::transpose_b);
    if (is_scaled()) shift = c.number(isa::at::shift);
    return;
  }
  for (size_t i = 0; i < 3; ++i) {
    stride[i] = c.number(isa::at::stride_d + i);
    dilation[i] = c.number(isa::at::dilation_d + i);
    before[i] = c.number(isa::at::pad_front + i);
    after[i] = c.number(isa::at::pad_back + i);
  }
  groups = c.number(isa::at::groups);
}

const ChainPlan* MatrixCall::chain() const {
  const int64_t number = call.in.fields[isa::at::epilogue].value;
  return number == isa::no_chain ? nullptr : &call.worker->chains[static_cast<size_t>(number)];
}

float MatrixCall::scale(int64_t batch, int64_t row, int64_t block, int64_t column) const {
  const auto at = [&](const Operand& operand, int64_t i, int64_t j) {
    const auto& strides = operand.box->strides;
    const int64_t first = operand.extent(0) == 1 ? 0 : batch * strides[0];
    float value = 0;
    std::memcpy(&value, operand.data + first + i * strides[1] + j * strides[2], sizeof value);
    return value;
  };
  return at(call[isa::at::a_scale], row, block) *
         at(call[isa::at::b_scale], block, (shift + column) / isa::scale_block);
}

int64_t MatrixCall::depth() const {
  if (is_matmul()) return a.extent(transpose_a ? 1 : 2);
  const int64_t taps = b.extent(0) * b.extent(1) * b.extent(2);
  return op == Opcode::conv_depthwise ? taps : taps * b.extent(3);
}

namespace {

/// An epilogue may read the very box that it writes; then the sums must not pass through it.
bool writes_epilogue(const MatrixCall& m) {
  for (size_t e = 0; e < 3; ++e)
    if (m.epilogue(e).data == m.out.data) return true;
  return false;
}

void add_integers(const int32_t* from, std::byte* to, int64_t n) {
  auto* sums = reinterpret_cast<uint32_t*>(to);
  for (int64_t i = 0; i < n; ++i) sums[i] += static_cast<uint32_t>(from[i]);
}

void sum_fast(const MatrixCall& m, bool accumulate, std::byte* sums) {
  Worker& worker = *m.call.worker;
  if (m.is_scaled()) return sum_plainly(m, accumulate, sums);
  if (accumulate && m.integers()) {
    const int64_t n = m.out.elements();
    auto* fresh = worker.buffers[2].of<int32_t>(n);
    if (worker.dnn.sum(m, false, reinterpret_cast<std::byte*>(fresh))) return add_integers(fresh, sums, n);
  } else if (worker.dnn.sum(m, accumulate, sums)) {
    return;
  }
  sum_plainly(m, accumulate, sums);
}

Status leave(const MatrixCall& m, const std::byte* sums) {
  const ChainPlan* chain = m.chain();
  if (!chain) {
    convert_run(m.sum_type(), sums, m.out.dtype(), m.out.data, static_cast<size_t>(m.out.elements()));
    return {};
  }
  std::array<Stream, 4> streams{stream_of(sums, m.sum_type(), m.out.rank(), m.out.extents(), m.out.extents())};
  for (size_t e = 0; e < 3; ++e) {
    const Operand& operand = m.epilogue(e);
    if (operand)
      streams[1 + e] = stream_of(operand.data, operand.dtype(), operand.rank(), operand.extents(), m.out.extents());
  }
  return apply_chain(m.call, *chain, streams, m.out);
}

Status matrix(Call& call, bool exact) {
  const MatrixCall m(call);
  const bool accumulate = call.number(isa::at::accumulate) != 0, emit = call.number(isa::at::emit) != 0;
  const bool in_one = emit && !accumulate && !writes_epilogue(m) && !m.is_scaled();
  if (!exact && in_one && call.worker->dnn.emit(m)) return {};
  std::byte* sums = call.accumulators + call.number(isa::at::accumulator);
  exact ? sum_exactly(m, accumulate, sums) : sum_fast(m, accumulate, sums);
  return emit ? leave(m, sums) : Status();
}

}  // namespace

Status matrix_fast(Call& call) { return matrix(call, false); }
Status matrix_exact(Call& call) { return matrix(call, true); }

Status apply_chain(const Call& call, const ChainPlan& chain, std::span<const Stream> streams, const Operand& out) {
  for (size_t s = 0; s < isa::chain_inputs; ++s)
    if ((chain.used >> s & 1) != 0 && (s >= streams.size() || !streams[s].data))
      return call.fail("chain.C1", fmt::format("the chain reads stream {}, which is not given", s));
  run_chain(*call.worker, chain, streams, out.data, out.dtype(), out.rank(), out.extents(), call.options.exact);
  return {};
}

uint64_t macs_of(const Call& call) {
  if (call.in.op < Opcode::matmul || call.in.op > Opcode::matmul_scaled) return 0;
  const MatrixCall m(call);
  const int64_t taps = m.is_matmul() ? 1 : m.b.extent(0) * m.b.extent(1) * m.b.extent(2);
  const int64_t macs = m.op == Opcode::conv_transpose ? m.a.elements() * taps * (m.out.extent(4) / m.groups)
                                                      : m.out.elements() * m.depth();
  return static_cast<uint64_t>(macs);
}

}  // namespace hadal::machine

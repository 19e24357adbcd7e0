#include "machine/functional/dnn_shapes.h"

#include <algorithm>

#include "isa/fields.h"

namespace hadal::machine {

size_t MatrixKeyHash::operator()(const MatrixKey& key) const {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const int64_t value : key) {
    hash = (hash ^ static_cast<uint64_t>(value)) * 0x9e3779b97f4a7c15u;
    hash ^= hash >> 29;
  }
  return hash;
}

MatrixKey key_of(const MatrixCall& m, MatrixMode mode) {
  MatrixKey key{};
  size_t n = 0;
  const auto add = [&](int64_t value) { key[n++] = value; };
  const auto extents = [&](const Operand& operand) {
    for (size_t i = 0; i < 5; ++i) add(i < operand.box->rank ? operand.extent(i) : 0);
  };
  extents(m.out);
  extents(m.a);
  extents(m.b);
  for (size_t i = 0; i < 5; ++i) add(i < m.b.box->rank ? m.b.box->strides[i] : 0);
  for (size_t i = 0; i < 3; ++i) add(m.is_matmul() ? m.a.box->strides[i] : 0);
  add(static_cast<int64_t>(mode));
  add(static_cast<int64_t>(m.op) << 32 | static_cast<int64_t>(m.a.dtype()) << 16 |
      static_cast<int64_t>(m.b.dtype()) << 8 | static_cast<int64_t>(m.out.dtype()));
  add((m.b.constant ? 1 : 0) | (m.transpose_a ? 2 : 0) | (m.transpose_b ? 4 : 0));
  if (!m.is_matmul()) {
    for (const auto* triple : {&m.stride, &m.dilation, &m.before, &m.after})
      for (const int64_t value : *triple) add(value);
    add(m.groups);
  }
  if (mode == MatrixMode::emit && m.chain()) {
    add(1 + m.call.in.fields[isa::at::epilogue].value);  // 0 is no chain.
    for (size_t e = 0; e < 3; ++e) {
      const Operand& operand = m.epilogue(e);
      if (!operand) continue;
      add(1 + static_cast<int64_t>(e) * 256 + static_cast<int64_t>(operand.dtype()));
      extents(operand);
    }
  }
  return key;
}

DnnDims element_strides(const Operand& operand) {
  DnnDims strides;
  int64_t dense = 1;
  for (size_t i = operand.box->rank; i-- > 0; dense *= operand.extent(i))
    strides.insert(strides.begin(), operand.extent(i) == 1 ? dense : operand.box->strides[i] / operand.element_bytes());
  return strides;
}

DnnDims dense(const DnnDims& dims) {
  DnnDims strides(dims.size());
  int64_t next = 1;
  for (size_t i = dims.size(); i-- > 0; next *= dims[i]) strides[i] = next;
  return strides;
}

namespace {

/// Of an axis of extent 1 any stride is true; oneDNN takes the larger one of a matrix for its leading dimension, which
/// spans the other axis.
void span(const DnnDims& dims, DnnDims& strides) {
  const size_t row = dims.size() - 2, column = dims.size() - 1;
  if (dims[column] == 1)
    strides[column] = strides[row] == 1 ? dims[row] : 1;
  else if (dims[row] == 1)
    strides[row] = strides[column] == 1 ? dims[column] : 1;
}

DnnShapes matmul_shapes(const MatrixCall& m, bool dense_a) {
  DnnShapes s;
  const DnnDims b = element_strides(m.b);
  DnnDims a = dense_a ? dense({m.a.extent(0), m.a.extent(1), m.a.extent(2)}) : element_strides(m.a);
  if (m.transpose_a) std::swap(a[1], a[2]);
  const int64_t batch = m.out.extent(0), rows = m.out.extent(1), columns = m.out.extent(2);
  const int64_t depth = m.a.extent(m.transpose_a ? 1 : 2);
  const bool rows_follow = m.a.extent(0) == batch && a[0] == rows * a[1];
  const bool one = m.b.extent(0) == 1 && (batch == 1 || rows_follow);
  s.a = one ? DnnDims{batch * rows, depth} : DnnDims{m.a.extent(0), rows, depth};
  s.b = one ? DnnDims{depth, columns} : DnnDims{m.b.extent(0), depth, columns};
  s.out = one ? DnnDims{batch * rows, columns} : DnnDims{batch, rows, columns};
  s.a_strides = one ? DnnDims{a[1], a[2]} : a;
  s.b_strides = one ? DnnDims{b[1], b[2]} : b;
  if (m.transpose_b) std::swap(s.b_strides[s.b.size() - 2], s.b_strides[s.b.size() - 1]);
  s.out_strides = dense(s.out);
  span(s.a, s.a_strides);
  span(s.b, s.b_strides);
  return s;
}

/// Axes [N, D, H, W, C] as [N, C, D, H, W], without D where `flat`.
DnnDims channels_second(const DnnDims& v, bool flat) {
  return flat ? DnnDims{v[0], v[4], v[2], v[3]} : DnnDims{v[0], v[4], v[1], v[2], v[3]};
}

DnnDims spatial(const std::array<int64_t, 3>& v, bool flat) {
  return flat ? DnnDims{v[1], v[2]} : DnnDims{v[0], v[1], v[2]};
}

/// oneDNN's kernels work along the last axis of space: one of extent 1 changes places with the one before.
bool is_narrow(const DnnShapes& s) {
  const auto one = [](const DnnDims& v) { return v.back() == 1; };
  return one(s.a) && one(s.b) && one(s.out) && s.before.back() == 0 && s.after.back() == 0;
}

void turn(DnnShapes& s) {
  const auto swap = [](DnnDims& v) { std::swap(v[v.size() - 1], v[v.size() - 2]); };
  for (DnnDims* v : {&s.a, &s.out, &s.b, &s.b_strides, &s.stride, &s.dilation, &s.before, &s.after}) swap(*v);
  // Of an axis of extent 1 any stride is true; oneDNN knows the dense one.
  for (auto [v, strides] : {std::pair{&s.a, &s.a_strides}, {&s.out, &s.out_strides}}) {
    swap(*strides);
    strides->at(strides->size() - 2) = v->back() * strides->back();
  }
}

DnnDims as_dims(const Operand& operand) {
  return {operand.extents().begin(), operand.extents().begin() + operand.rank()};
}

DnnShapes conv_shapes(const MatrixCall& m, bool pad_explicitly) {
  DnnShapes s;
  const DnnDims b = element_strides(m.b), w = as_dims(m.b);
  DnnDims a = as_dims(m.a);
  const bool flat = a[1] == 1 && w[0] == 1 && m.before[0] == 0 && m.after[0] == 0;
  if (pad_explicitly)
    for (size_t i = 0; i < 3; ++i) a[1 + i] += m.before[i] + m.after[i];
  s.a = channels_second(a, flat);
  s.a_strides = channels_second(dense(a), flat);
  s.out = channels_second(as_dims(m.out), flat);
  s.out_strides = channels_second(dense(as_dims(m.out)), flat);
  const size_t first = flat ? 1 : 0;
  if (m.op == isa::Opcode::conv_depthwise) {  // [.., M, C] as groups C, M outputs each, 1 input
    s.b = {w[4], w[3], 1};
    s.b_strides = {b[4], b[3], 1};
  } else if (m.groups > 1) {
    s.b = {m.groups, w[4] / m.groups, w[3]};
    s.b_strides = {w[4] / m.groups * b[4], b[4], b[3]};
  } else {
    s.b = {w[4], w[3]};
    s.b_strides = {b[4], b[3]};
  }
  s.b.insert(s.b.end(), w.begin() + static_cast<std::ptrdiff_t>(first), w.begin() + 3);
  s.b_strides.insert(s.b_strides.end(), b.begin() + static_cast<std::ptrdiff_t>(first), b.begin() + 3);
  s.stride = spatial(m.stride, flat);
  s.dilation = spatial(m.dilation, flat);
  for (int64_t& d : s.dilation) --d;
  s.before = pad_explicitly ? DnnDims(s.stride.size(), 0) : spatial(m.before, flat);
  s.after = pad_explicitly ? s.before : spatial(m.after, flat);
  if (is_narrow(s)) turn(s);
  return s;
}

}  // namespace

DnnShapes dnn_shapes(const MatrixCall& matrix, bool pad_explicitly, bool dense_a) {
  return matrix.is_matmul() ? matmul_shapes(matrix, dense_a) : conv_shapes(matrix, pad_explicitly);
}

}  // namespace hadal::machine

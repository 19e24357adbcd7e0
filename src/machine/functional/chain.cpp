#include "machine/functional/chain.h"

#include <algorithm>
#include <type_traits>

#include "isa/table.h"
#include "machine/functional/convert.h"
#include "machine/functional/numbers.h"
#include "machine/functional/worker.h"

namespace hadal::machine {

namespace {

template <class T>
constexpr DType native = std::is_same_v<T, float>    ? DType::f32
                         : std::is_same_v<T, double> ? DType::f64
                                                     : DType::i64;

/// The output's axes, those of extent 1 dropped and neighbours merged that every stream walks as one.
struct Axes {
  Dims extents{};
  std::array<Dims, isa::chain_inputs> strides{};  ///< Of each stream, in elements.
  int rank = 0;
};

Axes merge_axes(std::span<const Stream> streams, int rank, const Dims& extents) {
  Axes axes;
  for (size_t i = 0; i < static_cast<size_t>(rank); ++i) {
    if (extents[i] == 1) continue;
    const bool mergeable = axes.rank > 0 && [&] {
      for (size_t s = 0; s < streams.size(); ++s)
        if (axes.strides[s][static_cast<size_t>(axes.rank - 1)] != extents[i] * streams[s].strides[i]) return false;
      return true;
    }();
    if (!mergeable) ++axes.rank;
    const auto last = static_cast<size_t>(axes.rank - 1);
    axes.extents[last] = mergeable ? axes.extents[last] * extents[i] : extents[i];
    for (size_t s = 0; s < streams.size(); ++s) axes.strides[s][last] = streams[s].strides[i];
  }
  if (axes.rank == 0) {
    axes.rank = 1;
    axes.extents[0] = 1;
  }
  return axes;
}

/// How the output falls into blocks: `chunk` steps of axis `split`, with all inner axes whole.
struct Blocks {
  size_t split = 0;
  int64_t chunk = 1, inner = 1;
};

Blocks blocks_of(const Axes& axes) {
  Blocks blocks;
  blocks.split = static_cast<size_t>(axes.rank - 1);
  while (blocks.split > 0 && blocks.inner * axes.extents[blocks.split] <= chain_block)
    blocks.inner *= axes.extents[blocks.split--];
  const int64_t extent = axes.extents[blocks.split], most = std::max<int64_t>(chain_block / blocks.inner, 1);
  const int64_t pieces = (extent + most - 1) / most;
  blocks.chunk = (extent + pieces - 1) / pieces;  // even pieces
  return blocks;
}

/// Elements of a block of a stream, in the output's order: axes from `axis` on, of which the first has `count` steps.
template <class T>
T* gather_block(const Stream& stream, const Dims& strides, const Axes& axes, size_t axis, int64_t count,
                const std::byte* from, T* to) {
  const int64_t size = bytes_of(stream.dtype), stride = strides[axis];
  if (axis + 1 == static_cast<size_t>(axes.rank)) {
    if (stride == 1)
      read_run(stream.dtype, from, to, static_cast<size_t>(count));
    else if (stride == 0)
      std::fill(to, to + count, get<T>(stream.dtype, from));
    else
      for (int64_t i = 0; i < count; ++i) to[i] = get<T>(stream.dtype, from + i * stride * size);
    return to + count;
  }
  const T* first = to;
  T* end = gather_block(stream, strides, axes, axis + 1, axes.extents[axis + 1], from, to);
  const int64_t length = end - first;
  for (int64_t i = 1; i < count; ++i)
    end = stride == 0
              ? std::copy(first, first + length, end)
              : gather_block(stream, strides, axes, axis + 1, axes.extents[axis + 1], from + i * stride * size, end);
  return end;
}

template <class T>
class Interpreter {
 public:
  Interpreter(Worker& worker, const ChainPlan& plan, std::span<const Stream> streams, std::byte* out, DType out_type,
              int rank, const Dims& extents, std::span<const ChainFunction<T>> functions)
      : plan_(plan),
        streams_(streams.first(std::min(streams.size(), static_cast<size_t>(plan.inputs)))),
        out_(out),
        out_type_(out_type),
        functions_(functions),
        axes_(merge_axes(streams_, rank, extents)),
        blocks_(blocks_of(axes_)) {
    T* buffer = worker.chain_buffer.of<T>((plan.inputs + plan.buffers + 1) * chain_block);
    for (size_t s = 0; s < streams_.size(); ++s, buffer += chain_block) {
      at_[s] = streams_[s].data;
      copies_[s] = buffer;
      direct_[s] = streams_[s].dtype == native<T> && is_contiguous(s);
    }
    for (size_t b = 0; b < static_cast<size_t>(plan.buffers); ++b, buffer += chain_block)
      values_[isa::chain_inputs + b] = buffer;
    result_ = buffer;
  }

  void run() {
    std::array<int64_t, isa::rank_limit> index{};
    while (true) {
      run_split_axis();
      size_t i = blocks_.split;
      while (i-- > 0) {
        const bool wraps = ++index[i] == axes_.extents[i];
        for (size_t s = 0; s < streams_.size(); ++s) move(s, axes_.strides[s][i] * (wraps ? 1 - axes_.extents[i] : 1));
        if (!wraps) break;
        index[i] = 0;
      }
      if (i == SIZE_MAX) return;
    }
  }

 private:
  [[nodiscard]] bool is_contiguous(size_t stream) const {
    int64_t dense = 1;
    for (size_t i = static_cast<size_t>(axes_.rank); i-- > blocks_.split; dense *= axes_.extents[i])
      if (axes_.strides[stream][i] != dense) return false;
    return true;
  }

  void move(size_t stream, int64_t elements) { at_[stream] += elements * bytes_of(streams_[stream].dtype); }

  void run_split_axis() {
    const int64_t extent = axes_.extents[blocks_.split];
    for (int64_t start = 0; start < extent; start += blocks_.chunk) {
      const int64_t count = std::min(blocks_.chunk, extent - start);
      run_block(count);
      for (size_t s = 0; s < streams_.size(); ++s) move(s, count * axes_.strides[s][blocks_.split]);
    }
    for (size_t s = 0; s < streams_.size(); ++s) move(s, -extent * axes_.strides[s][blocks_.split]);
  }

  void run_block(int64_t count) {
    for (size_t s = 0; s < streams_.size(); ++s) {
      if (!at_[s]) continue;
      if (direct_[s]) {
        values_[s] = reinterpret_cast<T*>(const_cast<std::byte*>(at_[s]));
        continue;
      }
      values_[s] = copies_[s];
      // A repeated stream is the same block again, or the beginning of it.
      if (copied_from_[s] == at_[s] && copied_count_[s] >= count) continue;
      gather_block(streams_[s], axes_.strides[s], axes_, blocks_.split, count, at_[s], copies_[s]);
      copied_from_[s] = at_[s];
      copied_count_[s] = count;
    }
    const auto n = static_cast<size_t>(count * blocks_.inner);
    T* const result = out_type_ == native<T> ? reinterpret_cast<T*>(out_) : result_;
    for (size_t i = 0; i < plan_.steps.size(); ++i) {
      const ChainPlan::Step& step = plan_.steps[i];
      T* const target = i + 1 == plan_.steps.size() ? result : values_[isa::chain_inputs + step.target];
      functions_[step.op](target, values_[step.operands[0]], values_[step.operands[1]], values_[step.operands[2]],
                          step.alpha, step.beta, n);
    }
    if (result == result_) write_run(out_type_, result, out_, n);
    out_ += n * static_cast<size_t>(bytes_of(out_type_));
  }

  const ChainPlan& plan_;
  std::span<const Stream> streams_;
  std::byte* out_;
  const DType out_type_;
  std::span<const ChainFunction<T>> functions_;
  Axes axes_;
  Blocks blocks_;
  std::array<const std::byte*, isa::chain_inputs> at_{}, copied_from_{};
  std::array<int64_t, isa::chain_inputs> copied_count_{};
  std::array<bool, isa::chain_inputs> direct_{};
  std::array<T*, isa::chain_inputs> copies_{};
  std::array<T*, isa::chain_inputs + isa::chain_steps> values_{};
  T* result_ = nullptr;
};

}  // namespace

ChainPlan plan_of(const isa::Chain& chain) {
  ChainPlan plan;
  plan.compute = chain.compute;
  plan.chain = &chain;
  plan.inputs = chain.inputs;
  const auto& ops = isa::chain_ops();
  std::vector<size_t> last_use(chain.steps.size(), 0);
  for (size_t i = 0; i < chain.steps.size(); ++i) {
    last_use[i] = std::max(last_use[i], i);
    for (size_t k = 0; k < static_cast<size_t>(ops[chain.steps[i].op].operands); ++k)
      if (const size_t operand = chain.steps[i].operands[k]; operand >= isa::chain_inputs)
        last_use[operand - isa::chain_inputs] = std::max(last_use[operand - isa::chain_inputs], i);
  }
  std::vector<uint8_t> free, buffer(chain.steps.size());
  for (size_t i = 0; i < chain.steps.size(); ++i) {
    const isa::ChainStep& from = chain.steps[i];
    ChainPlan::Step step{from.op, {}, 0, from.alpha, from.beta};
    for (size_t k = 0; k < static_cast<size_t>(ops[from.op].operands); ++k) {
      const uint8_t operand = from.operands[k];
      if (operand < isa::chain_inputs) plan.used |= 1u << operand;
      step.operands[k] = operand < isa::chain_inputs
                             ? operand
                             : static_cast<uint8_t>(isa::chain_inputs + buffer[operand - isa::chain_inputs]);
    }
    for (size_t j = 0; j < i; ++j)  // An operation may write over an operand that ends here.
      if (last_use[j] == i) free.push_back(buffer[j]);
    if (free.empty()) free.push_back(static_cast<uint8_t>(plan.buffers++));
    step.target = buffer[i] = free.back();
    free.pop_back();
    if (last_use[i] == i) free.push_back(buffer[i]);
    plan.steps.push_back(step);
  }
  return plan;
}

Stream stream_of(const std::byte* data, DType dtype, int rank, const Dims& extents, const Dims& out) {
  Stream stream{data, dtype, {}};
  int64_t dense = 1;
  for (size_t i = static_cast<size_t>(rank); i-- > 0; dense *= extents[i])
    stream.strides[i] = extents[i] == 1 && out[i] != 1 ? 0 : dense;
  return stream;
}

void run_chain(Worker& worker, const ChainPlan& plan, std::span<const Stream> streams, std::byte* out, DType out_type,
               int rank, const Dims& extents, bool exact) {
  switch (plan.compute) {
    case DType::f64:
      return Interpreter<double>(worker, plan, streams, out, out_type, rank, extents, plain_chain_functions<double>())
          .run();
    case DType::i64:
      return Interpreter<int64_t>(worker, plan, streams, out, out_type, rank, extents, plain_chain_functions<int64_t>())
          .run();
    default:
      break;
  }
  Interpreter<float>(worker, plan, streams, out, out_type, rank, extents,
                     exact ? plain_chain_functions<float>() : fast_chain_functions())
      .run();
}

}  // namespace hadal::machine

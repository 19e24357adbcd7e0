#include "machine/functional/dnn_epilogue.h"

#include <cmath>

#include "isa/table.h"

namespace hadal::machine {

namespace {

/// Where an operand of a step comes from.
struct Source {
  enum Kind : uint8_t { value, stream, constant, other } kind = other;
  size_t operand = 0;
  float number = 0;
};

class Fuser {
 public:
  explicit Fuser(const MatrixCall& matrix) : matrix_(matrix) {}

  bool fuse(const isa::Chain& chain) {
    results_.resize(chain.steps.size());
    for (size_t i = 0; i < chain.steps.size(); ++i) {
      const isa::ChainStep& step = chain.steps[i];
      const auto op = static_cast<ChainOp>(step.op);
      if (op == ChainOp::constant) {
        results_[i] = {Source::constant, 0, step.alpha};
        continue;
      }
      const int operands = isa::chain_ops()[step.op].operands;
      const bool fused = operands == 1   ? unary(step)
                         : operands == 2 ? binary(op, source(step.operands[0]), source(step.operands[1]))
                                         : false;
      if (!fused) return false;
      current_ = i;
    }
    return current_ + 1 == chain.steps.size();
  }

  FusedEpilogue result;

 private:
  [[nodiscard]] Source source(size_t operand) const {
    if (operand >= isa::chain_inputs) {
      const size_t from = operand - isa::chain_inputs;
      return from == current_ ? Source{Source::value} : results_[from];
    }
    if (operand == 0) return current_ == SIZE_MAX ? Source{Source::value} : Source{};
    return {Source::stream, operand - 1, 0};
  }

  bool linear(float alpha, float beta) {
    result.operations.push_back({ChainOp::mul, PostOperation::Extent::none, 0, alpha, beta, true});
    return true;
  }

  bool unary(const isa::ChainStep& step) {
    if (source(step.operands[0]).kind != Source::value) return false;
    const auto op = static_cast<ChainOp>(step.op);
    if (op == ChainOp::copy) return true;
    if (op == ChainOp::neg) return linear(-1, 0);
    result.operations.push_back({op, PostOperation::Extent::none, 0, step.alpha, step.beta, false});
    return true;
  }

  bool binary(ChainOp op, Source a, Source b) {
    const bool swapped = b.kind == Source::value && a.kind != Source::value;
    const bool commutes = op == ChainOp::add || op == ChainOp::mul || op == ChainOp::min || op == ChainOp::max;
    if (swapped && commutes) std::swap(a, b);
    if (a.kind != Source::value)
      return swapped && op == ChainOp::sub && a.kind == Source::constant && linear(-1, a.number);
    if (b.kind == Source::constant) return with_constant(op, b.number);
    return b.kind == Source::stream && with_stream(op, b.operand);
  }

  bool with_constant(ChainOp op, float number) {
    int exponent = 0;
    switch (op) {
      case ChainOp::add:
        return linear(1, number);
      case ChainOp::sub:
        return linear(1, -number);
      case ChainOp::mul:
        return linear(number, 0);
      case ChainOp::div:  // by a power of two: the reciprocal is exact
        return std::fabs(std::frexp(number, &exponent)) == 0.5f && std::abs(exponent) < 100 && linear(1 / number, 0);
      default:
        return false;
    }
  }

  bool with_stream(ChainOp op, size_t operand) {
    using Extent = PostOperation::Extent;
    const Operand& e = matrix_.epilogue(operand);
    if (!e) return false;
    const auto last = static_cast<size_t>(e.rank() - 1);
    const bool channel = e.elements() == e.extent(last) && e.extent(last) == matrix_.out.extent(last);
    if (op == ChainOp::add && channel && is_float(e.dtype()) && fits_bias()) {
      result.bias = operand;
      return true;
    }
    const Extent extent = e.elements() == 1                      ? Extent::one
                          : channel                              ? Extent::channel
                          : e.extents() == matrix_.out.extents() ? Extent::element
                                                                 : Extent::none;
    if (extent == Extent::none) return false;
    result.operations.push_back({op, extent, operand, 0, 0, false});
    return true;
  }

  /// oneDNN adds a bias to the sums before all else.
  [[nodiscard]] bool fits_bias() const { return !result.bias && result.operations.empty() && current_ == SIZE_MAX; }

  const MatrixCall& matrix_;
  std::vector<Source> results_;
  size_t current_ = SIZE_MAX;  ///< The step that made the value; none: it is the sum.
};

}  // namespace

std::optional<FusedEpilogue> fuse_epilogue(const MatrixCall& matrix) {
  Fuser fuser(matrix);
  const ChainPlan* plan = matrix.chain();
  if (plan && (plan->compute != DType::f32 || !fuser.fuse(*plan->chain))) return std::nullopt;
  return std::move(fuser.result);
}

}  // namespace hadal::machine

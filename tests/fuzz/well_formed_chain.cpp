// Chains of element-wise steps by chance, and what is known of their values.
#include <algorithm>
#include <set>
#include <string_view>

#include "fuzz/well_formed_shapes.h"

namespace hadal::fuzz {

namespace {

/// A stream, or what a step has computed.
struct Value {
  uint8_t number = 0;
  Trust trust = Trust::equal;
  double most = 2;
};

/// One rounding of an exact result each, or a choice between operands (docs/numerics.md): the same in both.
bool is_equal(const isa::ChainOp& op) {
  static const std::set<std::string_view> rounded_twice{"hard_sigmoid", "hard_swish"};
  return op.name == "div" || op.name == "sqrt" || (op.special == 0 && !rounded_twice.contains(op.name));
}
/// Small differences of the first operand stay small.
bool is_smooth(std::string_view name) {
  static const std::set<std::string_view> smooth{"copy", "neg", "abs", "relu", "leaky_relu",
                                                 "add",  "sub", "mul", "min",  "max"};
  return smooth.contains(name);
}
bool is_of_integers(std::string_view name) { return name.starts_with("shift") || name.starts_with("bit"); }

/// Whether the step may follow: integers take what is exact for them, special functions small arguments.
bool is_legal(const isa::ChainOp& op, DType compute, const Value& value, bool equal_wanted) {
  if (value.trust == Trust::close) return is_smooth(op.name);
  if (compute == DType::i64) return is_equal(op) && op.name != "sqrt";
  if (is_of_integers(op.name)) return false;
  return is_equal(op) || (!equal_wanted && value.most <= 4);
}

double most_of(const isa::ChainOp& op, const std::vector<Value>& operands) {
  double sum = 2, product = 1;
  for (const Value& value : operands) sum += value.most, product *= std::max(1.0, value.most);
  if (op.name == "mul") return product;
  return is_equal(op) ? 2 * sum : 64;  // Of arguments up to 4, but near poles; alpha is at most 2.
}

class ChainDraw {
 public:
  ChainDraw(Source& source, DType compute, bool equal_wanted)
      : random_(source.random), compute_(compute), equal_wanted_(equal_wanted) {}

  /// A step on the value so far and, of two or three operands, another stream.
  void step(const Value* other) {
    const auto ops = isa::chain_ops();
    while (true) {
      const auto& op = ops[random_.below(ops.size())];
      const int wanted = other ? 2 : 1;
      if (op.operands != wanted && !(op.operands == 3 && other)) continue;
      if (!is_legal(op, compute_, value_, equal_wanted_)) continue;
      if (other && !is_equal(op) && other->most > 4) continue;
      std::vector<Value> operands{value_};
      if (other) operands.push_back(*other);
      if (op.operands == 3) operands = {*other, value_, *other};
      return take(op, operands);
    }
  }
  void begin(const Value& value) { value_ = value; }
  void constant() { take(*std::ranges::find(isa::chain_ops(), "constant", &isa::ChainOp::name), {}); }
  [[nodiscard]] const Value& value() const { return value_; }
  [[nodiscard]] const std::vector<machine::ProgramBuilder::Step>& steps() const { return steps_; }

 private:
  void take(const isa::ChainOp& op, const std::vector<Value>& operands) {
    machine::ProgramBuilder::Step step{op.name};
    for (size_t i = 0; i < operands.size(); ++i) step.operands[i] = operands[i].number;
    step.alpha = static_cast<float>(random_.between(-8, 8)) / 4;
    step.beta = step.alpha + static_cast<float>(random_.between(0, 8)) / 4;  // Of clip: not below alpha.
    steps_.push_back(step);
    Trust trust = is_equal(op) || compute_ == DType::i64 ? Trust::equal : Trust::close;
    for (const Value& value : operands) trust = std::max(trust, value.trust);
    value_ = {static_cast<uint8_t>(isa::chain_inputs + steps_.size() - 1), trust, most_of(op, operands)};
  }

  Random& random_;
  DType compute_;
  bool equal_wanted_;
  Value value_;
  std::vector<machine::ProgramBuilder::Step> steps_;
};

DType compute_type(Source& source, const std::vector<Tile>& streams, DType out) {
  const bool integers =
      !is_float(out) && std::ranges::none_of(streams, [](const Tile& t) { return is_float(t.dtype); });
  if (integers && source.random.one_in(2)) return DType::i64;
  return source.random.one_in(4) ? DType::f64 : DType::f32;
}

}  // namespace

int64_t draw_chain(Source& source, const std::vector<Tile>& streams, Tile& out) {
  const DType compute = compute_type(source, streams, out.dtype);
  ChainDraw draw(source, compute, !is_float(out.dtype));
  const auto value_of = [&](size_t i) {
    return Value{static_cast<uint8_t>(i), std::max(streams[i].trust, Trust::equal), streams[i].most};
  };
  if (streams.empty())
    draw.constant();
  else
    draw.begin(value_of(0));
  for (size_t i = 1; i < streams.size(); ++i) {
    if (source.random.one_in(3)) draw.step(nullptr);
    const Value other = value_of(i);
    draw.step(&other);
  }
  for (int64_t more = source.of(draw.steps().empty() ? 1 : 0, 2); more > 0; --more) draw.step(nullptr);
  out.trust = draw.value().trust;
  out.most = draw.value().most;
  return source.builder.chain(compute, static_cast<uint8_t>(streams.size()), draw.steps());
}

}  // namespace hadal::fuzz

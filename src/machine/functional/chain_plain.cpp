// Chain operations in plain C++: the definition of all types, and the way of f64 and i64.
#include <algorithm>
#include <array>
#include <utility>

#include "machine/functional/chain.h"
#include "machine/functional/chain_op.h"

namespace hadal::machine {

namespace {

uint64_t bits(int64_t value) { return static_cast<uint64_t>(value); }
int64_t wrapped(uint64_t value) { return static_cast<int64_t>(value); }

int64_t divided(int64_t a, int64_t b) {
  if (b == 0) return 0;
  return b == -1 ? wrapped(0 - bits(a)) : a / b;
}

int64_t remainder(int64_t a, int64_t b, bool sign_of_b) {
  if (b == 0 || b == -1) return 0;
  const int64_t r = a % b;
  return sign_of_b && r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

int64_t power(int64_t base, int64_t exponent) {
  if (exponent < 0) return base == 1 ? 1 : base == -1 ? (exponent % 2 == 0 ? 1 : -1) : 0;
  uint64_t result = 1, square = bits(base);
  for (; exponent > 0; exponent /= 2, square *= square)
    if (exponent % 2 != 0) result *= square;
  return wrapped(result);
}

int64_t shifted(int64_t a, int64_t by) {
  if (by >= 0) return by > 63 ? 0 : wrapped(bits(a) << by);
  return a >> std::min<int64_t>(-by, 63);
}

/// Operations without a meaning in integers: computed in f64, then truncated.
template <size_t... i>
double apply_double(ChainOp op, double a, double b, double c, float alpha, float beta, std::index_sequence<i...>) {
  using F = double (*)(double, double, double, float, float);
  static constexpr std::array<F, sizeof...(i)> functions{&apply<static_cast<ChainOp>(i), double>...};
  return functions[static_cast<size_t>(op)](a, b, c, alpha, beta);
}

template <ChainOp op, class T>
void run(T* out, const T* a, const T* b, const T* c, float alpha, float beta, size_t n) {
  for (size_t i = 0; i < n; ++i) out[i] = apply<op, T>(a ? a[i] : T(), b ? b[i] : T(), c ? c[i] : T(), alpha, beta);
}

template <class T, size_t... i>
constexpr std::array<ChainFunction<T>, sizeof...(i)> functions_of(std::index_sequence<i...>) {
  return {&run<static_cast<ChainOp>(i), T>...};
}

template <class T>
constexpr auto functions = functions_of<T>(std::make_index_sequence<chain_op_count>());

}  // namespace

int64_t apply_integer(ChainOp op, int64_t a, int64_t b, int64_t c, float alpha, float beta) {
  using enum ChainOp;
  switch (op) {
    case constant:
      return truncated(static_cast<double>(alpha));
    case copy:
    case floor:
    case ceil:
    case round:
    case trunc:
      return a;
    case neg:
      return wrapped(0 - bits(a));
    case ChainOp::abs:
      return a < 0 ? wrapped(0 - bits(a)) : a;
    case sign:
      return a > 0 ? 1 : a < 0 ? -1 : 0;
    case logical_not:
      return a == 0 ? 1 : 0;
    case is_nan:
    case is_inf:
      return 0;
    case relu:
      return std::max<int64_t>(a, 0);
    case clip:
      return std::min(std::max(a, truncated(static_cast<double>(alpha))), truncated(static_cast<double>(beta)));
    case add:
      return wrapped(bits(a) + bits(b));
    case sub:
      return wrapped(bits(a) - bits(b));
    case mul:
      return wrapped(bits(a) * bits(b));
    case ChainOp::div:
      return divided(a, b);
    case rem:
      return remainder(a, b, true);
    case fmod:
      return remainder(a, b, false);
    case pow:
      return power(a, b);
    case min:
      return std::min(a, b);
    case max:
      return std::max(a, b);
    case logical_and:
      return a != 0 && b != 0 ? 1 : 0;
    case logical_or:
      return a != 0 || b != 0 ? 1 : 0;
    case logical_xor:
      return (a != 0) != (b != 0) ? 1 : 0;
    case equal:
      return a == b ? 1 : 0;
    case less:
      return a < b ? 1 : 0;
    case less_equal:
      return a <= b ? 1 : 0;
    case greater:
      return a > b ? 1 : 0;
    case greater_equal:
      return a >= b ? 1 : 0;
    case shift_left:
      return shifted(a, std::clamp<int64_t>(b, -64, 64));
    case shift_right:
      return shifted(a, -std::clamp<int64_t>(b, -64, 64));
    case bit_and:
      return a & b;
    case bit_or:
      return a | b;
    case bit_xor:
      return a ^ b;
    case prelu:
      return a >= 0 ? a : wrapped(bits(a) * bits(b));
    case where:
      return a != 0 ? b : c;
    default:
      break;
  }
  const double value = apply_double(op, static_cast<double>(a), static_cast<double>(b), static_cast<double>(c), alpha,
                                    beta, std::make_index_sequence<chain_op_count>());
  return truncated(value);
}

template <class T>
std::span<const ChainFunction<T>> plain_chain_functions() {
  return functions<T>;
}
template std::span<const ChainFunction<float>> plain_chain_functions<float>();
template std::span<const ChainFunction<double>> plain_chain_functions<double>();
template std::span<const ChainFunction<int64_t>> plain_chain_functions<int64_t>();

}  // namespace hadal::machine

#include "graph/ops/scalar.h"

#include <limits>
#include <numbers>
#include <unordered_map>

#include "graph/backward.h"
#include "graph/ops.h"
#include "graph/ops/elementwise.h"

namespace hadal::graph {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// A body on floats, and one on integers.
#define REAL(expression)                                                                                              \
  +[]([[maybe_unused]] double a, [[maybe_unused]] double b, [[maybe_unused]] double c, [[maybe_unused]] double alpha, \
      [[maybe_unused]] double beta) -> double { return expression; }
#define WHOLE(expression)                                                                                       \
  +[]([[maybe_unused]] Wide a, [[maybe_unused]] Wide b, [[maybe_unused]] Wide c, [[maybe_unused]] double alpha, \
      [[maybe_unused]] double beta) -> Wide { return expression; }
#define NO_FLOAT REAL(a)

double sigmoid_of(double x) { return 1 / (1 + std::exp(-x)); }
double softplus_of(double x) { return std::log1p(std::exp(-std::fabs(x))) + (x > 0 ? x : 0); }
double remainder_of(double a, double b) {
  const double r = std::fmod(a, b);
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}
constexpr double clamp(double x, double low, double high) {
  const double raised = x < low ? low : x;
  return raised > high ? high : raised;
}

/// Products wrap, as the narrow types' do.
constexpr Wide times(Wide a, Wide b) {
  return static_cast<Wide>(static_cast<unsigned __int128>(a) * static_cast<unsigned __int128>(b));
}
Wide power(Wide base, Wide exponent) {
  if (exponent < 0) return base == 1 ? 1 : base == -1 ? (exponent % 2 ? -1 : 1) : 0;
  Wide result = 1;
  for (; exponent > 0; exponent /= 2, base = times(base, base))
    if (exponent % 2) result = times(result, base);
  return result;
}
Wide whole_bound(double bound) { return static_cast<Wide>(clamp(bound, -0x1p65, 0x1p65)); }
Wide whole_clip(Wide x, double low, double high) {
  const Wide raised = std::max(x, whole_bound(std::ceil(low)));
  return std::min(raised, whole_bound(std::floor(high)));
}
constexpr bool shifts(Wide by) { return by >= 0 && by < 64; }

// Division by zero gives 0 on integers: hardware has no trap, and the result must be defined.
constexpr ScalarFunction table[] = {
    // unary
    {"neg", 1, REAL(-a), WHOLE(-a)},
    {"abs", 1,
     REAL(a < 0    ? -a
          : a == 0 ? 0
                   : a),
     WHOLE(a < 0 ? -a : a)},
    {"sign", 1,
     REAL(a > 0   ? 1
          : a < 0 ? -1
                  : a),
     WHOLE((a > 0) - (a < 0))},
    {"floor", 1, REAL(std::floor(a))},
    {"ceil", 1, REAL(std::ceil(a))},
    {"round", 1, REAL(std::nearbyint(a))},
    {"exp", 1, REAL(std::exp(a))},
    {"log", 1, REAL(std::log(a))},
    {"sqrt", 1, REAL(std::sqrt(a))},
    {"rsqrt", 1, REAL(1 / std::sqrt(a))},
    {"reciprocal", 1, REAL(1 / a)},
    {"sin", 1, REAL(std::sin(a))},
    {"cos", 1, REAL(std::cos(a))},
    {"tan", 1, REAL(std::tan(a))},
    {"asin", 1, REAL(std::asin(a))},
    {"acos", 1, REAL(std::acos(a))},
    {"atan", 1, REAL(std::atan(a))},
    {"sinh", 1, REAL(std::sinh(a))},
    {"cosh", 1, REAL(std::cosh(a))},
    {"tanh", 1, REAL(std::tanh(a))},
    {"asinh", 1, REAL(std::asinh(a))},
    {"acosh", 1, REAL(std::acosh(a))},
    {"atanh", 1, REAL(std::atanh(a))},
    {"erf", 1, REAL(std::erf(a))},
    {.name = "is_nan", .arity = 1, .evaluate = REAL(a != a), .to_bool = true},
    {.name = "is_inf", .arity = 1, .evaluate = REAL(a == infinity || a == -infinity), .to_bool = true},
    {.name = "not", .arity = 1, .evaluate = REAL(a == 0), .to_bool = true, .on_float = false, .on_bool = true},
    // activations
    {"relu", 1, REAL(a < 0 ? 0 : a), WHOLE(a < 0 ? 0 : a)},
    {.name = "leaky_relu", .arity = 1, .evaluate = REAL(a < 0 ? alpha * a : a), .alpha = 0.01},
    {.name = "elu", .arity = 1, .evaluate = REAL(a < 0 ? alpha * std::expm1(a) : a), .alpha = 1},
    {.name = "selu",
     .arity = 1,
     .evaluate = REAL(beta * (a > 0 ? a : alpha * std::expm1(a))),
     .alpha = 1.67326319217681884765625,
     .beta = 1.05070102214813232421875},
    {.name = "celu", .arity = 1, .evaluate = REAL(a < 0 ? alpha * std::expm1(a / alpha) : a), .alpha = 1},
    {"sigmoid", 1, REAL(sigmoid_of(a))},
    {.name = "hard_sigmoid", .arity = 1, .evaluate = REAL(clamp(alpha * a + beta, 0, 1)), .alpha = 0.2, .beta = 0.5},
    {"hard_swish", 1, REAL(a * clamp(a / 6 + 0.5, 0, 1))},
    {"silu", 1, REAL(a * sigmoid_of(a))},
    {"gelu", 1, REAL(0.5 * a * (1 + std::erf(a * std::numbers::sqrt2 / 2)))},
    {"gelu_tanh", 1, REAL(0.5 * a * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (a + 0.044715 * a * a * a))))},
    {"softplus", 1, REAL(softplus_of(a))},
    {"softsign", 1, REAL(a / (1 + std::fabs(a)))},
    {"mish", 1, REAL(a * std::tanh(softplus_of(a)))},
    {.name = "thresholded_relu", .arity = 1, .evaluate = REAL(a > alpha ? a : 0), .alpha = 1},
    {.name = "clip",
     .arity = 1,
     .evaluate = REAL(clamp(a, alpha, beta)),
     .integer = WHOLE(whole_clip(a, alpha, beta)),
     .alpha = -infinity,
     .beta = infinity},
    // binary
    {"add", 2, REAL(a + b), WHOLE(a + b)},
    {"sub", 2, REAL(a - b), WHOLE(a - b)},
    {"mul", 2, REAL(a * b), WHOLE(times(a, b))},
    {"div", 2, REAL(a / b), WHOLE(b == 0 ? 0 : a / b)},
    {"rem", 2, REAL(remainder_of(a, b)),
     WHOLE(b == 0                                   ? 0
           : (a % b != 0 && (a % b < 0) != (b < 0)) ? a % b + b
                                                    : a % b)},
    {"fmod", 2, REAL(std::fmod(a, b)), WHOLE(b == 0 ? 0 : a % b)},
    {"pow", 2, REAL(std::pow(a, b)), WHOLE(power(a, b))},
    {"min", 2, REAL(a != a || a < b ? a : b), WHOLE(a < b ? a : b)},
    {"max", 2, REAL(a != a || a > b ? a : b), WHOLE(a > b ? a : b)},
    {"prelu", 2, REAL(a < 0 ? a * b : a), WHOLE(a < 0 ? times(a, b) : a)},
    {.name = "and",
     .arity = 2,
     .evaluate = REAL(a != 0 && b != 0),
     .to_bool = true,
     .on_float = false,
     .on_bool = true},
    {.name = "or", .arity = 2, .evaluate = REAL(a != 0 || b != 0), .to_bool = true, .on_float = false, .on_bool = true},
    {.name = "xor",
     .arity = 2,
     .evaluate = REAL((a != 0) != (b != 0)),
     .to_bool = true,
     .on_float = false,
     .on_bool = true},
    {.name = "bit_and", .arity = 2, .evaluate = NO_FLOAT, .integer = WHOLE(a & b), .on_float = false},
    {.name = "bit_or", .arity = 2, .evaluate = NO_FLOAT, .integer = WHOLE(a | b), .on_float = false},
    {.name = "bit_xor", .arity = 2, .evaluate = NO_FLOAT, .integer = WHOLE(a ^ b), .on_float = false},
    {.name = "shift_left",
     .arity = 2,
     .evaluate = NO_FLOAT,
     .integer = WHOLE(shifts(b) ? times(a, Wide{1} << b) : 0),
     .on_float = false},
    {.name = "shift_right",
     .arity = 2,
     .evaluate = NO_FLOAT,
     .integer = WHOLE(shifts(b) ? a >> b
                      : a < 0   ? -1
                                : 0),
     .on_float = false},
    {.name = "equal", .arity = 2, .evaluate = REAL(a == b), .integer = WHOLE(a == b), .to_bool = true, .on_bool = true},
    {.name = "less", .arity = 2, .evaluate = REAL(a < b), .integer = WHOLE(a < b), .to_bool = true},
    {.name = "less_equal", .arity = 2, .evaluate = REAL(a <= b), .integer = WHOLE(a <= b), .to_bool = true},
    {.name = "greater", .arity = 2, .evaluate = REAL(a > b), .integer = WHOLE(a > b), .to_bool = true},
    {.name = "greater_equal", .arity = 2, .evaluate = REAL(a >= b), .integer = WHOLE(a >= b), .to_bool = true},
    // ternary
    {.name = "where", .arity = 3, .evaluate = REAL(a != 0 ? b : c), .integer = WHOLE(a != 0 ? b : c), .on_bool = true},
};

#undef REAL
#undef WHOLE
#undef NO_FLOAT

/// The index of a row, found while compiling: an op without a row does not build.
consteval size_t row_of(std::string_view name) {
  size_t i = 0;
  while (table[i].name != name) ++i;
  return i;
}

}  // namespace

namespace ops {

namespace {

/// The names that a gradient below is written with: operands a (or x) and b, result y, the result's gradient g.
struct Slopes {
  explicit Slopes(Backward& n)
      : x(n.in(0)),
        b(n.in(n.node.inputs.size() > 1 ? 1 : 0)),
        y(n.out()),
        g(n.upstream()),
        alpha(n.node.attributes.number("alpha", scalar_function(*n.node.op)->alpha)),
        beta(n.node.attributes.number("beta", scalar_function(*n.node.op)->beta)) {}
  Term x, b, y, g;
  double alpha, beta;
};

/// Half to each of two equal operands of min and max.
Term share(const Term& g, const Term& mine, const Term& other, const Op& wins) {
  return where(wins(mine, other), g, where(equal(mine, other), g * 0.5, g.number(0)));
}
Term gelu_slope(const Term& x) {
  const Term density = exp(x * x * -0.5) * (1 / std::sqrt(2 * std::numbers::pi));
  return (erf(x * (std::numbers::sqrt2 / 2)) + 1) * 0.5 + x * density;
}
Term gelu_tanh_slope(const Term& x) {
  const double k = std::sqrt(2 / std::numbers::pi);
  const Term square = x * x, t = tanh(x * (square * (0.044715 * k) + k));
  return (t + 1) * 0.5 + x * (1 - t * t) * (square * (1.5 * 0.044715 * k) + 0.5 * k);
}
Term mish_slope(const Term& x) {
  const Term t = tanh(softplus(x));
  return t + x * (1 - t * t) * sigmoid(x);
}
Term truncated(const Term& quotient) { return sign(quotient) * floor(abs(quotient)); }

}  // namespace

// A gradient by one operand, or by the operands of two.
#define NAMES                                                                   \
  const Slopes s(n);                                                            \
  [[maybe_unused]] const Term &x = s.x, &a = s.x, &b = s.b, &y = s.y, &g = s.g; \
  [[maybe_unused]] const double alpha = s.alpha, beta = s.beta;                 \
  [[maybe_unused]] const Term zero = g.number(0)
#define GRADIENT(expression) \
  +[](Backward& n) {         \
    NAMES;                   \
    n.give(0, expression);   \
  }
#define GRADIENTS(by_a, by_b)        \
  +[](Backward& n) {                 \
    NAMES;                           \
    if (n.wants(0)) n.give(0, by_a); \
    if (n.wants(1)) n.give(1, by_b); \
  }
#define FLAT +[](Backward&) {}  // Steps: the gradient is zero wherever there is one.
#define DISCRETE nullptr

#define SCALAR(identifier, name, summary, gradient, ...) \
  const Op identifier = scalar_op<table[row_of(name)]>(summary, gradient __VA_OPT__(, ) __VA_ARGS__)

SCALAR(neg, "neg", "-x.", GRADIENT(-g));
SCALAR(abs, "abs", "|x|.", GRADIENT(g* sign(x)));
SCALAR(sign, "sign", "-1, 0 or 1.", FLAT);
SCALAR(floor, "floor", "Largest integer not above x.", FLAT);
SCALAR(ceil, "ceil", "Smallest integer not below x.", FLAT);
SCALAR(round, "round", "Nearest integer, ties to even.", FLAT);
SCALAR(exp, "exp", "e^x.", GRADIENT(g* y));
SCALAR(log, "log", "Natural logarithm.", GRADIENT(g / x));
SCALAR(sqrt, "sqrt", "Square root.", GRADIENT(g / (y * 2)));
SCALAR(rsqrt, "rsqrt", "1 / sqrt(x).", GRADIENT(g* y / x * -0.5));
SCALAR(reciprocal, "reciprocal", "1 / x.", GRADIENT(-(g * y * y)));
SCALAR(sin, "sin", "Sine.", GRADIENT(g* cos(x)));
SCALAR(cos, "cos", "Cosine.", GRADIENT(-(g* sin(x))));
SCALAR(tan, "tan", "Tangent.", GRADIENT(g*(y* y + 1)));
SCALAR(asin, "asin", "Inverse sine.", GRADIENT(g / sqrt(1 - x * x)));
SCALAR(acos, "acos", "Inverse cosine.", GRADIENT(-(g / sqrt(1 - x * x))));
SCALAR(atan, "atan", "Inverse tangent.", GRADIENT(g / (x * x + 1)));
SCALAR(sinh, "sinh", "Hyperbolic sine.", GRADIENT(g* cosh(x)));
SCALAR(cosh, "cosh", "Hyperbolic cosine.", GRADIENT(g* sinh(x)));
SCALAR(tanh, "tanh", "Hyperbolic tangent.", GRADIENT(g * (1 - y * y)));
SCALAR(asinh, "asinh", "Inverse hyperbolic sine.", GRADIENT(g / sqrt(x * x + 1)));
SCALAR(acosh, "acosh", "Inverse hyperbolic cosine.", GRADIENT(g / sqrt(x * x - 1)));
SCALAR(atanh, "atanh", "Inverse hyperbolic tangent.", GRADIENT(g / (1 - x * x)));
SCALAR(erf, "erf", "Error function.", GRADIENT(g* exp(-(x* x)) * (2 * std::numbers::inv_sqrtpi)));
SCALAR(is_nan, "is_nan", "Whether x is not a number.", DISCRETE);
SCALAR(is_inf, "is_inf", "Whether x is infinite, of either sign.", DISCRETE);
SCALAR(not_, "not", "Logical not.", DISCRETE);
SCALAR(relu, "relu", "max(x, 0).", GRADIENT(where(x > 0, g, zero)));
SCALAR(leaky_relu, "leaky_relu", "x, or alpha * x if x < 0.", GRADIENT(where(x < 0, g* alpha, g)), {"alpha"});
SCALAR(elu, "elu", "x, or alpha * (e^x - 1) if x < 0.", GRADIENT(where(x < 0, g*(y + alpha), g)), {"alpha"});
SCALAR(selu, "selu", "beta * (x, or alpha * (e^x - 1) if x <= 0).",
       GRADIENT(where(x > 0, g* beta, g*(y + alpha * beta))), {"alpha", "beta"});
SCALAR(celu, "celu", "x, or alpha * (e^(x/alpha) - 1) if x < 0.", GRADIENT(where(x < 0, g* exp(x / alpha), g)),
       {"alpha"});
SCALAR(sigmoid, "sigmoid", "1 / (1 + e^-x).", GRADIENT(g * y * (1 - y)));
SCALAR(hard_sigmoid, "hard_sigmoid", "alpha * x + beta, clipped to [0, 1].",
       GRADIENT(where((y > 0) & (y < 1), g* alpha, zero)), {"alpha", "beta"});
SCALAR(hard_swish, "hard_swish", "x * clip(x / 6 + 1/2, 0, 1).",
       GRADIENT(g* where(x < -3, zero, where(x > 3, g.number(1), x / 3 + 0.5))));
SCALAR(silu, "silu", "x * sigmoid(x).", GRADIENT(g*(sigmoid(x) * (1 - y) + y)));
SCALAR(gelu, "gelu", "x/2 * (1 + erf(x / sqrt(2))).", GRADIENT(g* gelu_slope(x)));
SCALAR(gelu_tanh, "gelu_tanh", "x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3))).", GRADIENT(g* gelu_tanh_slope(x)));
SCALAR(softplus, "softplus", "log(1 + e^x).", GRADIENT(g* sigmoid(x)));
SCALAR(softsign, "softsign", "x / (1 + |x|).", GRADIENT(g / ((abs(x) + 1) * (abs(x) + 1))));
SCALAR(mish, "mish", "x * tanh(softplus(x)).", GRADIENT(g* mish_slope(x)));
SCALAR(thresholded_relu, "thresholded_relu", "x if x > alpha, else 0.", GRADIENT(where(x > alpha, g, zero)), {"alpha"});
SCALAR(clip, "clip", "min(max(x, alpha), beta).", GRADIENT(where((x >= alpha) & (x <= beta), g, zero)),
       {"alpha", "beta"});
SCALAR(add, "add", "a + b.", GRADIENTS(g, g));
SCALAR(sub, "sub", "a - b.", GRADIENTS(g, -g));
SCALAR(mul, "mul", "a * b.", GRADIENTS(g* b, g* a));
SCALAR(div, "div", "a / b; integers truncate.", GRADIENTS(g / b, -(g* y / b)));
SCALAR(rem, "rem", "a modulo b, with the sign of b.", GRADIENTS(g, -(g* floor(a / b))));
SCALAR(fmod, "fmod", "a modulo b, with the sign of a.", GRADIENTS(g, -(g* truncated(a / b))));
SCALAR(pow, "pow", "a to the power of b.",
       GRADIENTS(where(equal(b, zero), zero, g * b * pow(a, b - 1)), where(a > 0, g * y * log(a), zero)));
SCALAR(min, "min", "The smaller; NaN if either is.", GRADIENTS(share(g, a, b, less), share(g, b, a, less)));
SCALAR(max, "max", "The larger; NaN if either is.", GRADIENTS(share(g, a, b, greater), share(g, b, a, greater)));
SCALAR(prelu, "prelu", "x, or slope * x if x < 0.", GRADIENTS(where(a < 0, g* b, g), where(a < 0, g* a, zero)));
SCALAR(and_, "and", "Logical and.", DISCRETE);
SCALAR(or_, "or", "Logical or.", DISCRETE);
SCALAR(xor_, "xor", "Logical exclusive or.", DISCRETE);
SCALAR(bit_and, "bit_and", "Bitwise and.", DISCRETE);
SCALAR(bit_or, "bit_or", "Bitwise or.", DISCRETE);
SCALAR(bit_xor, "bit_xor", "Bitwise exclusive or.", DISCRETE);
SCALAR(shift_left, "shift_left", "a * 2^b, wrapped; b outside [0, 64) shifts all bits out.", DISCRETE);
SCALAR(shift_right, "shift_right", "floor(a / 2^b); b outside [0, 64) shifts all bits out.", DISCRETE);
SCALAR(equal, "equal", "a == b.", DISCRETE);
SCALAR(less, "less", "a < b.", DISCRETE);
SCALAR(less_equal, "less_equal", "a <= b.", DISCRETE);
SCALAR(greater, "greater", "a > b.", DISCRETE);
SCALAR(greater_equal, "greater_equal", "a >= b.", DISCRETE);
SCALAR(
    where, "where", "a where c, else b.", +[](Backward& n) {
      const Term g = n.upstream(), zero = g.number(0);
      n.give(1, where(n.in(0), g, zero));
      n.give(2, where(n.in(0), zero, g));
    });

#undef SCALAR
#undef DISCRETE
#undef FLAT
#undef GRADIENTS
#undef GRADIENT
#undef NAMES

}  // namespace ops

const std::vector<const Op*>& scalar_ops() {
  using namespace ops;
  static const std::vector<const Op*> all{
      &neg,        &abs,      &sign,          &floor,      &ceil,        &round,        &exp,
      &log,        &sqrt,     &rsqrt,         &reciprocal, &sin,         &cos,          &tan,
      &asin,       &acos,     &atan,          &sinh,       &cosh,        &tanh,         &asinh,
      &acosh,      &atanh,    &erf,           &is_nan,     &is_inf,      &not_,         &relu,
      &leaky_relu, &elu,      &selu,          &celu,       &sigmoid,     &hard_sigmoid, &hard_swish,
      &silu,       &gelu,     &gelu_tanh,     &softplus,   &softsign,    &mish,         &thresholded_relu,
      &clip,       &add,      &sub,           &mul,        &div,         &rem,          &fmod,
      &pow,        &ops::min, &ops::max,      &prelu,      &and_,        &or_,          &xor_,
      &bit_and,    &bit_or,   &bit_xor,       &shift_left, &shift_right, &ops::equal,   &less,
      &less_equal, &greater,  &greater_equal, &ops::where};
  return all;
}

const ScalarFunction* scalar_function(const Op& op) {
  static const auto rows = [] {
    std::unordered_map<const Op*, const ScalarFunction*> out;
    for (const Op* scalar : scalar_ops())
      for (const ScalarFunction& row : table)
        if (row.name == scalar->name) out[scalar] = &row;
    return out;
  }();
  const auto found = rows.find(&op);
  return found == rows.end() ? nullptr : found->second;
}

}  // namespace hadal::graph

// Random numbers: drawn when the model is read, so that every run of a program sees the same.
#include <cmath>
#include <random>

#include "onnx/terms.h"

namespace hadal::onnx {

namespace {

/// The Mersenne Twister (Matsumoto and Nishimura, ACM TOMACS 8, 1998), drawn from as NumPy's RandomState does: one seed
/// gives the numbers that it gives there.
class Generator {
 public:
  explicit Generator(uint32_t seed) : bits_(seed) {}

  /// In [0, 1), of 53 bits.
  double uniform() {
    const auto high = static_cast<double>(bits_() >> 5), low = static_cast<double>(bits_() >> 6);
    return (high * 0x1p26 + low) * 0x1p-53;
  }

  /// Of mean 0 and deviation 1: Marsaglia's polar method, which makes two at a time.
  double normal() {
    if (const double kept = std::exchange(kept_, 0); kept != 0) return kept;
    for (;;) {
      const double x = 2 * uniform() - 1, y = 2 * uniform() - 1, square = x * x + y * y;
      if (square >= 1 || square == 0) continue;
      const double factor = std::sqrt(-2 * std::log(square) / square);
      kept_ = factor * x;
      return factor * y;
    }
  }

 private:
  std::mt19937 bits_;
  double kept_ = 0;
};

/// By the node's seed; without one, by its place in the graph.
Generator generator_of(const Site& n) {
  if (n.b.training()) fail("onnx.unsupported", "random numbers in training are not supported");
  if (!n.has("seed")) return Generator(static_cast<uint32_t>(n.b.graph.values.size()));
  const ModelAttribute& seed = n.attribute("seed");
  const double value = seed.kind == ModelAttribute::Kind::integer ? static_cast<double>(seed.integer) : seed.number;
  if (!(value >= 0 && value < 0x1p32)) fail("onnx.attribute", "seed is {}, expected 0 to 2^32 - 1", value);
  return Generator(static_cast<uint32_t>(value));
}

template <class Draw>
Term drawn(const Site& n, DType dtype, const Shape& shape, Draw draw) {
  n.b.check_size({DType::f64, shape});
  n.b.book(checked_bytes(shape, bytes_of(dtype)));
  std::byte* data = nullptr;
  Tensor out = Tensor::zeros(dtype, shape, data);
  for (int64_t i = 0; i < out.size(); ++i) store_number(dtype, data + i * bytes_of(dtype), draw());
  return {&n.b, n.b.constant(std::move(out))};
}

DType stated_type(const Site& n, DType otherwise) {
  const auto dtype = n.has("dtype") ? dtype_of(static_cast<int>(n.integer("dtype"))) : otherwise;
  if (!dtype) fail("onnx.dtype", "{} is not supported", onnx_type_name(static_cast<int>(n.integer("dtype"))));
  return *dtype;
}

DType float_type(const Site& n, DType otherwise) {
  const DType dtype = stated_type(n, otherwise);
  if (!is_float(dtype)) fail("onnx.dtype", "random numbers of {}, expected floats", name_of(dtype));
  return dtype;
}

Term uniform(const Site& n, DType dtype, const Shape& shape) {
  const double low = n.number("low", 0), high = n.number("high", 1);
  Generator generator = generator_of(n);
  return drawn(n, dtype, shape, [&] { return low + (high - low) * generator.uniform(); });
}

Term normal(const Site& n, DType dtype, const Shape& shape) {
  const double mean = n.number("mean", 0), scale = n.number("scale", 1);
  Generator generator = generator_of(n);
  return drawn(n, dtype, shape, [&] { return mean + scale * generator.normal(); });
}

template <Term (*draw)(const Site&, DType, const Shape&)>
Values of_shape(Site& n) {
  return {draw(n, float_type(n, DType::f32), n.attribute("shape").integers).id};
}

template <Term (*draw)(const Site&, DType, const Shape&)>
Values like(Site& n) {
  return {draw(n, float_type(n, n.b.dtype(n[0])), n.b.shape(n[0])).id};
}

/// 1 where the operand, a probability, is above a number drawn for it.
Values bernoulli(Site& n) {
  Generator generator = generator_of(n);
  const Term x = input(n, 0);
  const Term chance = drawn(n, x.dtype(), x.shape(), [&] { return generator.uniform(); });
  return {(chance < x).as(stated_type(n, x.dtype())).id};
}

/// At inference, or where nothing is dropped, the operand itself; the mask, if asked for, is all true.
Values dropout(Site& n) {
  const bool trains = n.b.training() || (n.has(2) && n.integer(2, "training_mode") != 0);
  const double ratio = n.has("ratio") ? n.number("ratio") : n.has(1) ? n.number(1, "ratio") : 0.5;
  const Term x = input(n, 0);
  if (!trains || ratio == 0) {
    if (!n.wants(1)) return {n[0]};
    return {n[0], n.b.broadcast(n.b.scalar(DType::boolean, 1), x.shape())};
  }
  if (!(ratio > 0 && ratio < 1)) fail("onnx.attribute", "ratio is {}, expected a number in [0, 1)", ratio);
  Generator generator = generator_of(n);
  const Term kept = drawn(n, DType::boolean, x.shape(), [&] { return generator.uniform() >= ratio ? 1.0 : 0.0; });
  return {(x * kept.as(x.dtype()) * (1 / (1 - ratio))).id, kept.id};
}

constexpr Operator rows[] = {
    {"Bernoulli", bernoulli, "less cast", 1, 1, "dtype:i seed:f"},
    {"Dropout", dropout, "broadcast mul cast", 1, 3, "ratio:f seed:i is_test:i"},
    {"RandomNormal", of_shape<normal>, "", 0, 0, "dtype:i mean:f scale:f seed:f shape:is"},
    {"RandomNormalLike", like<normal>, "", 1, 1, "dtype:i mean:f scale:f seed:f"},
    {"RandomUniform", of_shape<uniform>, "", 0, 0, "dtype:i high:f low:f seed:f shape:is"},
    {"RandomUniformLike", like<uniform>, "", 1, 1, "dtype:i high:f low:f seed:f"},
};

}  // namespace

std::span<const Operator> random_operators() { return rows; }

}  // namespace hadal::onnx

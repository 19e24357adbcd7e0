// Fourier transforms as products with constant matrices, windows and the mel scale as constants.
#include <cmath>
#include <functional>
#include <numbers>

#include "onnx/terms.h"

namespace hadal::onnx {

namespace {

constexpr int64_t longest = int64_t{1} << 20;

Term constant_of(Site& n, DType dtype, const Shape& shape, const std::vector<double>& values) {
  n.b.check_size({DType::f64, shape});
  n.b.book(checked_bytes(shape, bytes_of(dtype)));
  return {&n.b, n.b.constant(hadal::cast(Tensor::of(DType::f64, shape, values), dtype))};
}

struct Transform {
  int64_t length = 0;  ///< Of the transform.
  int64_t read = 0;    ///< Elements of the operand that count; those behind are zero.
  int64_t made = 0;
  bool inverse = false;
  int64_t parts_read = 1, parts_made = 2;  ///< 1: real numbers; 2: complex ones.
  bool mirrored = false;                   ///< Of the operand only the first half is there; the other is its conjugate.
};

/// [read * parts_read, made * parts_made]: what each element adds to each result.
Term matrix_of(Site& n, const Transform& t, DType dtype) {
  const Shape shape{t.read * t.parts_read, t.made * t.parts_made};
  n.b.check_size({DType::f64, shape});
  std::vector<double> values;
  values.reserve(static_cast<size_t>(elements(shape)));
  const double scale = t.inverse ? 1.0 / static_cast<double>(t.length) : 1;
  for (int64_t k = 0; k < t.read; ++k)
    for (int64_t from = 0; from < t.parts_read; ++from)
      for (int64_t j = 0; j < t.made; ++j)
        for (int64_t to = 0; to < t.parts_made; ++to) {
          const double turn = static_cast<double>(k * j % t.length) / static_cast<double>(t.length);
          const double angle = 2 * std::numbers::pi * turn * (t.inverse ? 1 : -1);
          const double times = t.mirrored && k != 0 && 2 * k != t.length ? 2 * scale : scale;
          values.push_back(times * (from == to ? std::cos(angle) : to == 1 ? std::sin(angle) : -std::sin(angle)));
        }
  return constant_of(n, dtype, shape, values);
}

/// Along the axis before the last, which holds real and imaginary parts.
Term transformed(Site& n, const Term& x, const Transform& t) {
  Shape shape = x.shape();
  const auto axis = static_cast<int64_t>(shape.size()) - 2;
  const Term used = x.slice(axis, 0, t.read);
  const Shape outer(shape.begin(), shape.begin() + axis);
  const Term rows = used.reshaped({elements(outer), t.read * t.parts_read});
  shape[static_cast<size_t>(axis)] = t.made;
  shape.back() = t.parts_made;
  return product(rows, matrix_of(n, t, x.dtype())).reshaped(shape);
}

Values dft(Site& n) {
  const Shape x = n.b.shape(n[0]);
  const int64_t rank = n.b.rank(n[0]), parts = x.empty() ? 0 : x.back();
  if (rank < 2 || (parts != 1 && parts != 2) || elements(x) == 0) fail("onnx.shape", "the operand is {}", text_of(x));
  const int64_t axis = Site::axis(n.opset < 20 ? n.integer("axis", 1) : n.has(2) ? n.integer(2, "axis") : -2, rank);
  if (axis == rank - 1) fail("onnx.attribute", "the last axis holds real and imaginary parts");
  const bool onesided = n.integer("onesided") != 0, inverse = n.integer("inverse") != 0;
  const int64_t extent = x[static_cast<size_t>(axis)];
  const int64_t length = n.has(1) ? n.integer(1, "dft_length") : inverse && onesided ? 2 * (extent - 1) : extent;
  if (length < 1 || length > longest) fail("onnx.shape", "the transform's length is {}", length);
  if (onesided && (parts == 2) != inverse)
    fail("onnx.attribute", "onesided needs real numbers, or complex ones for the inverse");
  Transform t{.length = length, .inverse = inverse, .parts_read = parts, .mirrored = inverse && onesided};
  t.read = std::min(extent, t.mirrored ? length / 2 + 1 : length);
  t.made = onesided && !inverse ? length / 2 + 1 : length;
  t.parts_made = t.mirrored ? 1 : 2;
  Integers order;  // The axis moves before the last.
  for (int64_t i = 0; i < rank - 1; ++i)
    if (i != axis) order.push_back(i);
  order.insert(order.end(), {axis, rank - 1});
  Integers back(order.size());
  for (size_t i = 0; i < order.size(); ++i) back[static_cast<size_t>(order[i])] = static_cast<int64_t>(i);
  return {transformed(n, input(n, 0).transposed(order), t).transposed(back).id};
}

/// Frames of the signal, one `step` behind the other, each by the window and transformed.
Values stft(Site& n) {
  constexpr int64_t most_frames = 65536;
  Shape x = n.b.shape(n[0]);
  if (x.size() == 2) x.push_back(1);
  if (x.size() != 3 || (x[2] != 1 && x[2] != 2)) fail("onnx.shape", "the signal is {}", text_of(x));
  if (n.has(2) && n.b.rank(n[2]) != 1) fail("onnx.shape", "the window is {}", text_of(n.b.shape(n[2])));
  const int64_t step = n.integer(1, "frame_step");
  const int64_t length = n.has(3) ? n.integer(3, "frame_length") : n.has(2) ? n.b.shape(n[2])[0] : x[1];
  if (step < 1 || length < 1 || length > std::min(x[1], longest))
    fail("onnx.shape", "frames of {} in steps of {} in a signal of {}", length, step, x[1]);
  const int64_t frames = 1 + (x[1] - length) / step;
  if (frames > most_frames) fail("onnx.unsupported", "{} frames, at most {} are supported", frames, most_frames);
  const Term signal = input(n, 0).reshaped(x);
  std::vector<Term> list;
  for (int64_t i = 0; i < frames; ++i)
    list.push_back(signal.slice(1, i * step, length).reshaped({x[0], 1, length, x[2]}));
  Term all = joined(list, 1);
  if (n.has(2)) {
    if (n.b.shape(n[2])[0] != length) fail("onnx.shape", "a window of {} for frames of {}", n.b.shape(n[2])[0], length);
    all = all * input(n, 2).as(all.dtype()).reshaped({length, 1});
  }
  const bool onesided = n.integer("onesided", 1) != 0 && x[2] == 1;
  const Transform t{.length = length,
                    .read = length,
                    .made = onesided ? length / 2 + 1 : length,
                    .parts_read = x[2],
                    .parts_made = 2};
  return {transformed(n, all, t).id};
}

DType stated_type(const Site& n) {
  const auto dtype = dtype_of(static_cast<int>(n.integer("output_datatype", 1)));
  if (!dtype || !is_float(*dtype)) fail("onnx.dtype", "output_datatype {} is no float", n.integer("output_datatype"));
  return *dtype;
}

/// a0 - a1 * cos(turn) + a2 * cos(2 * turn), which reaches a whole turn behind the end, or at it.
Values cosine_window(Site& n, double a0, double a1, double a2) {
  const int64_t size = n.integer(0, "size");
  if (size < 0 || size > longest) fail("onnx.shape", "a window of {}", size);
  const auto turn = static_cast<double>(std::max<int64_t>(1, n.integer("periodic", 1) != 0 ? size : size - 1));
  std::vector<double> values;
  for (int64_t i = 0; i < size; ++i) {
    const double angle = 2 * std::numbers::pi * static_cast<double>(i) / turn;
    values.push_back(a0 - a1 * std::cos(angle) + a2 * std::cos(2 * angle));
  }
  return {constant_of(n, stated_type(n), {size}, values).id};
}

Values hann_window(Site& n) { return cosine_window(n, 0.5, 0.5, 0); }
Values hamming_window(Site& n) { return cosine_window(n, 25.0 / 46, 21.0 / 46, 0); }
Values blackman_window(Site& n) { return cosine_window(n, 0.42, 0.5, 0.08); }

/// Triangles over the bins of a spectrum, evenly apart on the mel scale: [dft_length / 2 + 1, num_mel_bins].
Values mel_weight_matrix(Site& n) {
  const int64_t bands = n.integer(0, "num_mel_bins"), length = n.integer(1, "dft_length"),
                rate = n.integer(2, "sample_rate");
  const double low = n.number(3, "lower_edge_hertz"), high = n.number(4, "upper_edge_hertz");
  if (bands < 1 || length < 1 || rate < 1 || bands > longest || length > longest || !(low >= 0) || !(high >= low))
    fail("onnx.shape", "{} bands from {} to {} Hz of {} bins", bands, low, high, length);
  const int64_t bins = length / 2 + 1;
  const auto mel = [](double hertz) { return 2595 * std::log10(1 + hertz / 700); };
  const auto bin = [&](int64_t i) {
    const double at = mel(low) + static_cast<double>(i) * (mel(high) - mel(low)) / static_cast<double>(bands + 2);
    const double hertz = 700 * (std::pow(10, at / 2595) - 1);
    const double position = std::floor(static_cast<double>(length + 1) * hertz / static_cast<double>(rate));
    if (!(position < static_cast<double>(bins))) fail("onnx.shape", "the band at {} Hz is beyond the spectrum", hertz);
    return static_cast<int64_t>(position);
  };
  n.b.check_size({DType::f64, {bins, bands}});
  std::vector<double> values(static_cast<size_t>(bins * bands));
  for (int64_t i = 0; i < bands; ++i) {
    const int64_t left = bin(i), centre = bin(i + 1), right = bin(i + 2);
    const auto set = [&](int64_t row, double value) { values[static_cast<size_t>(row * bands + i)] = value; };
    if (left == centre) set(centre, 1);
    for (int64_t row = left; row <= centre && left < centre; ++row)
      set(row, static_cast<double>(row - left) / static_cast<double>(centre - left));
    for (int64_t row = centre; row < right; ++row)
      set(row, static_cast<double>(right - row) / static_cast<double>(right - centre));
  }
  return {constant_of(n, stated_type(n), {bins, bands}, values).id};
}

constexpr Operator rows[] = {
    {"BlackmanWindow", blackman_window, "", 1, 1, "output_datatype:i periodic:i"},
    {"DFT", dft, "matmul slice reshape transpose", 1, 3, "axis:i inverse:i onesided:i"},
    {"HammingWindow", hamming_window, "", 1, 1, "output_datatype:i periodic:i"},
    {"HannWindow", hann_window, "", 1, 1, "output_datatype:i periodic:i"},
    {"MelWeightMatrix", mel_weight_matrix, "", 5, 5, "output_datatype:i"},
    {"STFT", stft, "matmul mul concat slice reshape cast", 2, 4, "onesided:i"},
};

}  // namespace

std::span<const Operator> signal_operators() { return rows; }

}  // namespace hadal::onnx

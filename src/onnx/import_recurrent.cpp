// LSTM, GRU and RNN, unrolled: one product with the inputs of all steps, then one with the state a step.
#include <algorithm>
#include <map>

#include "onnx/importer.h"

namespace hadal::onnx {

namespace {

// ---- activations

struct Activation {
  std::string name;  ///< In small letters.
  double alpha = 0, beta = 0;
};

struct ActivationRow {
  std::string_view name;
  const Op* op;  ///< Null for those that take several.
  bool has_alpha, has_beta;
  double alpha, beta;  ///< Where the node gives none.
};
constexpr ActivationRow activation_rows[] = {
    {"relu", &ops::relu, false, false, 0, 0},
    {"tanh", &ops::tanh, false, false, 0, 0},
    {"sigmoid", &ops::sigmoid, false, false, 0, 0},
    {"softsign", &ops::softsign, false, false, 0, 0},
    {"softplus", &ops::softplus, false, false, 0, 0},
    {"elu", &ops::elu, true, false, 1, 0},
    {"leakyrelu", &ops::leaky_relu, true, false, 0.01, 0},
    {"thresholdedrelu", &ops::thresholded_relu, true, false, 1, 0},
    {"hardsigmoid", &ops::hard_sigmoid, true, true, 0.2, 0.5},
    {"affine", nullptr, true, true, 1, 0},
    {"scaledtanh", nullptr, true, true, 1, 1},
};

const ActivationRow& row_of(const std::string& name) {
  for (const ActivationRow& row : activation_rows)
    if (row.name == name) return row;
  fail("onnx.attribute", "activation '{}' is not known", printable(name));
}

/// Of all directions, in order. Each that has an alpha (or beta) takes the next of the list.
std::vector<Activation> activations_of(const Site& n, const std::vector<std::string>& usual, size_t directions) {
  std::vector<std::string> names;
  for (size_t d = 0; d < directions; ++d) names.insert(names.end(), usual.begin(), usual.end());
  if (n.has("activations")) {
    if (n.attribute("activations").texts.size() != names.size())
      fail("onnx.attribute", "{} activations, expected {}", n.attribute("activations").texts.size(), names.size());
    names = n.attribute("activations").texts;
  }
  size_t alphas = 0, betas = 0;
  const auto next = [&](const char* list, size_t& at, double otherwise) {
    if (!n.has(list) || at >= n.attribute(list).numbers.size()) return otherwise;
    return n.attribute(list).numbers[at++];
  };
  std::vector<Activation> out;
  for (std::string name : names) {
    std::ranges::transform(name, name.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
    const ActivationRow& row = row_of(name);
    out.push_back({name, row.has_alpha ? next("activation_alpha", alphas, row.alpha) : 0,
                   row.has_beta ? next("activation_beta", betas, row.beta) : 0});
  }
  return out;
}

ValueId activate(const Site& n, const Activation& f, ValueId x) {
  const auto scalar = [&](double value) { return n.b.scalar(n.b.dtype(x), value); };
  if (f.name == "affine") return n.make(ops::add, {n.make(ops::mul, {x, scalar(f.alpha)}), scalar(f.beta)});
  if (f.name == "scaledtanh")
    return n.make(ops::mul, {n.make(ops::tanh, {n.make(ops::mul, {x, scalar(f.beta)})}), scalar(f.alpha)});
  const ActivationRow& row = row_of(f.name);
  Attributes attributes;
  if (row.has_alpha) attributes.set("alpha", f.alpha);
  if (row.has_beta) attributes.set("beta", f.beta);
  return n.make(*row.op, {x}, attributes);
}

// ---- one direction

struct State {
  ValueId h = absent, c = absent;
};

/// What a cell computes with, without the axis of directions.
struct Cell {
  const Site& n;
  int64_t hidden;
  std::vector<Activation> f;
  ValueId recurrent, recurrent_bias, peepholes;  ///< [gates*hidden, hidden], [gates*hidden], [3*hidden]
  bool input_forget, linear_before_reset;
  double clip;  ///< 0: none.

  [[nodiscard]] ValueId add(ValueId a, ValueId b) const { return n.make(ops::add, {a, b}); }
  [[nodiscard]] ValueId mul(ValueId a, ValueId b) const { return n.make(ops::mul, {a, b}); }
  /// 1 - x.
  [[nodiscard]] ValueId complement(ValueId x) const { return n.make(ops::sub, {n.b.scalar(n.b.dtype(x), 1), x}); }
  /// Gates [first, first + count) of what has them along its last axis.
  [[nodiscard]] ValueId gates(ValueId x, int64_t first, int64_t count = 1) const {
    return n.b.slice(x, n.b.rank(x) - 1, first * hidden, count * hidden);
  }
  [[nodiscard]] ValueId activated(size_t i, ValueId x) const {
    if (clip > 0) x = n.make(ops::clip, {x}, {{"alpha", -clip}, {"beta", clip}});
    return activate(n, f[i], x);
  }
  /// h * R' of some gates.
  [[nodiscard]] ValueId product(ValueId h, int64_t first, int64_t count) const {
    const ValueId r = n.b.slice(recurrent, 0, first * hidden, count * hidden);
    return n.make(ops::matmul, {h, r}, {{"transpose_b", int64_t{1}}});
  }
};

/// `x` is the inputs' part of a step with all biases: [batch, gates*hidden].
State rnn_step(const Cell& cell, ValueId x, State s) {
  return {cell.activated(0, cell.add(x, cell.product(s.h, 0, 1)))};
}

/// Gates in the order input, output, forget, cell.
State lstm_step(const Cell& cell, ValueId x, State s) {
  const ValueId all = cell.add(x, cell.product(s.h, 0, 4));
  const auto gate = [&](int64_t i, ValueId c) {
    const ValueId part = cell.gates(all, i);
    return cell.peepholes == absent ? part : cell.add(part, cell.mul(cell.gates(cell.peepholes, i), c));
  };
  const ValueId input = cell.activated(0, gate(0, s.c));
  const ValueId forget = cell.input_forget ? cell.complement(input) : cell.activated(0, gate(2, s.c));
  const ValueId fresh = cell.activated(1, cell.gates(all, 3));
  const ValueId c = cell.add(cell.mul(forget, s.c), cell.mul(input, fresh));
  const ValueId output = cell.activated(0, gate(1, c));
  return {cell.mul(output, activate(cell.n, cell.f[2], c)), c};
}

/// Gates in the order update, reset, hidden.
State gru_step(const Cell& cell, ValueId x, State s) {
  ValueId both, last;  // What the state adds to update and reset, and to hidden.
  if (cell.linear_before_reset) {
    ValueId all = cell.product(s.h, 0, 3);
    if (cell.recurrent_bias != absent) all = cell.add(all, cell.recurrent_bias);
    both = cell.gates(all, 0, 2), last = cell.gates(all, 2);
  } else {
    both = cell.product(s.h, 0, 2), last = absent;
  }
  const ValueId opened = cell.activated(0, cell.add(cell.gates(x, 0, 2), both));
  const ValueId update = cell.gates(opened, 0), reset = cell.gates(opened, 1);
  last = cell.linear_before_reset ? cell.mul(reset, last) : cell.product(cell.mul(reset, s.h), 2, 1);
  const ValueId fresh = cell.activated(1, cell.add(cell.gates(x, 2), last));
  return {cell.add(cell.mul(cell.complement(update), fresh), cell.mul(update, s.h))};
}

using Step = State (*)(const Cell&, ValueId, State);

struct Kind {
  int64_t gates;
  std::vector<std::string> activations;
  Step step;
};
const Kind& kind_of(const std::string& type) {
  static const std::map<std::string, Kind> kinds{{"RNN", {1, {"Tanh"}, rnn_step}},
                                                 {"GRU", {3, {"Sigmoid", "Tanh"}, gru_step}},
                                                 {"LSTM", {4, {"Sigmoid", "Tanh", "Tanh"}, lstm_step}}};
  return kinds.at(type);
}

/// Inputs X, W, R, B, sequence_lens, initial_h, initial_c, P.
class Recurrence {
 public:
  explicit Recurrence(Site& site) : n_(site), kind_(kind_of(site.node.type)) {}

  Values run() {
    read();
    std::vector<State> ends;
    Values sides;
    for (int64_t d = 0; d < directions_; ++d) {
      Values outputs(static_cast<size_t>(steps_));
      ends.push_back(unroll(d, outputs));
      if (n_.wants(0)) sides.push_back(joined(outputs, 0, {1, 1, batch_, hidden_}));
    }
    const auto states = [&](ValueId State::* which) {
      Values list;
      for (const State& end : ends) list.push_back(end.*which);
      const ValueId all = joined(list, 0, {1, batch_, hidden_});
      return batch_first_ ? n_.b.transpose(all, {1, 0, 2}) : all;
    };
    Values out{absent, n_.wants(1) ? states(&State::h) : absent};
    if (n_.wants(0)) {
      const ValueId all = concat(sides, 1);
      out[0] = batch_first_ ? n_.b.transpose(all, {2, 0, 1, 3}) : all;
    }
    if (n_.wants(2)) out.push_back(states(&State::c));
    return out;
  }

 private:
  void read() {
    constexpr int64_t most_steps = 16384;
    batch_first_ = n_.integer("layout") != 0;
    direction_ = n_.text("direction", "forward");
    if (direction_ != "forward" && direction_ != "reverse" && direction_ != "bidirectional")
      fail("onnx.attribute", "direction: '{}' is not known", printable(direction_));
    directions_ = direction_ == "bidirectional" ? 2 : 1;
    if (n_.b.rank(n_[0]) != 3 || n_.b.rank(n_[2]) != 3)
      fail("onnx.shape", "X is {} and R {}, expected 3 axes", text_of(n_.b.shape(n_[0])), text_of(n_.b.shape(n_[2])));
    x_ = batch_first_ ? n_.b.transpose(n_[0], {1, 0, 2}) : n_[0];
    const Shape x = n_.b.shape(x_);
    steps_ = x[0], batch_ = x[1], inputs_ = x[2], hidden_ = n_.b.shape(n_[2])[2];
    if (n_.integer("hidden_size", hidden_) != hidden_)
      fail("onnx.attribute", "hidden_size is {}, R has {}", n_.integer("hidden_size"), hidden_);
    if (hidden_ < 1 || batch_ < 1 || inputs_ < 1 || steps_ < 1)
      fail("onnx.shape", "X is {}, R {}", text_of(x), text_of(n_.b.shape(n_[2])));
    if (steps_ > most_steps) fail("onnx.unsupported", "{} steps, at most {} are supported", steps_, most_steps);
    const int64_t wide = kind_.gates * hidden_;
    expect(1, {directions_, wide, inputs_});
    expect(2, {directions_, wide, hidden_});
    expect(3, {directions_, 2 * wide});
    expect(4, {batch_});
    const Shape state = batch_first_ ? Shape{batch_, directions_, hidden_} : Shape{directions_, batch_, hidden_};
    expect(5, state);
    expect(6, state);
    expect(7, {directions_, 3 * hidden_});
    activations_ = activations_of(n_, kind_.activations, static_cast<size_t>(directions_));
  }

  void expect(size_t i, const Shape& shape) const {
    if (n_.has(i) && n_.b.shape(n_[i]) != shape)
      fail("onnx.shape", "input {} is {}, expected {}", i, text_of(n_.b.shape(n_[i])), text_of(shape));
  }

  /// Direction d of an input, without that axis.
  [[nodiscard]] ValueId part(size_t i, int64_t d) const {
    Shape shape = n_.b.shape(n_[i]);
    shape.erase(shape.begin());
    return n_.b.reshape(n_.b.slice(n_[i], 0, d, 1), shape);
  }
  [[nodiscard]] ValueId initial(size_t i, int64_t d) const {
    if (!n_.has(i)) return n_.b.constant(n_.b.filled(n_.b.dtype(x_), {batch_, hidden_}, 0));
    return n_.b.reshape(n_.b.slice(n_[i], batch_first_ ? 1 : 0, d, 1), {batch_, hidden_});
  }

  [[nodiscard]] ValueId concat(const Values& list, int64_t axis) const {
    return list.size() == 1 ? list[0] : n_.make(ops::concat, list, {{"axis", axis}});
  }
  [[nodiscard]] ValueId joined(const Values& list, int64_t axis, const Shape& each) const {
    Values parts;
    for (const ValueId v : list) parts.push_back(n_.b.reshape(v, each));
    return concat(parts, axis);
  }

  /// The inputs' part of all steps with biases: [steps*batch, gates*hidden].
  [[nodiscard]] ValueId input_part(int64_t d) const {
    const int64_t wide = kind_.gates * hidden_;
    const ValueId rows = n_.b.reshape(x_, {steps_ * batch_, inputs_});
    const ValueId product = n_.make(ops::matmul, {rows, part(1, d)}, {{"transpose_b", int64_t{1}}});
    if (!n_.has(3)) return product;
    const ValueId both = part(3, d), own = n_.b.slice(both, 0, 0, wide), other = n_.b.slice(both, 0, wide, wide);
    const bool apart = kind_.step == gru_step && n_.integer("linear_before_reset") != 0;
    return n_.make(ops::add, {product, apart ? own : n_.make(ops::add, {own, other})});
  }

  [[nodiscard]] Cell cell_of(int64_t d) const {
    const int64_t wide = kind_.gates * hidden_;
    const auto first = activations_.begin() + d * static_cast<int64_t>(kind_.activations.size());
    return {.n = n_,
            .hidden = hidden_,
            .f = {first, first + static_cast<int64_t>(kind_.activations.size())},
            .recurrent = part(2, d),
            .recurrent_bias = n_.has(3) ? n_.b.slice(part(3, d), 0, wide, wide) : absent,
            .peepholes = n_.has(7) ? part(7, d) : absent,
            .input_forget = n_.integer("input_forget") != 0,
            .linear_before_reset = n_.integer("linear_before_reset") != 0,
            .clip = n_.number("clip")};
  }

  /// Fills in each step's output. Beyond a sequence's end the state stays, and the output is 0.
  State unroll(int64_t d, Values& outputs) const {
    const bool backwards = direction_ == "reverse" || d == 1;
    const Cell cell = cell_of(d);
    const ValueId x = input_part(d);
    State state{initial(5, d), kind_.step == lstm_step ? initial(6, d) : absent};
    for (int64_t i = 0; i < steps_; ++i) {
      const int64_t t = backwards ? steps_ - 1 - i : i;
      const State next = kind_.step(cell, n_.b.slice(x, 0, t * batch_, batch_), state);
      ValueId& output = outputs[static_cast<size_t>(t)];
      if (!n_.has(4)) {
        state = next, output = next.h;
        continue;
      }
      const ValueId lengths = n_.b.reshape(n_.b.cast(n_[4], DType::i64), {batch_, 1});
      const ValueId runs = n_.make(ops::less, {n_.b.integer(t), lengths});
      const auto chosen = [&](ValueId fresh, ValueId old) { return n_.make(ops::where, {runs, fresh, old}); };
      output = chosen(next.h, n_.b.scalar(n_.b.dtype(x_), 0));
      state = {chosen(next.h, state.h), state.c == absent ? absent : chosen(next.c, state.c)};
    }
    return state;
  }

  Site& n_;
  const Kind& kind_;
  std::string direction_;
  std::vector<Activation> activations_;
  ValueId x_ = absent;  ///< [steps, batch, inputs]
  int64_t directions_ = 1, steps_ = 0, batch_ = 0, inputs_ = 0, hidden_ = 0;
  bool batch_first_ = false;
};

Values recurrent(Site& n) { return Recurrence(n).run(); }

constexpr std::string_view ops_of_all =
    "matmul add mul sub concat slice reshape transpose where less cast clip tanh sigmoid relu leaky_relu "
    "thresholded_relu hard_sigmoid elu softsign softplus";

constexpr Operator rows[] = {
    {"GRU", recurrent, ops_of_all, 3, 6,
     "activation_alpha:fs activation_beta:fs activations:ss clip:f direction:s hidden_size:i layout:i "
     "linear_before_reset:i output_sequence:i"},
    {"LSTM", recurrent, ops_of_all, 3, 8,
     "activation_alpha:fs activation_beta:fs activations:ss clip:f direction:s hidden_size:i input_forget:i layout:i "
     "output_sequence:i"},
    {"RNN", recurrent, ops_of_all, 3, 6,
     "activation_alpha:fs activation_beta:fs activations:ss clip:f direction:s hidden_size:i layout:i "
     "output_sequence:i"},
};

}  // namespace

std::span<const Operator> recurrent_operators() { return rows; }

}  // namespace hadal::onnx

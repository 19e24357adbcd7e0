// Matrix products: MatMul, Gemm, Einsum; and Hadal's own, whose factors have scales, or are looked up.
#include <algorithm>
#include <map>
#include <numeric>

#include "onnx/importer.h"

namespace hadal::onnx {

namespace {

/// A vector operand is a row (left) or a column (right) whose axis the result lacks.
Values matmul(Site& n) {
  ValueId a = n[0], b = n[1];
  const bool row = n.b.rank(a) == 1, column = n.b.rank(b) == 1;
  if (row) a = n.b.reshape(a, {1, n.b.shape(a)[0]});
  if (column) b = n.b.reshape(b, {n.b.shape(b)[0], 1});
  const ValueId product = n.make(ops::matmul, {a, b});
  Shape to = n.b.shape(product);
  if (column) to.pop_back();
  if (row) to.erase(to.end() - (column ? 1 : 2));
  return {n.b.reshape(product, to)};
}

/// alpha * A' * B' + beta * C.
Values gemm(Site& n) {
  const double alpha = n.number("alpha", 1), beta = n.number("beta", 1);
  const DType dtype = n.b.dtype(n[0]);
  if (n.b.rank(n[0]) != 2 || n.b.rank(n[1]) != 2)
    fail("onnx.shape", "Gemm of {} and {}", text_of(n.b.shape(n[0])), text_of(n.b.shape(n[1])));
  ValueId out =
      n.make(ops::matmul, {n[0], n[1]},
             {{"transpose_a", int64_t{n.integer("transA") != 0}}, {"transpose_b", int64_t{n.integer("transB") != 0}}});
  if (alpha != 1) out = n.make(ops::mul, {out, n.b.scalar(dtype, alpha)});
  if (!n.has(2) || beta == 0) return {out};
  const ValueId c = beta == 1 ? n[2] : n.make(ops::mul, {n[2], n.b.scalar(dtype, beta)});
  return {n.make(ops::add, {out, c})};
}

// ---- Einsum: operands are joined from left to right; each pair is one matrix product, or one product of elements.

/// A value whose axes have letters, each once.
struct Labelled {
  ValueId value;
  std::string labels;
};

bool contains(const std::string& text, char label) { return text.find(label) != std::string::npos; }

/// Letters of an operand's term; "..." stands for capitals counted from the end: ZYX... are its last, second last axes.
std::string expand_term(const std::string& term, int64_t rank, size_t& ellipsis) {
  const size_t dots = term.find("...");
  if (dots == std::string::npos) return term;
  const auto letters = static_cast<int64_t>(term.size()) - 3;
  const auto count = static_cast<size_t>(std::max<int64_t>(0, rank - letters));
  if (count > 8) fail("onnx.shape", "Einsum: '...' stands for {} axes", count);
  ellipsis = std::max(ellipsis, count);
  std::string middle;
  for (size_t i = count; i-- > 0;) middle += static_cast<char>('Z' - static_cast<char>(i));
  return term.substr(0, dots) + middle + term.substr(dots + 3);
}

std::string expand_output(const std::string& term, size_t ellipsis) {
  const bool dots = term.find("...") != std::string::npos;
  return dots ? expand_term(term, static_cast<int64_t>(term.size() - 3 + ellipsis), ellipsis) : term;
}

class Einsum {
 public:
  explicit Einsum(Site& site) : n_(site) {}

  ValueId run() {
    parse(n_.text("equation"));
    Labelled left = operands_[0];
    for (size_t i = 1; i < terms_.size(); ++i) left = contract(left, operands_[i], needed_after(i));
    left = sum_out(left, [&](char label) { return contains(output_, label); });
    return arrange(left, output_).value;
  }

 private:
  void parse(std::string equation) {
    std::erase(equation, ' ');
    const size_t arrow = equation.find("->");
    std::string inputs = equation.substr(0, arrow);
    size_t ellipsis = 0;
    for (size_t start = 0; start <= inputs.size();) {
      const size_t comma = std::min(inputs.find(',', start), inputs.size());
      if (terms_.size() == n_.inputs.size())
        fail("onnx.attribute", "Einsum: more terms than inputs in '{}'", printable(equation));
      const ValueId v = n_[terms_.size()];
      terms_.push_back(expand_term(inputs.substr(start, comma - start), n_.b.rank(v), ellipsis));
      check_term(terms_.back(), v);
      operands_.push_back(diagonal({v, terms_.back()}));
      start = comma + 1;
    }
    if (terms_.size() != n_.inputs.size())
      fail("onnx.attribute", "Einsum: {} terms for {} inputs", terms_.size(), n_.inputs.size());
    output_ =
        arrow == std::string::npos ? implicit_output(ellipsis) : expand_output(equation.substr(arrow + 2), ellipsis);
    for (const char label : output_)
      if (!extents_.contains(label) || std::count(output_.begin(), output_.end(), label) > 1)
        fail("onnx.attribute", "Einsum: bad output in '{}'", printable(equation));
  }

  void check_term(const std::string& term, ValueId v) {
    if (static_cast<int64_t>(term.size()) != n_.b.rank(v))
      fail("onnx.shape", "Einsum: '{}' for {}", printable(term), text_of(n_.b.shape(v)));
    for (size_t i = 0; i < term.size(); ++i) {
      const char label = term[i];
      const int64_t extent = n_.b.shape(v)[i];
      if (!((label >= 'a' && label <= 'z') || (label >= 'A' && label <= 'Z')))
        fail("onnx.attribute", "Einsum: '{}'", printable(term));
      if (!extents_.emplace(label, extent).second && extents_[label] != extent)
        fail("onnx.unsupported", "Einsum: label '{}' has the extents {} and {}", label, extents_[label], extent);
    }
  }

  /// A label that stands twice takes the diagonal of its axes: as one axis, every (extent + 1)th element.
  Labelled diagonal(Labelled x) {
    for (size_t i = 0; i < x.labels.size(); ++i) {
      const size_t other = x.labels.find(x.labels[i], i + 1);
      if (other == std::string::npos) continue;
      const int64_t extent = extents_.at(x.labels[i]), last = std::ssize(x.labels) - 2;
      Integers order;
      std::string rest;
      for (size_t k = 0; k < x.labels.size(); ++k)
        if (k != i && k != other) order.push_back(static_cast<int64_t>(k)), rest += x.labels[k];
      order.insert(order.end(), {static_cast<int64_t>(i), static_cast<int64_t>(other)});
      Shape shape = extents(rest), starts(static_cast<size_t>(last) + 1, 0), steps(starts.size(), 1);
      shape.push_back(extent * extent);
      const ValueId flat = n_.b.reshape(n_.b.transpose(x.value, order), shape);
      shape.back() = extent;
      steps.back() = extent + 1;
      x = {n_.make(ops::slice, {flat}, {{"starts", starts}, {"steps", steps}, {"sizes", shape}}), rest + x.labels[i]};
      return diagonal(x);
    }
    return x;
  }

  /// All labels that appear once, in order of the alphabet, behind those of "...".
  std::string implicit_output(size_t ellipsis) const {
    std::string out, all;
    for (size_t i = ellipsis; i-- > 0;) out += static_cast<char>('Z' - static_cast<char>(i));
    for (const std::string& term : terms_) all += term;
    std::string once;
    for (const char label : all)
      if (std::count(all.begin(), all.end(), label) == 1 && !contains(out, label)) once += label;
    std::sort(once.begin(), once.end());
    return out + once;
  }

  [[nodiscard]] std::string needed_after(size_t i) const {
    std::string out = output_;
    for (size_t k = i + 1; k < terms_.size(); ++k) out += terms_[k];
    return out;
  }

  template <class Keep>
  Labelled sum_out(const Labelled& x, const Keep& keep) {
    Integers axes;
    std::string labels;
    for (size_t i = 0; i < x.labels.size(); ++i)
      if (keep(x.labels[i]))
        labels += x.labels[i];
      else
        axes.push_back(static_cast<int64_t>(i));
    if (axes.empty()) return x;
    return {n_.b.reduce(x.value, "sum", axes, false), labels};
  }

  Labelled arrange(const Labelled& x, const std::string& labels) {
    Integers order;
    for (const char label : labels) order.push_back(static_cast<int64_t>(x.labels.find(label)));
    return {n_.b.transpose(x.value, order), labels};
  }

  [[nodiscard]] Shape extents(const std::string& labels) const {
    Shape out;
    for (const char label : labels) out.push_back(extents_.at(label));
    return out;
  }

  Labelled contract(Labelled a, Labelled b, const std::string& needed) {
    a = sum_out(a, [&](char label) { return contains(needed, label) || contains(b.labels, label); });
    b = sum_out(b, [&](char label) { return contains(needed, label) || contains(a.labels, label); });
    std::string batch, summed, rows, columns;
    for (const char label : a.labels)
      (!contains(b.labels, label) ? rows : contains(needed, label) ? batch : summed) += label;
    for (const char label : b.labels)
      if (!contains(a.labels, label)) columns += label;
    Shape full = extents(batch + rows + columns);
    if (summed.empty()) {
      Shape left = extents(batch + rows), right = extents(batch);
      left.insert(left.end(), columns.size(), 1);
      right.insert(right.end(), rows.size(), 1);
      for (const int64_t extent : extents(columns)) right.push_back(extent);
      const ValueId x = n_.b.reshape(arrange(a, batch + rows).value, left),
                    y = n_.b.reshape(arrange(b, batch + columns).value, right);
      return {n_.make(ops::mul, {x, y}), batch + rows + columns};
    }
    const int64_t inner = elements(extents(summed));
    Shape left = extents(batch), right = extents(batch);
    left.insert(left.end(), {elements(extents(rows)), inner});
    right.insert(right.end(), {inner, elements(extents(columns))});
    const ValueId x = n_.b.reshape(arrange(a, batch + rows + summed).value, left);
    const ValueId y = n_.b.reshape(arrange(b, batch + summed + columns).value, right);
    return {n_.b.reshape(n_.make(ops::matmul, {x, y}), full), batch + rows + columns};
  }

  Site& n_;
  std::vector<std::string> terms_;
  std::vector<Labelled> operands_;  ///< Labels each once.
  std::string output_;
  std::map<char, int64_t> extents_;
};

Values einsum(Site& n) { return {Einsum(n).run()}; }

// ---- Products that ONNX has not, in the domain com.hadal.

constexpr std::string_view hadal = "com.hadal";

/// The type of a scaled product: attribute `to`, as Cast has it; bf16 where it is not given.
Attributes scaled_type(const Site& n) {
  const auto to = n.has("to") ? dtype_of(static_cast<int>(n.integer("to"))) : std::optional(DType::bf16);
  if (!to || !is_float(*to))
    fail("onnx.dtype", "a product of scaled floats as {} is not supported",
         onnx_type_name(static_cast<int>(n.integer("to"))));
  return {{"to", std::string(name_of(*to))}};
}

/// a [..., m, k] and b [..., k, n] with a scale for 128 elements of k of each row of a, and for 128 x 128 of b.
Values scaled_matmul(Site& n) { return {n.make(ops::scaled_matmul, {n[0], n[1], n[2], n[3]}, scaled_type(n))}; }

/// x [batch, m, k] w [tables, k, n], the table of each batch by `groups`; or x [rows, k], of which each group takes as
/// many rows. With scales of x and of w, as scaled_matmul.
Values grouped_matmul(Site& n) {
  if (n.b.rank(n[1]) != 3 || n.b.rank(n[2]) != 1)
    fail("onnx.shape", "GroupedMatMul of w {} and groups {}", text_of(n.b.shape(n[1])), text_of(n.b.shape(n[2])));
  const int64_t batch = n.b.shape(n[2])[0];
  const Shape given = n.b.shape(n[0]);
  const bool flat = given.size() == 2 && batch > 0 && given[0] % batch == 0;
  if (!flat && (given.size() != 3 || given[0] != batch))
    fail("onnx.shape", "GroupedMatMul of x {} in {} groups", text_of(given), batch);
  const auto stacked = [&](ValueId v) {
    Shape shape = n.b.shape(v);
    if (shape.size() != 2 || !flat || shape[0] != given[0]) return v;
    return n.b.reshape(v, {batch, shape[0] / batch, shape[1]});
  };
  const auto looked_up = [&](ValueId v) { return n.make(ops::gather, {v, n[2]}, {{"axis", int64_t{0}}}); };
  if (n.has(3) != n.has(4)) fail("onnx.inputs", "GroupedMatMul has scales of both x and w, or of neither");
  const ValueId x = stacked(n[0]), w = looked_up(n[1]);
  const ValueId product = n.has(3) ? n.make(ops::scaled_matmul, {x, w, stacked(n[3]), looked_up(n[4])}, scaled_type(n))
                                   : n.make(ops::matmul, {x, w});
  return {flat ? n.b.reshape(product, {given[0], n.b.shape(product)[2]}) : product};
}

constexpr Operator rows[] = {
    {"Einsum", einsum, "matmul mul reduce transpose reshape slice", 1, any_number, "equation:s"},
    {"Gemm", gemm, "matmul mul add", 2, 3, "alpha:f beta:f transA:i transB:i broadcast:i"},
    {"GroupedMatMul", grouped_matmul, "gather matmul scaled_matmul reshape", 3, 5, "to:i", hadal},
    {"MatMul", matmul, "matmul reshape", 2, 2, ""},
    {"ScaledMatMul", scaled_matmul, "scaled_matmul", 4, 4, "to:i", hadal},
};

}  // namespace

std::span<const Operator> matmul_operators() { return rows; }

}  // namespace hadal::onnx

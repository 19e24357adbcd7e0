// Fusion grows a group backwards from a scalar function: an operand joins if everything that reads it is in the group.
// A matrix op's result joins last, and the chain becomes its epilogue.
#include "compile/fuse.h"

#include <algorithm>
#include <map>
#include <set>

#include "graph/ops.h"
#include "graph/ops/scalar.h"
#include "isa/table.h"

namespace hadal::compile {

namespace {

using graph::Graph;
using graph::Node;
using graph::ValueId;
namespace ops = graph::ops;

constexpr size_t epilogue_streams = 3;

/// What a chain computes in. Bools go with anything.
enum class Arithmetic : uint8_t { any, floats, doubles, integers };

/// Whether a matrix op has a bias: it becomes a step and a stream of the epilogue.
bool has_bias(const Node& node) { return node.inputs.size() > 2 && node.inputs[2] != graph::absent; }

bool is_scalar(const Node& node) { return graph::scalar_function(*node.op) || node.op == &ops::cast; }

Arithmetic arithmetic_of(const Graph& graph, const Node& node) {
  Arithmetic out = Arithmetic::any;
  const auto note = [&](ValueId v) {
    const DType dtype = graph.type(v).dtype;
    if (dtype == DType::f64)
      out = Arithmetic::doubles;
    else if (is_float(dtype) && out != Arithmetic::doubles)
      out = Arithmetic::floats;
    else if (dtype != DType::boolean && out == Arithmetic::any)
      out = Arithmetic::integers;
  };
  for (const ValueId v : node.inputs) note(v);
  note(node.outputs[0]);
  return out;
}

class Fusion {
 public:
  explicit Fusion(const Graph& graph, bool epilogues)
      : graph_(graph), epilogues_(epilogues), group_of_(graph.nodes.size(), -1), readers_(graph.values.size()) {
    for (size_t n = 0; n < graph.nodes.size(); ++n)
      for (const ValueId v : graph.nodes[n].inputs)
        if (v != graph::absent) readers_[static_cast<size_t>(v)].push_back(static_cast<int>(n));
    for (const ValueId v : graph.outputs) readers_[static_cast<size_t>(v)].push_back(-1);
    for (const Node& node : graph.nodes) {
      int depth = 0;
      for (const ValueId v : node.inputs) {
        const int producer = v == graph::absent ? -1 : graph.value(v).producer;
        if (producer >= 0) depth = std::max(depth, depth_[static_cast<size_t>(producer)] + 1);
      }
      depth_.push_back(depth);
    }
  }

  std::vector<Group> run() {
    std::vector<Group> groups;
    for (size_t n = graph_.nodes.size(); n-- > 0;)
      if (group_of_[n] < 0) groups.push_back(grow(static_cast<int>(n)));
    std::reverse(groups.begin(), groups.end());
    return groups;
  }

 private:
  [[nodiscard]] const Node& node(int n) const { return graph_.nodes[static_cast<size_t>(n)]; }

  /// Whether all readers of the node's result are in the group.
  [[nodiscard]] bool only_read_by(int n, const std::set<int>& members) const {
    const Node& producer = node(n);
    if (producer.outputs.size() != 1) return false;
    const auto& readers = readers_[static_cast<size_t>(producer.outputs[0])];
    return std::all_of(readers.begin(), readers.end(), [&](int r) { return members.contains(r); });
  }

  /// Products of matrices that an index names look these up as they load them.
  void add_looked_up(int main, std::set<int>& members) const {
    if (main < 0) return;
    for (size_t i = 1; i < node(main).inputs.size(); ++i) {
      const int n = graph_.value(node(main).inputs[i]).producer;
      if (n >= 0 && group_of_[static_cast<size_t>(n)] < 0 && looks_up_matrices(graph_, node(main), i))
        members.insert(n);
    }
  }

  /// A chain that is being gathered.
  struct Members {
    std::set<int> nodes;
    Shape shape;  ///< Of its result.
    Arithmetic arithmetic;
  };

  /// Sums of integers leave through steps in integers, or, converted, in floats.
  [[nodiscard]] bool may_be_main(int n, const Members& members) const {
    const Node& producer = node(n);
    if (producer.op == &ops::conv && !epilogues_) return false;
    const bool matrix = producer.op == &ops::conv || producer.op == &ops::matmul || producer.op == &ops::conv_transpose;
    const graph::Type& sums = graph_.type(producer.outputs[0]);
    return matrix && sums.shape == members.shape &&
           (members.arithmetic == Arithmetic::floats ||
            (members.arithmetic == Arithmetic::integers && sums.dtype == DType::i32));
  }

  [[nodiscard]] bool is_narrow(ValueId v) const;
  [[nodiscard]] bool joins(ValueId v, const Members& members, Arithmetic theirs) const;
  bool take(ValueId v, Members& members) const;
  void extend(Members& members) const;
  void extend_beyond_bytes(Members& members) const;
  [[nodiscard]] std::vector<int> mains_of(const Members& members) const;
  [[nodiscard]] bool fits_epilogue(const Members& members, int main) const;
  Group grow(int root);
  [[nodiscard]] std::vector<ValueId> outside_operands(const std::set<int>& members) const;
  [[nodiscard]] int steps_of(const std::set<int>& members) const;
  void write_chain(Group& group, const std::set<int>& members, Arithmetic arithmetic) const;
  [[nodiscard]] bool is_immediate(ValueId v) const;

  const Graph& graph_;
  bool epilogues_;
  std::vector<int> group_of_;
  std::vector<std::vector<int>> readers_;
  std::vector<int> depth_;  ///< Of each node: the longest way from an input.
};

/// A scalar constant that a chain holds itself: exact in f32, and its bytes are there.
bool Fusion::is_immediate(ValueId v) const {
  const graph::Value& value = graph_.value(v);
  if (!value.constant || value.constant->bytes.view.empty() || elements(value.type.shape) != 1) return false;
  const double number = number_at(*value.constant, 0);
  return is_float(value.type.dtype)
             ? value.type.dtype != DType::f64 || static_cast<double>(static_cast<float>(number)) == number
             : std::abs(number) < (1 << 24);
}

/// Streams of the group: operands made elsewhere, once each, without immediates.
std::vector<ValueId> Fusion::outside_operands(const std::set<int>& members) const {
  std::vector<ValueId> out;
  for (const int m : members)
    for (const ValueId v : node(m).inputs) {
      const int producer = graph_.value(v).producer;
      if ((producer >= 0 && members.contains(producer)) || is_immediate(v) || std::count(out.begin(), out.end(), v))
        continue;
      out.push_back(v);
    }
  return out;
}

int Fusion::steps_of(const std::set<int>& members) const {
  int steps = 0;
  for (const int m : members) {
    steps += node(m).op == &ops::cast ? 2 : 1;
    for (const ValueId v : node(m).inputs) steps += is_immediate(v) ? 1 : 0;
  }
  return steps;
}

/// A number rounded to a byte, which costs less to store than the number.
bool Fusion::is_narrow(ValueId v) const {
  const int n = graph_.value(v).producer;
  return n >= 0 && node(n).op == &ops::cast && bytes_of(graph_.type(v).dtype) == 1 &&
         is_float(graph_.type(node(n).inputs[0]).dtype);
}

bool Fusion::joins(ValueId v, const Members& members, Arithmetic theirs) const {
  const int n = graph_.value(v).producer;
  if (n < 0 || group_of_[static_cast<size_t>(n)] >= 0 || !is_scalar(node(n)) || graph_.type(v).shape != members.shape ||
      !only_read_by(n, members.nodes))
    return false;
  return theirs == members.arithmetic || theirs == Arithmetic::any || members.arithmetic == Arithmetic::any;
}

/// Adds the node that makes v; false where it does not join or there is no room.
bool Fusion::take(ValueId v, Members& members) const {
  const int n = graph_.value(v).producer;
  const Arithmetic theirs = n < 0 ? Arithmetic::any : arithmetic_of(graph_, node(n));
  if (!joins(v, members, theirs)) return false;
  std::set<int> more = members.nodes;
  more.insert(n);
  if (steps_of(more) > isa::chain_steps || outside_operands(more).size() > isa::chain_inputs) return false;
  members.nodes = std::move(more);
  if (members.arithmetic == Arithmetic::any) members.arithmetic = theirs;
  return true;
}

/// Takes all that joins, up to values of a byte.
void Fusion::extend(Members& members) const {
  for (bool grown = true; grown;) {
    grown = false;
    for (const ValueId v : outside_operands(members.nodes)) grown = (!is_narrow(v) && take(v, members)) || grown;
  }
}

/// Matrix ops whose results the members take.
std::vector<int> Fusion::mains_of(const Members& members) const {
  std::vector<int> mains;
  for (const ValueId v : outside_operands(members.nodes)) {
    const int n = graph_.value(v).producer;
    if (n >= 0 && may_be_main(n, members) && only_read_by(n, members.nodes)) mains.push_back(n);
  }
  return mains;
}

bool Fusion::fits_epilogue(const Members& members, int main) const {
  const int bias = has_bias(node(main)) ? 1 : 0;
  return outside_operands(members.nodes).size() - 1 + static_cast<size_t>(bias) <= epilogue_streams &&
         steps_of(members.nodes) + bias <= isa::chain_steps;
}

/// What makes a byte joins whole or not at all: half of it would be stored wide. There is one matrix op in the end.
void Fusion::extend_beyond_bytes(Members& members) const {
  for (bool grown = true; grown;) {
    grown = false;
    for (const ValueId v : outside_operands(members.nodes)) {
      Members more = members;
      if (!is_narrow(v) || !take(v, more)) continue;
      extend(more);
      const auto left_out = [&](ValueId u) {
        const int n = graph_.value(u).producer;
        return n >= 0 && !is_narrow(u) && joins(u, more, arithmetic_of(graph_, node(n)));
      };
      const std::vector<ValueId> outside = outside_operands(more.nodes);
      const std::vector<int> mains = mains_of(more);
      if (mains.size() > 1 || (mains.size() == 1 && !fits_epilogue(more, mains[0]))) continue;
      if (std::any_of(outside.begin(), outside.end(), left_out)) continue;
      members = std::move(more);
      grown = true;
      break;
    }
  }
}

Group Fusion::grow(int root) {
  Group group;
  group.result = node(root).outputs[0];
  Members members{{root}, graph_.type(group.result).shape, Arithmetic::any};
  if (is_scalar(node(root))) {
    members.arithmetic = arithmetic_of(graph_, node(root));
    extend(members);
    extend_beyond_bytes(members);
    // The matrix op with the longest way behind it: the others' results are there when it runs.
    for (const int n : mains_of(members))
      if (fits_epilogue(members, n) &&
          (group.main < 0 || depth_[static_cast<size_t>(n)] >= depth_[static_cast<size_t>(group.main)]))
        group.main = n;
    write_chain(group, members.nodes, members.arithmetic);
    if (group.main >= 0) members.nodes.insert(group.main);
  } else {
    group.main = root;
  }
  add_looked_up(group.main, members.nodes);
  group.nodes.assign(members.nodes.begin(), members.nodes.end());
  for (const int m : members.nodes) group_of_[static_cast<size_t>(m)] = root;
  return group;
}

void Fusion::write_chain(Group& group, const std::set<int>& members, Arithmetic arithmetic) const {
  isa::Chain& chain = group.chain;
  chain.compute = arithmetic == Arithmetic::doubles    ? DType::f64
                  : arithmetic == Arithmetic::integers ? DType::i64
                                                       : DType::f32;
  std::map<ValueId, uint8_t> places;
  uint8_t stream = 0;
  if (group.main >= 0) places[node(group.main).outputs[0]] = stream++;
  for (const ValueId v : outside_operands(members)) {
    if (places.contains(v)) continue;
    places[v] = stream++;
    group.streams.push_back(v);
  }
  chain.inputs = stream;
  const auto push = [&](std::string_view op, std::array<uint8_t, 3> operands, double alpha = 0, double beta = 0) {
    chain.steps.push_back(
        {isa::chain_op_named(op).value_or(0), operands, static_cast<float>(alpha), static_cast<float>(beta)});
    return static_cast<uint8_t>(isa::chain_inputs + static_cast<int>(chain.steps.size()) - 1);
  };
  for (const int m : members) {
    const Node& n = node(m);
    std::array<uint8_t, 3> operands{};
    for (size_t i = 0; i < n.inputs.size(); ++i) {
      const ValueId v = n.inputs[i];
      const auto found = places.find(v);
      operands[i] =
          found != places.end() ? found->second : push("constant", {}, number_at(*graph_.value(v).constant, 0));
    }
    uint8_t place = 0;
    if (n.op == &ops::cast) {
      const DType from = graph_.type(n.inputs[0]).dtype, to = graph_.type(n.outputs[0]).dtype;
      if (to == DType::boolean)
        place = push("not", {push("not", operands)});
      else
        place = push(is_float(from) && !is_float(to) ? "trunc" : "copy", operands);
    } else {
      const graph::ScalarFunction& function = *graph::scalar_function(*n.op);
      place = push(function.name, operands, n.attributes.number("alpha", function.alpha),
                   n.attributes.number("beta", function.beta));
    }
    places[n.outputs[0]] = place;
  }
}

}  // namespace

bool looks_up_matrices(const Graph& graph, const Node& node, size_t input) {
  const ValueId v = node.inputs[input];
  const int producer = graph.value(v).producer;
  if ((node.op != &ops::matmul && node.op != &ops::scaled_matmul) || input % 2 == 0 || producer < 0) return false;
  const Node& gather = graph.nodes[static_cast<size_t>(producer)];
  const Shape &a = graph.type(node.inputs[0]).shape, &b = graph.type(v).shape;
  if (gather.op != &ops::gather || gather.attributes.integer("axis") != 0 || a.size() != 3 || b.size() != 3 ||
      a[0] != b[0] || graph.type(gather.inputs[1]).shape.size() != 1)
    return false;
  int64_t readers = std::ranges::count(graph.outputs, v);  // A node that reads it twice is two.
  for (const Node& other : graph.nodes) readers += std::ranges::count(other.inputs, v);
  return readers == 1;
}

std::vector<Group> fuse(const Graph& graph, bool epilogues) { return Fusion(graph, epilogues).run(); }

std::string text_of(const Graph& graph, const std::vector<Group>& groups) {
  std::string out;
  for (const Group& group : groups) {
    out += "group";
    for (const int n : group.nodes) out += fmt::format(" {}", graph.nodes[static_cast<size_t>(n)].op->name);
    out += fmt::format(" -> {}\n", printable(graph.value(group.result).name));
  }
  return out;
}

}  // namespace hadal::compile

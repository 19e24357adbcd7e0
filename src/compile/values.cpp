// Where values lie: layouts, views, parts of concatenations, inputs and outputs.
#include <algorithm>
#include <numeric>

#include "compile/views.h"
#include "graph/ops.h"
#include "graph/ops/scalar.h"

namespace hadal::compile {

namespace ops = graph::ops;
using graph::Node;
using graph::ValueId;

Order row_major(size_t rank) {
  Order order(rank);
  std::iota(order.begin(), order.end(), size_t{0});
  return order;
}

Order channels_last(size_t rank) {
  if (rank < 3) return row_major(rank);
  Order order{0};
  for (size_t i = 2; i < rank; ++i) order.push_back(i);
  order.push_back(1);
  return order;
}

namespace {

std::vector<int64_t> dense_strides(const Shape& extents, const Order& order, int64_t bytes) {
  std::vector<int64_t> strides(extents.size());
  for (size_t i = order.size(); i-- > 0; bytes *= extents[order[i]]) strides[order[i]] = bytes;
  return strides;
}

/// Whether a node is a reshape that only puts dims of one between others.
bool adds_ones(const Node& node, const graph::Graph& graph) {
  if (node.op != &ops::reshape) return false;
  const auto many = [&](ValueId v) {
    Shape shape = graph.type(v).shape;
    std::erase(shape, 1);
    return shape;
  };
  return graph.type(node.inputs[0]).shape.size() <= graph.type(node.outputs[0]).shape.size() &&
         many(node.inputs[0]) == many(node.outputs[0]);
}

/// The order of `from` for `to`, which has other dims of one: each of them follows the dim before it.
Order order_with_ones(const Shape& from, const Order& order, const Shape& to) {
  std::vector<size_t> dims;  // Of `to`, those above one.
  for (size_t i = 0; i < to.size(); ++i)
    if (to[i] != 1) dims.push_back(i);
  Order out;
  for (const size_t dim : order)
    if (from[dim] != 1)
      out.push_back(dims[static_cast<size_t>(std::count_if(
          from.begin(), from.begin() + static_cast<std::ptrdiff_t>(dim), [](int64_t extent) { return extent != 1; }))]);
  for (size_t i = 0; i < to.size(); ++i)
    if (to[i] == 1) out.insert(i == 0 ? out.begin() : std::find(out.begin(), out.end(), i - 1) + 1, i);
  return out;
}

/// The same memory as `shape`, which lacks dims of one; strides of those that it has are of no account.
Placed without_ones(Placed placed, const Shape& shape) {
  Placed out = placed;
  out.extents = shape;
  out.strides.assign(shape.size(), bytes_of(placed.dtype));
  size_t from = 0;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 1) continue;
    while (placed.extents[from] == 1) ++from;
    out.strides[i] = placed.strides[from++];
  }
  return out;
}

}  // namespace

Placed Emitter::operand(ValueId v) {
  auto& placed = placed_[static_cast<size_t>(v)];
  if (!placed && graph_.is_constant(v)) placed = constant(graph_.value(v).name, *graph_.value(v).constant);
  if (!placed) {
    fail("compile.order", fmt::format("value {} is read before it is made", printable(graph_.value(v).name)));
    placed = scratch("missing", graph_.type(v).dtype, graph_.type(v).shape, row_major(graph_.type(v).shape.size()));
  }
  return *placed;
}

Placed Emitter::result(ValueId v) {
  auto& placed = placed_[static_cast<size_t>(v)];
  if (placed) return *placed;
  // Up through the concatenations that the value is part of, and views between, then down with the place of the
  // outermost.
  std::vector<ValueId> chain{v};
  while (homes_[static_cast<size_t>(chain.back())].first >= 0 && !placed_[static_cast<size_t>(chain.back())])
    chain.push_back(graph_.nodes[static_cast<size_t>(homes_[static_cast<size_t>(chain.back())].first)].outputs[0]);
  for (size_t i = chain.size(); i-- > 0;) {
    auto& place = placed_[static_cast<size_t>(chain[i])];
    if (place) continue;
    const graph::Type& type = graph_.type(chain[i]);
    const int output = output_storage_[static_cast<size_t>(chain[i])];
    if (const auto [home, position] = homes_[static_cast<size_t>(chain[i])]; home >= 0) {
      const Node& node = graph_.nodes[static_cast<size_t>(home)];
      place = placed_[static_cast<size_t>(chain[i + 1])];
      if (node.op == &ops::concat) {
        const auto axis = static_cast<size_t>(node.attributes.integer("axis"));
        for (size_t before = 0; before < position; ++before)
          place->offset += graph_.type(node.inputs[before]).shape[axis] * place->strides[axis];
        place->extents = type.shape;
      } else {
        place = without_ones(*place, type.shape);
      }
    } else if (output >= 0) {
      place = Placed{output, type.dtype, type.shape,
                     dense_strides(type.shape, row_major(type.shape.size()), bytes_of(type.dtype)), 0};
    } else {
      place = scratch(graph_.value(chain[i]).name, type.dtype, type.shape, orders_[static_cast<size_t>(chain[i])]);
    }
  }
  return *placed_[static_cast<size_t>(v)];
}

void Emitter::declare_ports(const Interface& interface) {
  const auto add_storage = [&](ValueId v, isa::RegionKind kind) {
    const auto& [dtype, shape] = graph_.type(v);
    program_.storages.push_back(
        {graph_.value(v).name, kind, shape.empty() ? bytes_of(dtype) : elements(shape) * bytes_of(dtype)});
    return static_cast<int>(program_.storages.size()) - 1;
  };
  const auto port = [&](ValueId v, DType stated, int storage) {
    const graph::Value& value = graph_.value(v);
    return isa::Port{value.name, stated, value.type.dtype, value.type.shape, static_cast<uint16_t>(storage)};
  };
  std::map<size_t, size_t> in_place;  // Outputs of inputs.
  for (const isa::State& state : interface.states)
    if (changes_in_place(graph_.inputs[state.input], graph_.outputs[state.output]))
      in_place[state.input] = state.output;
  program_.states = interface.states;
  for (size_t i = 0; i < graph_.inputs.size(); ++i) {
    const ValueId v = graph_.inputs[i];
    const int storage = in_place.contains(i) ? -1 : add_storage(v, isa::RegionKind::input);
    program_.inputs.push_back(port(v, interface.inputs[i], storage));
    const auto& [dtype, shape] = graph_.type(v);
    placed_[static_cast<size_t>(v)] =
        Placed{storage, dtype, shape, dense_strides(shape, row_major(shape.size()), bytes_of(dtype)), 0};
  }
  for (size_t i = 0; i < graph_.outputs.size(); ++i) {
    const int storage = add_storage(graph_.outputs[i], isa::RegionKind::output);
    program_.outputs.push_back(port(graph_.outputs[i], interface.outputs[i], storage));
    declare_output(graph_.outputs[i], storage);
  }
  for (const auto& [input, output] : in_place) {
    program_.inputs[input].region = program_.outputs[output].region;
    placed_[static_cast<size_t>(graph_.inputs[input])]->storage = program_.outputs[output].region;
  }
}

/// Whether the output is the input with some rows overwritten, and nothing else needs the input.
bool Emitter::changes_in_place(ValueId input, ValueId output) const {
  const int32_t producer = graph_.value(output).producer;
  if (producer < 0) return false;
  const Node& node = graph_.nodes[static_cast<size_t>(producer)];
  if (node.op != &ops::scatter || node.inputs[0] != input) return false;
  int64_t readers = std::ranges::count(graph_.outputs, input);
  for (const Node& reader : graph_.nodes) readers += std::ranges::count(reader.inputs, input);
  return readers == 1;
}

void Emitter::declare_output(ValueId v, int storage) {
  output_storage_[static_cast<size_t>(v)] = storage;
  const int32_t producer = graph_.value(v).producer;
  const auto axis = producer < 0 ? std::nullopt : graph_.nodes[static_cast<size_t>(producer)].op->counted_axis;
  if (!axis) return;
  count_storage_[v] = static_cast<int>(program_.storages.size());
  program_.outputs.back().count = isa::Count{static_cast<uint8_t>(*axis), static_cast<uint16_t>(count_storage_[v])};
  program_.storages.push_back({graph_.value(v).name + ".count", isa::RegionKind::output, 8});
}

namespace {

/// The order in which these strides step through memory; single dims stay where they are.
Order order_of_strides(const Shape& shape, const std::vector<int64_t>& strides) {
  Order order = row_major(shape.size()), dims;
  for (const size_t d : order)
    if (shape[d] != 1) dims.push_back(d);
  std::stable_sort(dims.begin(), dims.end(), [&](size_t a, size_t b) { return strides[a] > strides[b]; });
  size_t next = 0;
  for (size_t& d : order)
    if (shape[d] != 1) d = dims[next++];
  return order;
}

}  // namespace

/// The memory order that suits a node's result: channels last behind convolutions, else its operand's.
Order Emitter::order_of(const Node& node) const {
  const size_t rank = graph_.type(node.outputs[0]).shape.size();
  if (node.op == &ops::conv || node.op == &ops::conv_transpose || node.op == &ops::pool || node.op == &ops::resize)
    return channels_last(rank);
  if (node.op == &ops::matmul || node.op == &ops::gather) return row_major(rank);
  if (node.op == &ops::reshape) {
    const graph::Type& source = graph_.type(node.inputs[0]);
    const Shape& shape = graph_.type(node.outputs[0]).shape;
    if (adds_ones(node, graph_))
      return order_with_ones(source.shape, orders_[static_cast<size_t>(node.inputs[0])], shape);
    const auto strides = reshaped_strides(
        source.shape, dense_strides(source.shape, orders_[static_cast<size_t>(node.inputs[0])], 1), shape);
    return strides ? order_of_strides(shape, *strides) : row_major(rank);
  }
  if (node.op == &ops::transpose) {
    const Order& source = orders_[static_cast<size_t>(node.inputs[0])];
    const auto moved = node.attributes.integers("order");
    Order order;
    for (const size_t dim : source)
      order.push_back(
          static_cast<size_t>(std::find(moved.begin(), moved.end(), static_cast<int64_t>(dim)) - moved.begin()));
    return order;
  }
  for (const ValueId v : node.inputs) {
    if (v == graph::absent || graph_.is_constant(v)) continue;
    const Shape& shape = graph_.type(v).shape;
    if (shape.size() == rank && (!graph::scalar_function(*node.op) || shape == graph_.type(node.outputs[0]).shape))
      return orders_[static_cast<size_t>(v)];
    if (!graph::scalar_function(*node.op)) break;
  }
  return row_major(rank);
}

void Emitter::choose_orders() {
  std::vector<std::vector<const Node*>> readers(graph_.values.size());
  for (const Node& node : graph_.nodes)
    for (const ValueId v : node.inputs)
      if (v != graph::absent) readers[static_cast<size_t>(v)].push_back(&node);
  for (size_t v = 0; v < graph_.values.size(); ++v) orders_[v] = row_major(graph_.values[v].type.shape.size());
  for (const Node& node : graph_.nodes)
    for (const ValueId v : node.outputs) {
      const Shape& shape = graph_.type(v).shape;
      Order order = v == node.outputs[0] ? order_of(node) : row_major(shape.size());
      const auto& all = readers[static_cast<size_t>(v)];
      // What is only read transposed is written so: heads of an attention side by side.
      const auto transposed = [&](const Node* reader) {
        return reader->op == &ops::transpose && reader->attributes == all[0]->attributes;
      };
      if (node.op == &ops::matmul && !all.empty() && std::all_of(all.begin(), all.end(), transposed)) {
        const auto moved = all[0]->attributes.integers("order");
        order.assign(moved.begin(), moved.end());
      }
      // A reshape that this order would turn into a copy asks for row-major.
      const auto strides = dense_strides(shape, order, bytes_of(graph_.type(v).dtype));
      const bool copied = !all.empty() && std::all_of(all.begin(), all.end(), [&](const Node* reader) {
        return reader->op == &ops::reshape && !reshaped_strides(shape, strides, graph_.type(reader->outputs[0]).shape);
      });
      orders_[static_cast<size_t>(v)] = copied ? row_major(shape.size()) : std::move(order);
    }
}

/// A value that some phase writes and a concatenation reads is written into its part of the result.
void Emitter::choose_homes() {
  const auto free = [&](ValueId v) {
    return graph_.value(v).producer >= 0 && output_storage_[static_cast<size_t>(v)] < 0 &&
           homes_[static_cast<size_t>(v)].first < 0;
  };
  const auto is_made_by_view = [&](ValueId v) {
    return is_view(graph_.nodes[static_cast<size_t>(graph_.value(v).producer)].op);
  };
  for (size_t n = 0; n < graph_.nodes.size(); ++n) {
    const Node& node = graph_.nodes[n];
    if (node.op != &ops::concat) continue;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId v = node.inputs[i];
      if (!free(v)) continue;
      if (is_made_by_view(v)) {  // With dims of one put between: what it is a view of is made there.
        const int view = graph_.value(v).producer;
        const ValueId source = graph_.nodes[static_cast<size_t>(view)].inputs[0];
        if (!adds_ones(graph_.nodes[static_cast<size_t>(view)], graph_) || !free(source) || is_made_by_view(source))
          continue;
        homes_[static_cast<size_t>(source)] = {view, 0};
      }
      homes_[static_cast<size_t>(v)] = {static_cast<int>(n), i};
    }
  }
}

/// What an output is a view of, and nobody else reads, is stored as the output has it where that is the order that
/// suits it, so that no copy is left; under a profile, transposed in any order.
void Emitter::place_viewed_outputs() {
  std::vector<int> readers(graph_.values.size(), 0);
  for (const Node& node : graph_.nodes)
    for (const ValueId v : node.inputs)
      if (v != graph::absent) ++readers[static_cast<size_t>(v)];
  for (const ValueId v : graph_.outputs) ++readers[static_cast<size_t>(v)];
  const auto view_that_makes = [&](ValueId v) -> const Node* {
    const int32_t producer = graph_.value(v).producer;
    const Node* node = producer < 0 ? nullptr : &graph_.nodes[static_cast<size_t>(producer)];
    return node && is_view(node->op) ? node : nullptr;
  };
  for (const ValueId output : graph_.outputs) {
    if (!view_that_makes(output)) continue;
    ValueId v = output;
    std::optional<Placed> place = result(output);
    while (const Node* node = place ? view_that_makes(v) : nullptr) {
      v = node->inputs[0];
      place = readers[static_cast<size_t>(v)] == 1 ? source_of(*node, *place, graph_.type(v).shape) : std::nullopt;
    }
    if (!place || graph_.value(v).producer < 0 || placed_[static_cast<size_t>(v)] ||
        output_storage_[static_cast<size_t>(v)] >= 0 || homes_[static_cast<size_t>(v)].first >= 0)
      continue;
    const Order& order = orders_[static_cast<size_t>(v)];
    const bool suits = plan_.profile
                           ? view_that_makes(output)->op == &ops::transpose && view_that_makes(output)->inputs[0] == v
                           : without_ones(*place, place->extents).strides ==
                                 without_ones({0, place->dtype, place->extents,
                                               dense_strides(place->extents, order, bytes_of(place->dtype)), 0},
                                              place->extents)
                                     .strides;
    if (suits) placed_[static_cast<size_t>(v)] = std::move(place);
  }
}

void Emitter::emit_view(const Node& node) {
  const ValueId v = node.outputs[0];
  Placed source = operand(node.inputs[0]);
  auto view = view_of(node, source, graph_.type(v).shape);
  if (!view) {
    const Placed dense = scratch(graph_.value(node.inputs[0]).name + ".dense", source.dtype, source.extents,
                                 row_major(source.extents.size()));
    emit_copy(*this, source, dense, graph_.value(v).name, "reshape", node.origins);
    view = view_of(node, dense, graph_.type(v).shape);
  }
  const int output = output_storage_[static_cast<size_t>(v)];
  if (output >= 0 && output != view->storage)
    emit_copy(*this, *view, result(v), graph_.value(v).name, std::string(node.op->name), node.origins);
  else
    placed_[static_cast<size_t>(v)] = std::move(view);
}

void Emitter::emit_concat(const Node& node) {
  const Placed whole = result(node.outputs[0]);
  const auto axis = static_cast<size_t>(node.attributes.integer("axis"));
  const auto self = static_cast<int>(&node - graph_.nodes.data());
  Placed part = whole;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const ValueId v = node.inputs[i];
    part.extents = graph_.type(v).shape;
    if (homes_[static_cast<size_t>(v)] != std::pair{self, i} && elements(part.extents) > 0)
      emit_copy(*this, operand(v), part, graph_.value(node.outputs[0]).name, "concat", node.origins);
    part.offset += part.extents[axis] * part.strides[axis];
  }
}

}  // namespace hadal::compile

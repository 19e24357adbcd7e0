// A kernel in a model: the phases of its tile program, with its tensors bound to the node's, its rings, chains and
// constants to the program's. Elements are converted on their way where the model stores another type.
#include <set>

#include "compile/emitter.h"
#include "graph/ops/kernel.h"

namespace hadal::compile {

namespace {

using isa::RegionKind;
using tile::Statement;

class KernelWriter {
 public:
  KernelWriter(Emitter& e, const graph::Node& node, const tile::Program& kernel)
      : e_(e),
        node_(node),
        kernel_(kernel),
        storages_(kernel.storages.size()),
        tensors_(kernel.tensors.size()),
        rings_(kernel.rings.size()),
        chains_(kernel.chains.size()) {}

  void write();

 private:
  [[nodiscard]] std::string name() const { return e_.graph().value(node_.outputs[0]).name; }
  bool bind(const std::vector<isa::Port>& ports, const std::vector<graph::ValueId>& values, bool results);
  Placed place(const tile::Tensor& tensor);
  int tensor(int number);
  int bound(isa::Opcode op, int number);
  int ring(int number);
  int chain(int number);
  void adapt(std::vector<Statement>& body);

  Emitter& e_;
  const graph::Node& node_;
  const tile::Program& kernel_;
  std::vector<std::optional<Placed>> storages_;  ///< Those of ports; others once they are met.
  std::vector<std::optional<int>> tensors_, rings_, chains_;
  std::set<int> taken_;    ///< Rings of the program.
  size_t semaphores_ = 0;  ///< The first of its own.
};

/// A port is a tensor of the model with the port's extents. False where they differ.
bool KernelWriter::bind(const std::vector<isa::Port>& ports, const std::vector<graph::ValueId>& values, bool results) {
  for (size_t i = 0; i < ports.size() && i < values.size(); ++i) {
    Placed placed = results ? e_.result(values[i]) : e_.operand(values[i]);
    if (placed.extents != ports[i].shape) return false;
    storages_[ports[i].region] = std::move(placed);
  }
  return ports.size() == values.size();
}

/// Where a tensor of the kernel lies in the model's program.
Placed KernelWriter::place(const tile::Tensor& tensor) {
  const tile::Storage& storage = kernel_.storages[static_cast<size_t>(tensor.storage)];
  std::optional<Placed>& known = storages_[static_cast<size_t>(tensor.storage)];
  if (storage.kind == RegionKind::input || storage.kind == RegionKind::output) return *known;
  if (!known && storage.kind == RegionKind::weight) {
    const isa::WeightEntry& entry = kernel_.weights.front();
    known = e_.constant(fmt::format("{}.{}", name(), storage.name),
                        {DType::u8, {static_cast<int64_t>(entry.size)}, entry.bytes});
  } else if (!known) {
    known = e_.scratch(fmt::format("{}.{}", name(), storage.name), DType::u8, {storage.bytes}, row_major(1));
  }
  return {known->storage, tensor.dtype, tensor.extents, tensor.strides, known->offset + tensor.offset};
}

int KernelWriter::tensor(int number) {
  std::optional<int>& known = tensors_[static_cast<size_t>(number)];
  const tile::Tensor& tensor = kernel_.tensors[static_cast<size_t>(number)];
  if (!known) known = e_.tensor(place(tensor), fmt::format("{}.{}", name(), tensor.name));
  return *known;
}

/// Loads and stores convert what is stored as another type; lookups of rows do not.
int KernelWriter::bound(isa::Opcode op, int number) {
  const int found = tensor(number);
  const DType wanted = kernel_.tensors[static_cast<size_t>(number)].dtype, stored = e_.dtype_of(found);
  const bool looks_up = op == isa::Opcode::gather || op == isa::Opcode::scatter;
  if (looks_up && stored != wanted)
    e_.fail("kernel.C3",
            fmt::format("the kernel looks up rows of {}, which are stored as {}", name_of(wanted), name_of(stored)),
            "compile the model in its own precision, or let the kernel load the rows");
  return found;
}

int KernelWriter::ring(int number) {
  std::optional<int>& known = rings_[static_cast<size_t>(number)];
  if (!known) known = e_.kernel_ring(kernel_.rings[static_cast<size_t>(number)], taken_);
  return *known;
}

int KernelWriter::chain(int number) {
  std::optional<int>& known = chains_[static_cast<size_t>(number)];
  if (!known) known = e_.add_chain(kernel_.chains[static_cast<size_t>(number)]);
  return *known;
}

void KernelWriter::adapt(std::vector<Statement>& body) {
  for (Statement& statement : body) {
    adapt(statement.body);
    if (statement.kind != Statement::Kind::instruction) continue;
    for (auto* syncs : {&statement.waits, &statement.signals})
      for (isa::Sync& sync : *syncs) sync.id = static_cast<uint8_t>(semaphores_ + sync.id);
    for (tile::Operand& operand : statement.operands)
      if (auto* window = std::get_if<tile::Window>(&operand)) window->tensor = bound(statement.op, window->tensor);
    const isa::Row& row = *isa::row_of(statement.op);
    for (size_t i = 0; i < row.field_count(); ++i)
      if (row.fields[i].kind == isa::FieldKind::chain && statement.fields[i].constant() != isa::no_chain)
        statement.fields[i] = Expr(chain(static_cast<int>(statement.fields[i].constant())));
  }
}

void KernelWriter::write() {
  if (!bind(kernel_.inputs, node_.inputs, false) || !bind(kernel_.outputs, node_.outputs, true))
    return e_.fail("kernel.C2", "the kernel's tensors do not have the extents of the node's");
  semaphores_ = e_.kernel_semaphores(kernel_.semaphores, name());
  const std::string op = "kernel " + node_.attributes.text("name");
  for (const tile::Phase& phase : kernel_.phases) {
    const bool single = kernel_.phases.size() == 1;
    e_.begin_phase(single ? name() : fmt::format("{}.{}", name(), phase.layer.name), op, e_.nodes());
    e_.account(phase.layer.macs, phase.layer.precision);
    tile::Phase made = phase;
    for (tile::Tile& tile : made.tiles) tile.ring = ring(tile.ring);
    adapt(made.body);
    e_.fill_phase(std::move(made.tiles), std::move(made.body));
  }
}

}  // namespace

void emit_kernel(Emitter& e, const Group& group) {
  const graph::Node& node = e.graph().nodes[static_cast<size_t>(group.main)];
  const auto kernel = (*e.plan().kernels)(node.attributes.integer("number"), e.cores());
  if (!kernel) return e.fail(kernel.error().code, kernel.error().message, kernel.error().remedy);
  KernelWriter(e, node, *kernel).write();
}

}  // namespace hadal::compile

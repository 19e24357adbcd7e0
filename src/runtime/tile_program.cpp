#include "runtime/tile_program.h"

#include <algorithm>
#include <bit>

#include "compile/backend.h"
#include "isa/verify.h"
#include "runtime/stopwatch.h"
#include "runtime/tile_reader.h"
#include "tile/deal.h"

namespace hadal::runtime {

void TileReader::storage(const At& at) {
  static constexpr std::pair<const char*, isa::RegionKind> kinds[] = {{"input", isa::RegionKind::input},
                                                                      {"output", isa::RegionKind::output},
                                                                      {"weight", isa::RegionKind::weight},
                                                                      {"scratch", isa::RegionKind::scratch}};
  const std::string kind = text(get(at, "kind"));
  const auto* const found = std::find_if(std::begin(kinds), std::end(kinds), [&](auto& k) { return k.first == kind; });
  if (found == std::end(kinds)) return fail(get(at, "kind"), fmt::format("there is no kind \"{}\"", printable(kind)));
  if (found->second == isa::RegionKind::weight) out_.weight_storage = static_cast<int>(out_.storages.size());
  out_.storages.push_back({text(get(at, "name")), found->second, integer(get(at, "bytes"), 0)});
}

void TileReader::tensor(const At& at) {
  tile::Tensor tensor{
      text(get(at, "name")),        static_cast<int>(number_below(get(at, "storage"), out_.storages.size())),
      dtype(get(at, "dtype")),      integers(get(at, "extents"), 0),
      integers(get(at, "strides")), integer(get(at, "offset"), 0)};
  if (tensor.extents.size() != tensor.strides.size() || tensor.extents.size() > isa::rank_limit)
    fail(at, "its extents and strides are not as many, at most 6");
  out_.tensors.push_back(std::move(tensor));
}

void TileReader::semaphore(const At& at) {
  out_.semaphores.push_back({text(get(at, "name")), static_cast<int32_t>(integer(get(at, "initial"), 0, INT16_MAX)),
                             named<isa::Queue>(get(at, "waiter"), isa::queue_named, "queue")});
}

/// Without queues it is one whose slots are named by hand.
void TileReader::ring(const At& at) {
  if (at.value.is_object() && !at.value.contains("from")) {
    const auto slots = static_cast<int>(integer(get(at, "slots"), 1, 1024));
    out_.rings.push_back({.name = text(get(at, "name")),
                          .producer = isa::Queue::vector,
                          .consumer = isa::Queue::vector,
                          .slots = slots,
                          .most_slots = slots,
                          .by_hand = true});
    return;
  }
  tile::Ring ring{text(get(at, "name")), named<isa::Queue>(get(at, "from"), isa::queue_named, "queue"),
                  named<isa::Queue>(get(at, "to"), isa::queue_named, "queue")};
  const auto moves = [](isa::Queue queue) { return queue != isa::Queue::sequencer && queue != isa::Queue::host; };
  if (!moves(ring.producer) || !moves(ring.consumer)) fail(at, "no tiles flow from or to this queue");
  ring.slots = static_cast<int>(integer(get(at, "slots"), 1, 1024));
  ring.most_slots = static_cast<int>(integer(get(at, "most_slots"), ring.slots, 1024));
  out_.rings.push_back(std::move(ring));
}

/// Steps are [operation, [operands], alpha, beta]; operands are inputs from 0, and results of earlier steps from 8.
/// They compute in f32 where no other type is given.
void TileReader::chain(const At& at) {
  isa::Chain chain;
  if (at.value.contains("compute")) chain.compute = dtype(get(at, "compute"));
  chain.inputs = static_cast<uint8_t>(integer(get(at, "inputs"), 0, isa::chain_inputs));
  each(get(at, "steps"), [&](const At& step) {
    if (!step.value.is_array() || step.value.size() != 4) return fail(step, "it is no step");
    const auto part = [&](size_t i) { return At{step.value[i], fmt::format("{}[{}]", step.path, i)}; };
    isa::ChainStep made;
    made.op = named<uint8_t>(part(0), isa::chain_op_named, "operation");
    const std::vector<int64_t> operands = integers(part(1), 0);
    if (operands.size() > made.operands.size()) return fail(part(1), "an operation has at most 3 operands");
    for (size_t i = 0; i < operands.size(); ++i)
      made.operands[i] = static_cast<uint8_t>(std::min<int64_t>(operands[i], 255));
    made.alpha = static_cast<float>(real(part(2)));
    made.beta = static_cast<float>(real(part(3)));
    chain.steps.push_back(made);
  });
  out_.chains.push_back(std::move(chain));
}

void TileReader::port(const At& at, std::vector<isa::Port>& to) {
  const DType type = dtype(get(at, "dtype"));
  to.push_back({text(get(at, "name")), type, type, integers(get(at, "shape"), 0),
                static_cast<uint16_t>(number_below(get(at, "storage"), out_.storages.size()))});
}

/// A constant of f32 values.
void TileReader::weight(const At& at) {
  std::vector<float> values;
  each(get(at, "values"), [&](const At& item) { values.push_back(static_cast<float>(real(item))); });
  auto bytes = std::make_shared<std::vector<float>>(std::move(values));
  const auto view = std::as_bytes(std::span(*bytes));
  out_.weights.push_back(
      {text(get(at, "name")), static_cast<uint64_t>(integer(get(at, "offset"), 0)), {bytes, view}, view.size()});
}

tile::Operand TileReader::operand(const At& at) {
  if (at.value.is_null()) return std::monostate{};
  if (at.value.is_object() && at.value.contains("tile"))
    return tile::TileView{static_cast<int>(number_below(get(at, "tile"), out_.phases.back().tiles.size())),
                          expressions(get(at, "extents")),
                          at.value.contains("slot") ? expression(get(at, "slot")) : Expr()};
  tile::Window window{static_cast<int>(number_below(get(at, "tensor"), out_.tensors.size())),
                      expressions(get(at, "origins")), expressions(get(at, "extents"))};
  if (window.origins.size() != window.extents.size()) fail(at, "its origins and extents are not as many");
  return window;
}

/// A field as its row has it: a choice by name, a real as a number.
Expr TileReader::field(const At& at, const isa::FieldRow& row) {
  if (row.kind == isa::FieldKind::real)
    return {static_cast<int64_t>(std::bit_cast<uint32_t>(static_cast<float>(real(at))))};
  if (row.kind == isa::FieldKind::chain) return {static_cast<int64_t>(number_below(at, out_.chains.size()))};
  if (row.kind != isa::FieldKind::choice) return expression(at);
  const std::string name = text(at);
  for (size_t i = 0; i < row.choices.size() && !row.choices[i].empty(); ++i)
    if (row.choices[i] == name) return {static_cast<int64_t>(i)};
  fail(at, fmt::format("there is no choice \"{}\"", printable(name)));
  return {};
}

/// An operand lies where the row says; tiles are written by their ring's producer, and read by its two queues.
void TileReader::check_operand(const At& at, const tile::Statement& made, const isa::OperandRow& row,
                               const tile::Operand& operand) {
  const bool in_scratchpad = row.spaces == isa::in_scratchpad;
  if (std::holds_alternative<std::monostate>(operand) ? !row.optional
                                                      : std::holds_alternative<tile::Window>(operand) == in_scratchpad)
    return fail(at, fmt::format("operand {} is not what the instruction takes", row.name));
  const auto* view = std::get_if<tile::TileView>(&operand);
  if (view == nullptr || error_) return;
  const tile::Tile& tile = out_.phases.back().tiles[static_cast<size_t>(view->tile)];
  const tile::Ring& ring = out_.rings[static_cast<size_t>(tile.ring)];
  if (ring.by_hand) {
    if (!by_hand_) fail(at, fmt::format("tile {} is by hand, and this is not", printable(tile.name)));
    return;
  }
  if (made.queue != ring.producer && (row.written || made.queue != ring.consumer))
    fail(at, fmt::format("the {} queue takes tile {}, whose ring is from {} to {}", name_of(made.queue),
                         printable(tile.name), name_of(ring.producer), name_of(ring.consumer)));
}

/// Who shares a load that varies along these dims of the grid; outside of one, all do.
void TileReader::share(const At& at, tile::Statement& load) {
  const std::vector<int64_t> varies = integers(get(at, "varies"), 0);
  if (load.op != isa::Opcode::load) return fail(at, "loads alone are shared");
  tile::Dims dims;
  for (const int64_t d : varies) {
    if (d >= std::ssize(grid_)) return fail(get(at, "varies"), "the grid has no such dim");
    dims[static_cast<size_t>(d)] = true;
  }
  const isa::Sharing sharing = grid_.empty() ? isa::Sharing{cores_, 1} : tile::sharing_of(grid_, dims, cores_);
  load.fields[isa::at::load_share] = Expr(sharing.size);
  load.fields[isa::at::load_step] = Expr(sharing.step);
}

void TileReader::instruction(const At& at, std::vector<tile::Statement>& to) {
  const std::string name = text(get(at, "op"));
  const isa::Row* row = isa::row_named(name);
  if (row == nullptr) return fail(at, fmt::format("there is no instruction \"{}\"", printable(name)));
  tile::Statement made;
  made.op = row->op;
  made.queue = named<isa::Queue>(get(at, "on"), isa::queue_named, "queue");
  if ((row->queues & isa::on(made.queue)) == 0 || made.queue == isa::Queue::sequencer)
    return fail(at, fmt::format("{} does not stand on the {} queue", name, name_of(made.queue)));
  each(get(at, "operands"), [&](const At& item) { made.operands.push_back(operand(item)); });
  if (made.operands.size() > row->operand_count()) return fail(at, fmt::format("{} has fewer operands", name));
  made.operands.resize(row->operand_count());
  for (size_t i = 0; i < row->operand_count(); ++i) {
    check_operand(at, made, row->operands[i], made.operands[i]);
  }
  const At fields = get(at, "fields");
  if (!fields.value.is_object()) return fail(fields, "it is no object");
  size_t known = 0;
  for (size_t i = 0; i < row->field_count(); ++i) {
    const isa::FieldRow& field_row = row->fields[i];
    const std::string field_name(field_row.name);
    const bool given = fields.value.contains(field_name);
    known += given ? 1 : 0;
    made.fields.push_back(given ? field(get(fields, field_name.c_str()), field_row) : Expr(field_row.otherwise));
  }
  if (known != fields.value.size()) fail(fields, fmt::format("{} lacks one of these fields", name));
  if (at.value.contains("varies")) share(at, made);
  made.waits = syncs(at, "waits", true);
  made.signals = syncs(at, "signals", false);
  made.line = line(at);
  to.push_back(std::move(made));
}

/// Entries are [semaphore, count, everywhere]. A wait everywhere is for as many from each core.
std::vector<isa::Sync> TileReader::syncs(const At& at, const char* name, bool waits) {
  std::vector<isa::Sync> out;
  if (!at.value.contains(name)) return out;
  const At list = get(at, name);
  if (!by_hand_) fail(list, "semaphores are named by hand alone");
  each(list, [&](const At& item) {
    const std::vector<int64_t> parts = integers(item, 0);
    if (parts.size() != 3 || parts[2] > 1) return fail(item, "it is no [semaphore, count, everywhere]");
    const int64_t most = waits && parts[2] == 1 ? UINT8_MAX / cores_ : UINT8_MAX;
    if (parts[0] >= std::ssize(out_.semaphores) || parts[1] < 1 || parts[1] > most)
      return fail(item, fmt::format("there is no such semaphore, or its count is not 1 to {}", most));
    const int64_t count = waits && parts[2] == 1 ? parts[1] * cores_ : parts[1];
    out.push_back({static_cast<uint8_t>(parts[0]), static_cast<uint8_t>(count), !waits && parts[2] == 1});
  });
  if (out.size() > isa::Instruction().waits.size()) fail(list, "an instruction has at most 3");
  return out;
}

std::string TileReader::line(const At& at) { return at.value.contains("line") ? text(get(at, "line")) : ""; }

/// In its body nothing is derived: no tile is taken, semaphores and slots are named.
void TileReader::manual(const At& at, std::vector<tile::Statement>& to) {
  if (by_hand_) return fail(at, "it stands in another");
  tile::Statement made;
  made.kind = tile::Statement::Kind::manual;
  made.line = line(at);
  by_hand_ = true;
  each(get(at, "manual"), [&](const At& item) { statement(item, made.body); });
  by_hand_ = false;
  to.push_back(std::move(made));
}

void TileReader::loop(const At& at, std::vector<tile::Statement>& to) {
  repeat(at, text(get(at, "loop")), expression(get(at, "count")), to);
}

/// Its body's variables are `unit`, which counts a core's units, and g0, g1 …: the coordinates of one.
void TileReader::grid(const At& at, std::vector<tile::Statement>& to) {
  const std::vector<int64_t> counts = integers(get(at, "grid"), 1);
  if (!grid_.empty()) return fail(at, "it stands in another grid");
  if (counts.empty() || counts.size() > tile::Dims().size()) return fail(at, "it has 1 to 16 dims");
  int64_t total = 1;
  for (const int64_t count : counts) {
    if (count > most_tile_trips / total) return fail(at, fmt::format("it makes more than {} units", most_tile_trips));
    total *= count;
  }
  grid_ = counts;
  const Expr trips = tile::trips_of(counts, cores_);
  const bool is_single = trips.is_constant() && trips.constant() == 1;
  const Expr unit = is_single ? Expr(0) : Expr::variable("unit", 0, std::max<int64_t>(trips.highest() - 1, 0));
  const std::vector<Expr> coordinates = tile::unit_at(counts, cores_, unit);
  for (size_t d = 0; d < counts.size(); ++d) variables_.insert_or_assign(fmt::format("g{}", d), coordinates[d]);
  if (is_single) {
    variables_.insert_or_assign("unit", unit);
    each(get(at, "body"), [&](const At& item) { statement(item, to); });
    variables_.erase("unit");
  } else {
    repeat(at, "unit", trips, to);
  }
  for (size_t d = 0; d < counts.size(); ++d) variables_.erase(fmt::format("g{}", d));
  grid_.clear();
}

/// A loop around a body.
void TileReader::repeat(const At& at, const std::string& name, const Expr& count, std::vector<tile::Statement>& to) {
  tile::Statement made;
  made.kind = tile::Statement::Kind::loop;
  made.line = line(at);
  made.count = count;
  made.index = Expr::variable(name, 0, std::max<int64_t>(made.count.highest() - 1, 0));
  const int64_t outer = trips_, trips = std::max<int64_t>(made.count.highest(), 1);
  if (trips > most_tile_trips / outer) return fail(at, fmt::format("it makes more than {} trips", most_tile_trips));
  if (variables_.size() > isa::loop_depth) return fail(at, fmt::format("loops nest at most {} deep", isa::loop_depth));
  if (!variables_.try_emplace(name, made.index).second) fail(at, fmt::format("{} is open already", printable(name)));
  trips_ = outer * trips;
  each(get(at, "body"), [&](const At& item) { statement(item, made.body); });
  variables_.erase(name);
  trips_ = outer;
  to.push_back(std::move(made));
}

void TileReader::statement(const At& at, std::vector<tile::Statement>& to) {
  if (at.value.is_object() && at.value.contains("loop")) return loop(at, to);
  if (at.value.is_object() && at.value.contains("grid")) return grid(at, to);
  if (at.value.is_object() && at.value.contains("manual")) return manual(at, to);
  if (!at.value.is_object() || !at.value.contains("tile")) return instruction(at, to);
  tile::Statement made;
  if (by_hand_) fail(at, "a ring's next tile is taken where semaphores are derived");
  made.kind = tile::Statement::Kind::tile;
  made.tile = static_cast<int>(number_below(get(at, "tile"), out_.phases.back().tiles.size()));
  to.push_back(std::move(made));
}

void TileReader::phase(const At& at) {
  tile::Phase& made = out_.phases.emplace_back();
  made.layer = {text(get(at, "name")),
                text(get(at, "op")),
                {},
                static_cast<uint64_t>(integer(get(at, "macs"), 0)),
                static_cast<uint64_t>(integer(get(at, "bytes"), 0)),
                dtype(get(at, "dtype"))};
  each(get(at, "tiles"), [&](const At& item) {
    made.tiles.push_back({text(get(item, "name")), static_cast<int>(number_below(get(item, "ring"), out_.rings.size())),
                          dtype(get(item, "dtype"))});
  });
  each(get(at, "body"), [&](const At& item) { statement(item, made.body); });
}

Result<TileProgram> TileReader::run() {
  const At all{json_, ""};
  out_.model = text(get(all, "name"));
  out_.chip = text(get(all, "chip"));
  out_.precision = text(get(all, "precision"));
  cores_ = given_cores_.value_or(std::max<int64_t>(1, integer(get(all, "cores"), 1, 255)));
  variables_.emplace("core", tile::core_id(cores_));
  each(get(all, "storages"), [&](const At& item) { storage(item); });
  each(get(all, "tensors"), [&](const At& item) { tensor(item); });
  if (json_.contains("semaphores")) each(get(all, "semaphores"), [&](const At& item) { semaphore(item); });
  each(get(all, "rings"), [&](const At& item) { ring(item); });
  each(get(all, "chains"), [&](const At& item) { chain(item); });
  each(get(all, "inputs"), [&](const At& item) { port(item, out_.inputs); });
  each(get(all, "outputs"), [&](const At& item) { port(item, out_.outputs); });
  each(get(all, "weights"), [&](const At& item) { weight(item); });
  each(get(all, "phases"), [&](const At& item) { phase(item); });
  if (out_.phases.empty()) fail(get(all, "phases"), "it has none");
  if (error_) return *error_;
  return TileProgram{std::move(out_), cores_};
}

Result<TileProgram> parse_tile_program(std::string_view json, std::optional<int64_t> cores) {
  if (json.size() > max_tile_program_bytes)
    return Error{"tiles.syntax", fmt::format("a tile program has at most {} bytes", max_tile_program_bytes)};
  const nlohmann::json parsed = nlohmann::json::parse(json, nullptr, false);
  if (parsed.is_discarded()) return Error{"tiles.syntax", "it is no JSON"};
  return TileReader(parsed, cores).run();
}

Result<Loaded> load_tiles(const TileProgram& program, const Source& source) {
  HADAL_TRY(chip::Chip chip, chip_of(source));
  Stopwatch watch;
  compile::Plan plan;
  plan.cores = program.cores;
  HADAL_TRY(isa::Program lowered, compile::Backend(chip, plan).lower(program.tiles));
  HADAL_CHECK(isa::verify(lowered));
  return Loaded{
      .program = std::move(lowered), .chip = std::move(chip), .compiled = true, .compile_seconds = watch.lap()};
}

}  // namespace hadal::runtime

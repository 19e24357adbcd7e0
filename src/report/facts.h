// What a run's report states, derived once for the terminal and for JSON.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "runtime/session.h"

namespace hadal::report {

/// The engine that does most for a layer, as its instructions tell.
enum class Engine : uint8_t { matrix, vector, host, dma };
std::string_view name_of(Engine engine);

struct LayerFacts {
  const isa::Layer* layer = nullptr;         ///< Name, op, nodes, MACs: of the program.
  const machine::LayerTime* time = nullptr;  ///< Null without timing.
  Engine engine = Engine::dma;
  double roofline_cycles = 0;  ///< Its MACs and compulsory bytes at the chip's peaks.
};

/// One call of a host function in the code.
struct HostOp {
  std::string function;
  const isa::Layer* layer = nullptr;
  std::optional<double> seconds;
};

struct Facts {
  std::vector<LayerFacts> layers;
  uint64_t macs = 0;                  ///< As the model states them.
  double roofline_cycles = 0;         ///< max(arithmetic, compulsory traffic) of the whole model.
  double roofline_matrix_cycles = 0;  ///< The arithmetic of the matrix array alone.
  double matrix_macs = 0;             ///< Those that the arrays can run.
  double roofline_memory_cycles = 0;  ///< The compulsory traffic alone.
  std::optional<double> seconds;
  std::optional<double> matrix_utilization;     ///< Share of the array's peak; 0..1.
  std::optional<double> bandwidth_utilization;  ///< Share of the memory's peak; 0..1.
  std::vector<HostOp> host_ops;
  double host_macs_share = 0;                ///< MACs of layers with host calls, of all; 0..1.
  std::map<isa::Opcode, uint64_t> executed;  ///< Engines' instructions: by the timing machine, else the functional one.
  std::optional<bool> counts_agree;          ///< Both machines executed the same; where both ran.
};

/// `outcome` outlives the facts.
Facts facts_of(const runtime::Outcome& outcome);

}  // namespace hadal::report

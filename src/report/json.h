// A run's report as JSON: docs/report.md and docs/run.schema.json tell every key.
#pragma once

#include <string>

#include "debug/bisect.h"
#include "report/facts.h"

namespace hadal::report {

/// The text of the report, UTF-8, ending in a line feed. Broken UTF-8 of hostile names is replaced.
std::string json_of(const runtime::Request& request, const runtime::Outcome& outcome, const Facts& facts);

/// What bisection has found in a program; numbers that JSON has not are the texts "inf", "-inf" and "nan".
std::string json_of(const debug::Bisection& bisection, const isa::Program& program);

/// Names of chips; fields of one.
std::string json_of(const std::vector<std::string>& names);
std::string json_of(const std::vector<chip::FieldRow>& fields);

/// The instruction table: a list of {name, queues, summary, semantics, operands, fields}.
std::string instructions_json();

}  // namespace hadal::report

#include "runtime/operators.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "compile/compile.h"
#include "graph/graph.h"
#include "isa/table.h"

namespace hadal::runtime {
namespace {

std::string text_of(const std::filesystem::path& file) {
  std::ostringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  return text.str();
}

TEST(Operators, ThePageIsPrintedFromTheTables) {
  const auto page = std::filesystem::path(HADAL_SOURCE_DIR) / "docs" / "ops.md";
  if (std::getenv("HADAL_UPDATE") != nullptr) std::ofstream(page, std::ios::binary) << operators_reference();
  EXPECT_EQ(text_of(page), operators_reference()) << "HADAL_UPDATE=1 rewrites it";
}

TEST(Operators, WhatTheyBecomeAreOpsOfTheGraph) {
  for (const onnx::OperatorInfo& op : onnx::operators())
    for (const std::string& name : op.becomes) EXPECT_NE(graph::op_named(name), nullptr) << op.name << ": " << name;
}

TEST(Operators, LoweringsNameInstructionsOfTheTable) {
  for (const graph::Op* op : graph::all_ops()) {
    std::istringstream words{std::string(compile::instructions_of(*op))};
    if (words.str() == "view" || words.str() == "in place") continue;
    for (std::string word; words >> word;) EXPECT_NE(isa::row_named(word), nullptr) << op->name << ": " << word;
  }
}

Place place_named(const std::string& name) {
  for (const onnx::OperatorInfo& op : onnx::operators())
    if (op.name == name) return place_of(op);
  ADD_FAILURE() << name;
  return Place::nowhere;
}

TEST(Operators, EachHasItsPlace) {
  EXPECT_EQ(place_named("Conv"), Place::chip);
  EXPECT_EQ(place_named("Erf"), Place::chip);
  EXPECT_EQ(place_named("Reshape"), Place::view);
  EXPECT_EQ(place_named("Concat"), Place::view);
  EXPECT_EQ(place_named("Shape"), Place::import);
  EXPECT_EQ(place_named("com.microsoft.FastGelu"), Place::chip);
}

}  // namespace
}  // namespace hadal::runtime

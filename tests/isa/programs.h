// Programs for the tests of the instruction set.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "isa/text.h"
#include "isa/verify.h"

namespace hadal::isa::testing {

inline std::filesystem::path data_folder() { return std::filesystem::path(HADAL_SOURCE_DIR) / "tests" / "data"; }

inline std::string read_text(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

inline Program assembled(const std::string& text) {
  auto program = assemble(text, "test.hasm", data_folder());
  EXPECT_TRUE(program.ok()) << program.error().text();
  return program ? std::move(program).value() : Program{};
}

/// One of tests/data/*.hasm.
inline std::string example_text(const std::string& name) { return read_text(data_folder() / (name + ".hasm")); }
inline Program example(const std::string& name) { return assembled(example_text(name)); }
inline const std::array<std::string, 3> examples{"matmul", "conv_pool", "vector"};

/// A folder of its own for each test, removed with it.
class Folder {
 public:
  Folder() {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    path_ = std::filesystem::temp_directory_path() /
            fmt::format("hadal-{}-{}-{}", test->test_suite_name(), test->name(), ::getpid());
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// Equal in everything that a file holds.
inline void expect_equal(const Program& a, const Program& b) {
  EXPECT_EQ(a.model, b.model);
  EXPECT_EQ(a.limits, b.limits);
  EXPECT_EQ(a.parameters, b.parameters);
  EXPECT_EQ(a.regions, b.regions);
  EXPECT_EQ(a.tensors, b.tensors);
  EXPECT_EQ(a.views, b.views);
  EXPECT_EQ(a.chains, b.chains);
  EXPECT_EQ(a.tables, b.tables);
  EXPECT_EQ(a.functions, b.functions);
  EXPECT_EQ(a.semaphores, b.semaphores);
  EXPECT_EQ(a.code, b.code);
  EXPECT_EQ(a.source, b.source);
  EXPECT_EQ(a.lines, b.lines);
  EXPECT_EQ(a.layers, b.layers);
  EXPECT_EQ(a.inputs, b.inputs);
  EXPECT_EQ(a.outputs, b.outputs);
  EXPECT_EQ(a.fixed, b.fixed);
  ASSERT_EQ(a.weights.size(), b.weights.size());
  for (size_t i = 0; i < a.weights.size(); ++i) {
    const auto &x = a.weights[i].bytes.view, &y = b.weights[i].bytes.view;
    EXPECT_EQ(a.weights[i].name, b.weights[i].name);
    EXPECT_EQ(a.weights[i].offset, b.weights[i].offset);
    EXPECT_TRUE(std::equal(x.begin(), x.end(), y.begin(), y.end())) << a.weights[i].name;
  }
}

}  // namespace hadal::isa::testing

#include "fuzz/programs.h"

#include "compile/compile.h"
#include "fuzz/models.h"
#include "fuzz/stages.h"
#include "isa/text.h"
#include "onnx/import.h"

namespace hadal::fuzz {

std::vector<isa::Program> seed_programs(const std::filesystem::path& folder) {
  std::vector<isa::Program> programs;
  const std::filesystem::path data = std::filesystem::path(HADAL_SOURCE_DIR) / "tests" / "data";
  for (const char* name : {"matmul", "conv_pool", "vector"}) {
    auto program = isa::assemble(get_file(data / fmt::format("{}.hasm", name)), name, data);
    EXPECT_TRUE(program.ok()) << name;
    programs.push_back(std::move(program).value());
  }
  const std::filesystem::path model = folder / "small.onnx";
  put_file(model, small_model().SerializeAsString());
  auto imported = onnx::import_model(model, {});
  EXPECT_TRUE(imported.ok());
  auto program = compile::compile(std::move(imported->graph), shipped("hadal-edge"), {});
  EXPECT_TRUE(program.ok()) << program.error().text();
  programs.push_back(std::move(program).value());
  return programs;
}

}  // namespace hadal::fuzz

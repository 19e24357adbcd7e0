#include "isa/manual.h"

#include <cstdlib>

#include "isa/fields.h"
#include "isa/table.h"
#include "programs.h"

namespace hadal::isa::testing {

namespace {

TEST(Manual, is_printed_from_the_tables) {
  const auto path = std::filesystem::path(HADAL_SOURCE_DIR) / "docs" / "isa.md";
  if (std::getenv("HADAL_UPDATE") != nullptr) std::ofstream(path, std::ios::binary) << manual();
  EXPECT_EQ(read_text(path), manual()) << "HADAL_UPDATE=1 rewrites it";
}

TEST(Manual, example_is_legal) {
  const Program program = assembled(std::string(manual_example()));
  const Status status = verify(program);
  EXPECT_TRUE(status.ok()) << status.error().text();
}

/// fields.h names positions of the table's fields and operands.
TEST(Table, positions_are_those_of_the_table) {
  const auto field = [](const char* row, size_t position) { return row_named(row)->fields[position].name; };
  EXPECT_EQ(field("loop", at::loop_max), "max");
  EXPECT_EQ(field("let", at::let_target), "target");
  EXPECT_EQ(field("let", at::let_b), "b");
  EXPECT_EQ(field("load", at::load_fill), "fill");
  EXPECT_EQ(field("load", at::load_value), "value");
  EXPECT_EQ(field("gather", at::gather_bounds), "bounds");
  EXPECT_EQ(field("scatter", at::scatter_axis), "axis");
  EXPECT_EQ(field("scatter", at::scatter_combine), "combine");
  for (const char* row : {"matmul", "conv", "conv_depthwise", "conv_transpose"}) {
    EXPECT_EQ(field(row, at::accumulator), "accumulator");
    EXPECT_EQ(field(row, at::accumulate), "accumulate");
    EXPECT_EQ(field(row, at::emit), "emit");
    EXPECT_EQ(field(row, at::epilogue), "epilogue");
    EXPECT_EQ(row_named(row)->operands[at::epilogue_0].name, "e1");
  }
  EXPECT_EQ(field("matmul", at::transpose_b), "transpose_b");
  for (const char* row : {"conv", "conv_depthwise", "conv_transpose"}) {
    EXPECT_EQ(field(row, at::stride_d), "stride_d");
    EXPECT_EQ(field(row, at::dilation_d), "dilation_d");
    EXPECT_EQ(field(row, at::pad_front), "pad_front");
    EXPECT_EQ(field(row, at::pad_back), "pad_back");
    EXPECT_EQ(field(row, at::pad_right), "pad_right");
    EXPECT_EQ(field(row, at::groups), "groups");
  }
  EXPECT_EQ(field("map", at::map_chain), "chain");
  EXPECT_EQ(field("reduce", at::reduce_axes), "axes");
  EXPECT_EQ(field("arg_reduce", at::arg_last), "last");
  EXPECT_EQ(field("softmax", at::softmax_log), "log");
  EXPECT_EQ(field("norm", at::norm_dims), "dims");
  EXPECT_EQ(field("norm", at::norm_epsilon), "epsilon");
  EXPECT_EQ(field("pool", at::kernel_d), "kernel_d");
  EXPECT_EQ(field("pool", at::pool_stride_d), "stride_d");
  EXPECT_EQ(field("pool", at::pool_dilation_d), "dilation_d");
  EXPECT_EQ(field("pool", at::pool_front), "pad_front");
  EXPECT_EQ(field("pool", at::pool_back), "pad_back");
  EXPECT_EQ(field("pool", at::count_pad), "count_pad");
  EXPECT_EQ(field("resample", at::resample_start), "start");
  EXPECT_EQ(field("transpose", at::order_0), "order_0");
  EXPECT_EQ(field("topk", at::topk_sorted), "sorted");
  EXPECT_EQ(field("scan", at::scan_reverse), "reverse");
  EXPECT_EQ(field("select_along", at::select_axis), "axis");
  EXPECT_EQ(field("sort", at::sort_axis), "axis");
  EXPECT_EQ(field("sort", at::sort_run), "run");
  EXPECT_EQ(field("sort", at::sort_descending), "descending");
  EXPECT_EQ(field("sort_pairs", at::sort_axis), "axis");
  EXPECT_EQ(field("sort_pairs", at::sort_run), "run");
  EXPECT_EQ(field("sort_pairs", at::sort_descending), "descending");
  EXPECT_EQ(field("sort_pairs", at::pairs_axis), "axis");
  EXPECT_EQ(field("sort_pairs", at::pairs_run), "run");
  EXPECT_EQ(field("sort_pairs", at::pairs_descending), "descending");
  EXPECT_EQ(field("sort_pairs", at::pairs_lower_above), "lower_above");
  EXPECT_EQ(field("host_call", at::host_function), "function");
  EXPECT_EQ(row_named("host_call")->operands[at::host_count].name, "count");
  EXPECT_EQ(row_named("host_call")->operands[at::host_in].name, "in0");
}

TEST(Table, rows_stand_in_opcode_order) {
  for (size_t i = 1; i < table().size(); ++i) EXPECT_LT(table()[i - 1].op, table()[i].op);
}

}  // namespace

}  // namespace hadal::isa::testing

#include "isa/verify.h"

#include "isa/findings.h"

namespace hadal::isa {

namespace {

constexpr std::array all_rules{
    Rule{"place.C1",
         "The program keeps to the limits that it states: cores, scratchpad, shared space, accumulator, memory, vector "
         "unit, matrix types."},
    Rule{"param.C1",
         "Parameters have distinct names and registers, and a minimum that is not above the maximum; core_id and "
         "core_count range over the cores."},
    Rule{"region.C1",
         "Weight and input regions are never written; a weight lies in the weight region; a port's bytes, and the "
         "i64 that counts what is in them, lie in regions of its kind."},
    Rule{"fixed.C1", "The values of a fixed input fill its type and shape; its name is no other input's."},
    Rule{"state.C1",
         "A state is an input and an output of one type and shape, neither of which belongs to another state."},
    Rule{"view.C1",
         "A box lies inside its tensor, for all values of the registers. With `fill` a load's may pass the tensor's "
         "edges."},
    Rule{"view.C2", "A tensor lies inside its region or the scratchpad."},
    Rule{"view.C3", "Offsets, strides and slots are multiples of the element's size."},
    Rule{"view.C4", "A view that is written does not overlap itself: stride 0 only for reads."},
    Rule{"view.C5", "A view has its tensor's rank, names existing registers, and its unused parts are 0."},
    Rule{"ring.C1", "A ring's slots lie inside its buffer, and a box inside one slot."},
    Rule{"loop.C1", "Loops nest, at most 8 deep; `max` bounds the count; the body does not write the index."},
    Rule{"let.C1", "No division by zero."},
    Rule{"sync.C1", "In program order every wait is met: the cores, one instruction after the other, never all stand."},
    Rule{"sync.C2",
         "Only a semaphore's own queue waits on it, and once an instruction. A wait is the core's own, never "
         "`everywhere`."},
    Rule{"sync.C4", "At `halt` every count is its initial one."},
    Rule{"sync.C5", "No count passes 32,767."},
    Rule{"queue.C1",
         "An instruction stands on a queue of its row, and each operand lies in a space that its row allows."},
    Rule{"matmul.C1", "The extents b, m, k and n agree."},
    Rule{"matmul.C2", "Both operands are floats, or both integers."},
    Rule{"matmul.C3", "The partial sums fit the accumulator, at a multiple of 4."},
    Rule{"scaled.C1", "Scales are f32, and cover the blocks of what they scale; `shift` is below 128."},
    Rule{"matmul.C4", "Sums are added to where an instruction left as many, and leave before others replace them."},
    Rule{"conv.C1", "The output's extents follow from input, kernel, stride, dilation and pads."},
    Rule{"conv.C2", "Groups divide the channels, and the weights have their extents."},
    Rule{"epilogue.C1", "The epilogue's operands are its chain's inputs, with the extents of `out`, or 1."},
    Rule{"chain.C1",
         "A chain has 1 to 32 steps, each of known operation on inputs or earlier steps; every input and every step "
         "but the last is used."},
    Rule{"map.C1", "The streams are the chain's inputs, with the rank and extents of `out`, or 1."},
    Rule{"reduce.C1", "The output has the input's extents, and 1 along the axes."},
    Rule{"softmax.C1", "Input and output have the same extents and are floats."},
    Rule{"norm.C1", "As softmax.C1; gamma and beta have the extents of the normalised axes."},
    Rule{"pool.C1",
         "The output's extents follow from input, window, stride, dilation and pads; batch and channels are equal."},
    Rule{"resample.C1",
         "The extents differ along the axis alone; rows and indices of the table lie inside it and the input."},
    Rule{"transpose.C1", "The order is a permutation; the type stays."},
    Rule{"topk.C1", "Values and indices have the input's extents, and k at most its last; the type stays."},
    Rule{"scan.C1", "Input and output have the same extents."},
    Rule{"select_along.C1",
         "The output has the index's extents, elsewhere than the axis at most the input's; the type stays."},
    Rule{"sort.C1",
         "Input and output have the same extents and type; the axis is a power of two, and the run a smaller one."},
    Rule{"sort_pairs.C1", "As sort.C1; the numbers are integers of one type, with the extents of the elements."},
    Rule{"gather.C1", "The output is the index by the table's rows; the index is an integer; the type stays."},
    Rule{
        "scatter.C1",
        "Elsewhere than the axis, operand and updates have the same extents; the index is an integer with those of the "
        "updates, or 1; the type stays."},
    Rule{"dma.C1", "Both sides of a copy have the same number of elements."},
    Rule{
        "share.C1",
        "The cores of a group come to the same shared loads of the same boxes in the same order, none waiting for what "
        "another does after it."},
    Rule{"alias.C1", "What is written overlaps no other operand, unless it is the same box of an element-wise read."},
    Rule{"host.C1", "The host function is known."},
    Rule{"code.C1",
         "Every instruction is one of the table, with its operands and fields in range and unused parts 0; the one "
         "`halt` is the last."},
    Rule{"source.C1", "Every instruction has a layer, and a line of the source text where any has."},
};

constexpr std::array all_order_rules{
    Rule{"race.R1",
         "Of two accesses to the same bytes, one of which writes, one has ended in every execution when the other "
         "begins."},
    Rule{"race.R2",
         "What is read has been written: by the program, or where it lies in inputs and weights. All bytes of an "
         "output are written."},
    Rule{"race.R3", "As race.R1, of bytes that a transfer or the host may still be at when they are written."},
    Rule{"sync.R1", "No count passes 32,767 in any execution, however late its waiting queue is."},
};

Findings static_findings(const Program& program, size_t most) {
  Findings found(most);
  verify_tables(program, found);
  if (found.errors.empty()) verify_views(program, found);
  if (found.errors.empty()) verify_code(program, found);
  return found;
}

}  // namespace

std::span<const Rule> rules() { return all_rules; }
std::span<const Rule> order_rules() { return all_order_rules; }

Status verify_static(const Program& program) {
  Findings found = static_findings(program, 1);
  if (found.errors.empty()) return {};
  return std::move(found.errors.front());
}

Status verify(const Program& program) {
  HADAL_CHECK(verify_static(program));
  return verify_walk(program, walk_budget);
}

std::vector<Error> verify_all(const Program& program, size_t most) {
  Findings found = static_findings(program, most);
  if (!found.errors.empty()) return std::move(found.errors);
  if (auto status = verify_walk(program, walk_budget); !status) return {std::move(status).error()};
  return {};
}

}  // namespace hadal::isa

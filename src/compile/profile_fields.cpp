#include "compile/profile_fields.h"

namespace hadal::compile {

namespace {

// A field's place in the Profile; the one macro, since members of members have no pointer.
#define AT(place) +[](Profile& profile) -> auto& { return profile.place; }

constexpr double largest = 1e12;
constexpr Unit number = Unit::number, time = Unit::seconds, bytes = Unit::bytes;
constexpr std::string_view passes = "whole apart again";

const ProfileField table[] = {
    {"name", AT(name), number, 0, 0, "Name of the profile, as reports print it.", true},
    {"summary", AT(summary), number, 0, 0, "One line about it.", true},
    {"chip", AT(chip), number, 0, 0, "Name of the chip that the software ran on.", true},

    {"machine.clock", AT(machine.clock_hertz), Unit::hertz, 1e6, 1e11,
     "Clock that the measured runs sustained; absent: the chip's."},
    {"machine.memory_efficiency", AT(machine.memory_efficiency), number, 0.01, 1,
     "Share of the memory's peak that the measured machine reached; absent: the chip's."},
    {"machine.matrix_share", AT(machine.matrix_share), number, 0.01, 1,
     "Share of the arrays' peak that compiled inner loops reach."},
    {"machine.warm", AT(machine.warm), number, 0, 0,
     "Calls were repeated, so that each finds in the chip's cache what the one before left."},

    {"launch.matmul", AT(launch.matmul), time, 0, 10, "From the call of a matrix product to its first instruction.",
     true},
    {"launch.conv", AT(launch.conv), time, 0, 10, "The same of a convolution, or a network that begins with one."},
    {"launch.attention", AT(launch.attention), time, 0, 10, "The same of attention."},
    {"launch.softmax", AT(launch.softmax), time, 0, 10, "The same of a softmax."},
    {"launch.normalize", AT(launch.normalize), time, 0, 10, "The same of a normalisation."},
    {"launch.map", AT(launch.map), time, 0, 10, "The same of element-wise work."},

    {"layers.resident", AT(layers.resident), number, 0, 0,
     "Results stay in the scratchpad for the next layer where they fit; false: all go through memory."},
    {"layers.epilogues", AT(layers.epilogues), number, 0, 0,
     "Element-wise work behind a convolution is part of it; false: it is a layer of its own."},
    {"layers.activation_bytes", AT(layers.activation_bytes), bytes, 1024, largest,
     "Room in the scratchpad for a tile of what streams past the array, of which there are at least two; absent: the "
     "compiler's own limit."},
    {"layers.weight_bytes", AT(layers.weight_bytes), bytes, 1024, largest, "The same of what stays in the array."},
    {"layers.row_bytes", AT(layers.row_bytes), bytes, 1024, largest,
     "Room for a tile of row and element-wise work, of which there are two each way; longer rows are cut."},
    {"layers.result_bytes", AT(layers.result_bytes), bytes, 1024, largest, "The same of results."},
    {"layers.stages", AT(layers.stages), number, 2, 64,
     "Tiles of each operand of a product that have room, at most: how far loads run ahead; absent: the compiler's "
     "own."},
    {"layers.results", AT(layers.results), number, 1, 64,
     "The same of results; with one, a tile is stored before the next begins."},

    {"matmul.tiles", AT(matmul.tiles), number, 1, 65536,
     "Blocks of results that the software knows, \"128x128 64x64\"; it takes the one that its own estimate finds "
     "fastest. Absent: the compiler's own search."},
    {"matmul.rule", AT(matmul.rule), number, 0, 0,
     "How one of the tiles is taken: by an estimate of its time (\"estimate\"), or that which needs the fewest waves "
     "over "
     "the cores, and then fills the last one best (\"waves\").",
     false, "estimate waves"},
    {"matmul.splits", AT(matmul.splits), number, 1, 64,
     "Parts of the contraction that cores may share, \"1 2 4\"; absent: never split."},
    {"matmul.chunk", AT(matmul.chunk), number, 1, 65536, "Contraction of one step of the inner loop."},
    {"matmul.raster", AT(matmul.raster), number, 1, 65536,
     "Rows of tiles that cores walk together, column by column, so that they meet in a shared cache."},
    {"matmul.panels", AT(matmul.panels), number, 0, 0,
     "A core holds the rows of a tile over all columns, where a tile of operands has room for them."},
    {"matmul.whole_bytes", AT(matmul.whole_bytes), bytes, 0, largest,
     "Of one core: operands of together at most this are loaded whole before the first multiplication; absent: "
     "products begin with the first tiles."},
    {"matmul.window_bytes", AT(matmul.window_bytes), bytes, 1, largest,
     "Tiles whose rows have more than this over the whole contraction"},
    {"matmul.window_rows", AT(matmul.window_rows), number, 1, 65536, "have so many rows at most."},
    {"matmul.whole_rows", AT(matmul.whole_rows), number, 1, 65536, "That is done from so many rows on."},

    {"convolution.tiles", AT(convolution.tiles), number, 1, 65536,
     "Blocks of results, pixels by channels; a tile has rows of an image, or whole images. Absent: the compiler's own "
     "search."},
    {"convolution.lanes", AT(convolution.lanes), number, 1, 65536,
     "Channels of each tap are filled up to a multiple of this before they meet the array."},
    {"convolution.packed", AT(convolution.packed), number, 1, 65536,
     "Fewer channels than this are not filled up: their taps lie side by side."},

    {"softmax.passes", AT(softmax.passes), number, 0, 0,
     "How memory is read for rows: once (\"whole\"), by passes that are layers with results of their own (\"apart\"), "
     "or "
     "by a kernel that reads its rows again (\"again\").",
     false, passes},
    {"softmax.held_bytes", AT(softmax.held_bytes), bytes, 0, largest,
     "Of \"again\": rows up to this are read once all the same,"},
    {"softmax.cached_bytes", AT(softmax.cached_bytes), bytes, 0, largest,
     "and up to this twice, as a cache has them for the third pass."},
    {"softmax.rows", AT(softmax.rows), number, 1, 65536, "Rows that a core takes at a time; absent: what fits."},
    {"softmax.elements", AT(softmax.elements), number, 1, 1e6,
     "Elements that it takes at least, where it takes few rows: shorter rows are taken together."},
    {"softmax.step_cycles", AT(softmax.step_cycles), Unit::cycles, 1, 1e6,
     "One step of the tree over the lanes that a reduction ends with, barriers included; absent: the chip's."},
    {"softmax.lane_instructions", AT(softmax.lane_instructions), number, 1, 1e6,
     "Instructions that compiled code spends on an element, on the lanes; absent: what the operation needs."},
    {"normalize.passes", AT(normalize.passes), number, 0, 0, "As softmax.passes, for layer norm.", false, passes},
    {"normalize.held_bytes", AT(normalize.held_bytes), bytes, 0, largest, "As softmax.held_bytes."},
    {"normalize.cached_bytes", AT(normalize.cached_bytes), bytes, 0, largest, "As softmax.cached_bytes."},
    {"normalize.rows", AT(normalize.rows), number, 1, 65536, "As softmax.rows."},
    {"normalize.elements", AT(normalize.elements), number, 1, 1e6, "As softmax.elements."},
    {"normalize.step_cycles", AT(normalize.step_cycles), Unit::cycles, 1, 1e6, "As softmax.step_cycles."},
    {"normalize.lane_instructions", AT(normalize.lane_instructions), number, 1, 1e6, "As softmax.lane_instructions."},

    {"attention.scores", AT(attention.scores), number, 0, 0,
     "Scores of attention stay in the core (\"joined\"), or go through memory: written once, read for the rows' "
     "statistics and again for the product with the values (\"stored\").",
     false, "joined stored"},
    {"attention.queries", AT(attention.queries), number, 1, 65536,
     "Rows of scores that a core takes at a time; absent: the compiler's own choice."},
    {"attention.heads", AT(attention.heads), number, 1, 65536,
     "Where these are all rows: heads that it takes together, as far as they fit; absent: one."},
    {"attention.array_block", AT(attention.array_block), number, 1, 65536,
     "Rows and columns of an array that one product of the kernel fills; all arrays then hold the same weights, and "
     "share the rows that stream past them. Absent: by the chip's rules."},
    {"attention.issue_cycles", AT(attention.issue_cycles), Unit::cycles, 1, 1e6,
     "From one transfer's descriptor to the next; absent: the chip's."},
    {"attention.lane_instructions", AT(attention.lane_instructions), number, 1e-3, 1e6,
     "Instructions that compiled code spends on a score, on the lanes; absent: what the operation needs."},
};

#undef AT

}  // namespace

std::span<const ProfileField> profile_fields() { return table; }

}  // namespace hadal::compile

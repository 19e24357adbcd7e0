#include "memory/fields.h"

namespace hadal::memory {

namespace {

// A field's place in the Device; the one macro, since members of members have no pointer.
#define AT(place) +[](Device& device) -> auto& { return device.place; }

constexpr Unit number = Unit::number, bytes = Unit::bytes;

const Field field_table[] = {
    {"name", AT(name), number, 0, 0, "Name of the memory."},
    {"summary", AT(summary), number, 0, 0, "One line about it."},
    {"stands_for", AT(stands_for), number, 0, 0, "Simulator and preset of the reference rows that it answers.", false},

    {"organization.channels", AT(organization.channels), number, 1, 4096, "Channels of all stacks or devices."},
    {"organization.pseudo_channels", AT(organization.pseudo_channels), number, 1, 8,
     "Pseudo-channels a channel: they share its command buses, and have data buses of their own. 1: none."},
    {"organization.bank_groups", AT(organization.bank_groups), number, 1, 64,
     "Bank groups a pseudo-channel, of all its ranks or stack IDs."},
    {"organization.banks", AT(organization.banks), number, 1, 64, "Banks a bank group."},
    {"organization.rows", AT(organization.rows), number, 1, 1 << 24, "Rows a bank."},
    {"organization.row_bytes", AT(organization.row_bytes), bytes, 1, 1 << 20, "A row of a pseudo-channel (a page)."},
    {"organization.burst_bytes", AT(organization.burst_bytes), bytes, 1, 4096, "What one RD or WR moves."},

    {"clock.period", AT(clock_femtoseconds), Unit::seconds, 1e-12, 1e-6, "Period of the command clock, tCK."},
    {"clock.ticks", AT(ticks), number, 1, 4, "Ticks a clock: 2 where commands may begin half a clock later.", false},

    {"commands.buses", AT(buses), number, 1, 2, "2: row and column commands have a bus each. 1: they share one."},
    {"commands.half_clock", AT(half_clock_commands), number, 0, 0,
     "Commands that may begin on any tick; others begin with a clock.", false},
    {"commands.pairing", AT(pairing), number, 0, 0,
     "JESD238: in the half clock behind a row command no PRE of the same bank may follow, and none at all behind one "
     "of "
     "all banks.",
     false},

    {"controller.scheduler", AT(controller.scheduler), number, 0, 0,
     "`FRFCFS`: one read and one write queue, ready commands first, then the oldest; PRE counts as ready. "
     "`FRFCFSRowHit`: the same, but no PRE while an older row hit waits. `FRFCFS-perbank`: queues feed one short queue "
     "a bank, which are visited in turn.",
     true, "FRFCFS FRFCFSRowHit FRFCFS-perbank"},
    {"controller.row_policy", AT(controller.row_policy), number, 0, 0,
     "`open`: rows stay open. `closed`: each access closes its row. `closedcapN`: a row closes after N accesses."},
    {"controller.refresh", AT(controller.refresh), number, 0, 0, "Which banks a refresh takes.", true,
     "all-bank per-bank none"},
    {"controller.mapping", AT(controller.mapping), number, 0, 0, "One of the names of [mapping]."},
    {"controller.queue", AT(controller.queue), number, 1, 4096,
     "Entries of the read queue, and as many of the write queue, a channel."},
    {"controller.write_high", AT(controller.write_high), number, 0, 1, "Fill of the write queue above which writes go.",
     false},
    {"controller.write_low", AT(controller.write_low), number, 0, 1, "Fill below which reads go again.", false},
    {"controller.bank_queue", AT(controller.bank_queue), number, 1, 256, "FRFCFS-perbank: entries of a bank's queue.",
     false},
    {"controller.drain_above", AT(controller.drain_above), number, 0, 4096,
     "FRFCFS-perbank: writes above which they go when no bank has anything to do.", false},
    {"controller.hit_limit", AT(controller.hit_limit), number, 1, 4096,
     "FRFCFS-perbank: row hits after which an older miss closes the row although more wait.", false},
};
#undef AT

const Parameter parameter_table[] = {
    {"tBL", "Burst on the data bus."},
    {"tCL", "RD to the first data."},
    {"tCWL", "WR to the first data."},
    {"tRCDRD", "ACT to RD."},
    {"tRCDWR", "ACT to WR."},
    {"tRP", "PRE to ACT."},
    {"tRAS", "ACT to PRE."},
    {"tRC", "ACT to ACT of a bank."},
    {"tWR", "Last data written to PRE."},
    {"tRTP", "RD to PRE."},
    {"tCCDS", "Column command to the next of its kind."},
    {"tCCDL", "The same within a bank group."},
    {"tRRDS", "ACT to ACT of another bank."},
    {"tRRDL", "The same within a bank group."},
    {"tFAW", "Window of four ACT.", false},
    {"tWTRS", "Last data written to RD."},
    {"tWTRL", "The same within a bank group."},
    {"tRTW", "RD to WR, where it does not follow from the latencies.", false},
    {"tRTRS", "Turnaround of the data bus.", false},
    {"tPPD", "PRE to PRE.", false},
    {"tREFI", "One refresh of all banks to the next."},
    {"tRFC", "REF to ACT."},
    {"tREFISB", "One refresh of one bank to the next.", false},
    {"tRFCSB", "REFB to ACT of its bank.", false},
    {"tRREFD", "REFB to ACT of another bank, or to the next REFB.", false},
};

}  // namespace

std::span<const Field> fields() { return field_table; }
std::span<const Parameter> parameters() { return parameter_table; }

}  // namespace hadal::memory

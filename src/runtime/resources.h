// What this process may use of the computer it runs on.
#pragma once

#include <cstdint>

namespace hadal::runtime {

/// CPUs that this process may run on: its affinity, and its control group's quota rounded up; at least 1.
int usable_cpus();
/// Bytes that this process may still take: free memory of the computer, of its control groups, and of its own limits.
int64_t usable_memory();
/// Bytes of a program's text that is read: it takes several times its size as a program being made.
inline int64_t most_text_bytes() { return usable_memory() / 8; }
/// The most bytes that this process has held in memory so far.
int64_t peak_memory();
/// Makes allocations fail that would take this process's data beyond `bytes` and 1 GiB for libraries: a backstop behind
/// the estimates, so that one that is wrong ends in an error.
void limit_memory(int64_t bytes);

}  // namespace hadal::runtime

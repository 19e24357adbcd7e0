#include "runtime/resources.h"

#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

namespace hadal::runtime {

namespace {

constexpr int64_t unlimited = std::numeric_limits<int64_t>::max();

/// The number at the front of a word, or `otherwise` ("max", or nothing at all).
int64_t number(const std::string& word, int64_t otherwise) {
  int64_t value = 0;
  return std::from_chars(word.data(), word.data() + word.size(), value).ec == std::errc{} ? value : otherwise;
}

/// The words of the first line that begins with `key` (any line, where it is empty).
std::vector<std::string> words_of(const std::filesystem::path& file, const std::string& key = {}) {
  std::ifstream in(file);
  std::string line;
  while (std::getline(in, line)) {
    if (!line.starts_with(key)) continue;
    std::vector<std::string> words;
    for (size_t at = 0; (at = line.find_first_not_of(" \t", at)) != line.npos;) {
      const size_t end = std::min(line.find_first_of(" \t", at), line.size());
      words.push_back(line.substr(at, end - at));
      at = end;
    }
    return words;
  }
  return {};
}
int64_t number_in(const std::filesystem::path& file, int64_t otherwise) {
  const auto words = words_of(file);
  return words.empty() ? otherwise : number(words[0], otherwise);
}
int64_t number_in(const std::filesystem::path& file, const std::string& key, int64_t otherwise) {
  const auto words = words_of(file, key);
  return words.size() < 2 ? otherwise : number(words[1], otherwise);
}

/// Folders of the control groups this process is in, of one controller, from its own to the root.
std::vector<std::filesystem::path> groups(const std::string& controller) {
  std::vector<std::filesystem::path> out;
  std::ifstream in("/proc/self/cgroup");
  std::string line;
  while (std::getline(in, line)) {  // "0::/a/b" (version 2) or "4:memory:/a/b" (version 1)
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == line.npos || second == line.npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const bool unified = controllers == ",,";
    if (!unified && controllers.find("," + controller + ",") == controllers.npos) continue;
    const std::filesystem::path root = unified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/" + controller;
    std::filesystem::path group = line.substr(second + 1);
    for (group = group.relative_path(); !group.empty(); group = group.parent_path()) out.push_back(root / group);
    out.push_back(root);
  }
  return out;
}

int64_t free_in_groups() {
  int64_t least = unlimited;
  const auto count = [&](const std::filesystem::path& group, const char* limit, const char* used, const char* cache) {
    const int64_t most = number_in(group / limit, unlimited);
    if (most == unlimited) return;
    const int64_t reclaimable = number_in(group / "memory.stat", cache, 0);
    least = std::min(least, most - number_in(group / used, 0) + reclaimable);
  };
  for (const auto& group : groups("memory")) {
    count(group, "memory.max", "memory.current", "inactive_file ");
    count(group, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file ");
  }
  return least;
}

}  // namespace

int usable_cpus() {
  cpu_set_t set;
  int64_t cpus = ::sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  const auto bound = [&](int64_t quota, int64_t period) {
    if (quota > 0 && period > 0) cpus = std::min(cpus, (quota + period - 1) / period);
  };
  for (const auto& group : groups("cpu")) {
    const auto words = words_of(group / "cpu.max");  // "200000 100000" or "max 100000"
    if (words.size() == 2) bound(number(words[0], 0), number(words[1], 0));
    bound(number_in(group / "cpu.cfs_quota_us", 0), number_in(group / "cpu.cfs_period_us", 0));
  }
  return static_cast<int>(std::max<int64_t>(cpus, 1));
}

int64_t usable_memory() {
  const int64_t kibibytes = number_in("/proc/meminfo", "MemAvailable:", unlimited / 1024);
  int64_t bytes = std::min(kibibytes * 1024, free_in_groups());
  for (const auto resource : {RLIMIT_AS, RLIMIT_DATA}) {
    rlimit limit{};
    if (::getrlimit(resource, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
      bytes = std::min(bytes, static_cast<int64_t>(std::min<rlim_t>(limit.rlim_cur, static_cast<rlim_t>(unlimited))));
  }
  return std::max<int64_t>(bytes, 0);
}

int64_t peak_memory() {
  // getrusage hands a program the peak of the process that started it; the status file begins anew with the program.
  if (const int64_t kibibytes = number_in("/proc/self/status", "VmHWM:", 0); kibibytes > 0) return kibibytes * 1024;
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return int64_t{usage.ru_maxrss} * 1024;
}

void limit_memory(int64_t bytes) {
#ifndef __SANITIZE_ADDRESS__  // Its shadow memory counts as data.
  rlimit limit{};
  if (::getrlimit(RLIMIT_DATA, &limit) != 0) return;
  constexpr rlim_t overhead = rlim_t{1} << 30;
  limit.rlim_cur = std::min(static_cast<rlim_t>(bytes) + overhead, limit.rlim_max);
  ::setrlimit(RLIMIT_DATA, &limit);
#else
  (void)bytes;
#endif
}

}  // namespace hadal::runtime

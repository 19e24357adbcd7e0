#include "fuzz/campaign.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

#include "isa/crc32c.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
// GCC's runtime has it, but not all of GCC's packages have its header.
extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void*, size_t),
                                                         void (*on_free)(const volatile void*));
#endif

namespace hadal::fuzz {

namespace {

char current[200] = "";  // The input under way, for whoever ends the process.
std::atomic<size_t> largest{0};

void tell_current() { (void)!::write(STDERR_FILENO, current, std::strlen(current)); }

/// Ends the process as the signal would have, after telling why.
void on_signal(int signal) {
  tell_current();
  std::signal(signal, SIG_DFL);
  std::raise(signal == SIGALRM ? SIGABRT : signal);
}

void watch() {
  std::signal(SIGALRM, on_signal);
#if defined(__SANITIZE_ADDRESS__)
  static bool once = false;
  if (std::exchange(once, true)) return;
  __sanitizer_set_death_callback(tell_current);
  __sanitizer_install_malloc_and_free_hooks(
      [](const volatile void*, size_t bytes) {
        size_t before = largest.load();
        while (before < bytes && !largest.compare_exchange_weak(before, bytes)) {
        }
      },
      [](const volatile void*) {});
#else  // The sanitizer has better handlers.
  for (const int signal : {SIGSEGV, SIGFPE, SIGABRT, SIGBUS, SIGILL}) std::signal(signal, on_signal);
#endif
}

size_t number_from(const char* variable, size_t otherwise) {
  const char* text = std::getenv(variable);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

std::string list_of(const std::map<std::string, size_t>& counts) {
  std::string out;
  for (const auto& [name, count] : counts) out += fmt::format("{}{} {}", out.empty() ? "" : ", ", name, count);
  return out;
}

}  // namespace

void put_file(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

std::string get_file(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

Campaign::Campaign(std::string name, size_t inputs)
    : name_(std::move(name)), inputs_(inputs * number_from("HADAL_FUZZ_SCALE", 1)) {
  folder_ = std::filesystem::temp_directory_path() / fmt::format("hadal-fuzz-{}-{}", name_, ::getpid());
  std::filesystem::create_directories(folder_);
  watch();
}

Campaign::~Campaign() {
  ::alarm(0);
  current[0] = 0;
  std::filesystem::remove_all(folder_);
  fmt::print("fuzz {}: {} inputs, {} accepted, {} refused, in {:.1f} s; the slowest, {}, took {:.2f} s\n", name_, ran_,
             accepted_, ran_ - accepted_, seconds_, slowest_index_, slowest_);
  fmt::print("  made by: {}\n  reached: {}\n  refused: {}\n", list_of(kinds_), list_of(stages_), list_of(refusals_));
  EXPECT_LT(slowest_, longest_seconds) << name_ << " input " << slowest_index_;
  EXPECT_LT(largest.load(), static_cast<size_t>(largest_allocation)) << name_;
}

void Campaign::run(const std::function<Status(Random&)>& input) {
  const size_t only = number_from("HADAL_FUZZ_INPUT", inputs_);
  for (size_t i = 0; i < inputs_; ++i)
    if (only == inputs_ || i == only) one(i, input);
}

void Campaign::one(size_t index, const std::function<Status(Random&)>& input) {
  std::snprintf(current, sizeof current, "\nfuzz %s: HADAL_FUZZ_INPUT=%zu shows it again\n", name_.c_str(), index);
  ::alarm(4 * static_cast<unsigned>(longest_seconds));
  const auto start = std::chrono::steady_clock::now();
  Random random((uint64_t{isa::crc32c(std::as_bytes(std::span(name_)))} << 32) + index);
  const Status status = input(random);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  ++ran_;
  seconds_ += seconds;
  if (seconds > slowest_) slowest_ = seconds, slowest_index_ = index;
  if (status.ok()) {
    ++accepted_;
    return;
  }
  ++refusals_[status.error().code];
  EXPECT_FALSE(status.error().code.empty()) << name_ << " input " << index << ": " << status.error().message;
  EXPECT_FALSE(status.error().message.empty()) << name_ << " input " << index << ": " << status.error().code;
}

}  // namespace hadal::fuzz

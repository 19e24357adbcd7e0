// Files that are being written under a temporary name, so that a signal can take them away.
#pragma once

#include <filesystem>

namespace hadal {

/// While it lives, SIGINT, SIGTERM and SIGHUP remove the file, if `remove_unfinished_on_signals` was called. A few live
/// at once; where there are more, the rest stay as they are.
class Unfinished {
 public:
  explicit Unfinished(const std::filesystem::path& file);
  Unfinished(Unfinished&& other) noexcept;
  Unfinished& operator=(Unfinished&&) = delete;
  ~Unfinished();

 private:
  int slot_ = -1;
};

/// Ends the process as those signals do, after removing what is unfinished. Signals that are ignored stay so.
void remove_unfinished_on_signals();

}  // namespace hadal

// stdout, stderr and the progress line.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hadal::cli {

/// Writes all of `text`. A reader that has gone away is no error; a full disk is: console.write.
Status put(std::FILE* stream, std::string_view text);

/// One line on stderr that says what goes on; quiet where stderr is no terminal. Gone when the object is.
class Progress {
 public:
  Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { clear(); }
  void show(const std::string& stage);
  void clear();

 private:
  bool on_terminal_, shown_ = false;
};

/// Prints an error to stderr; returns the exit code: 2 for usage ("usage.*"), else 1.
int fail(const Error& error);

}  // namespace hadal::cli

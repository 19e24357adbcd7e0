#include "base/unfinished.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <vector>

#include "base/files.h"

namespace hadal {
namespace {

class UnfinishedFiles : public ::testing::Test {
 protected:
  UnfinishedFiles() { std::filesystem::create_directories(folder); }
  ~UnfinishedFiles() override { std::filesystem::remove_all(folder); }
  std::filesystem::path file(const std::string& name) const {
    std::ofstream(folder / name) << "half";
    return folder / name;
  }
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / fmt::format("hadal-unfinished-{}", ::getpid());
};

/// How a child ends that does `work` and then sends itself a signal.
template <class Work>
int end_of_child(int signal, Work work) {
  const pid_t child = ::fork();
  if (child == 0) {
    remove_unfinished_on_signals();
    work(signal);
    std::_Exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

TEST_F(UnfinishedFiles, SignalsTakeThemAway) {
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    const auto held = file("held"), done = file("done");
    EXPECT_EQ(end_of_child(number,
                           [&](int signal) {
                             const Unfinished a(held);
                             {
                               const Unfinished b(done);
                             }
                             Unfinished moved(Unfinished(file("moved")));
                             std::raise(signal);
                           }),
              number);
    EXPECT_FALSE(std::filesystem::exists(held));
    EXPECT_FALSE(std::filesystem::exists(folder / "moved"));
    EXPECT_TRUE(std::filesystem::exists(done));
  }
}

TEST_F(UnfinishedFiles, IgnoredSignalsStayIgnored) {
  const auto held = file("held");
  EXPECT_EQ(end_of_child(SIGUSR1,
                         [&](int) {
                           std::signal(SIGHUP, SIG_IGN);
                           remove_unfinished_on_signals();
                           const Unfinished a(held);
                           std::raise(SIGHUP);
                         }),
            0);
  EXPECT_TRUE(std::filesystem::exists(held));
}

TEST_F(UnfinishedFiles, MoreThanThereAreSlotsStay) {
  std::vector<Unfinished> many;
  many.reserve(40);
  for (int i = 0; i < 40; ++i) many.emplace_back(folder / fmt::format("{}", i));
  EXPECT_TRUE(write_file(folder / "whole", std::string_view("text")).ok());
  EXPECT_TRUE(std::filesystem::exists(folder / "whole"));
}

}  // namespace
}  // namespace hadal

// Cores that are run until all have halted, by whichever thread is free.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "machine/functional/core.h"
#include "machine/functional/team.h"
#include "machine/functional/worker.h"

namespace hadal::machine {

class Scheduler {
 public:
  /// One worker for each thread of the team.
  Scheduler(Team& team, std::vector<std::unique_ptr<Worker>>& workers) : team_(team), workers_(workers) {}

  /// Steps the cores until all are done. Errors: the first core's error; sync.C1 where all that are left are blocked.
  Status run(Shared& shared, std::vector<std::unique_ptr<Core>>& cores);
  /// Wakes threads after a signal that blocked cores may wait for.
  void signalled();

 private:
  void work(Worker& worker);
  std::optional<size_t> find_work(std::unique_lock<std::mutex>& lock);
  void collect_ready();
  void fail(Error error);
  void wait_for_event(std::unique_lock<std::mutex>& lock);
  Core::State step(size_t core, Worker& worker);
  void finish(size_t core, Core::State state);

  Team& team_;
  std::vector<std::unique_ptr<Worker>>& workers_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<uint64_t> events_{0};  ///< Anything that may give work; threads that spin read it without the mutex.
  std::atomic<int> sleepers_{0};
  // Under the mutex.
  Shared* shared_ = nullptr;
  std::vector<std::unique_ptr<Core>>* cores_ = nullptr;
  std::deque<size_t> ready_;
  std::vector<size_t> blocked_;
  size_t running_ = 0, unfinished_ = 0;
  std::optional<Error> error_;
};

}  // namespace hadal::machine

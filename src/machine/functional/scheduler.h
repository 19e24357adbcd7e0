// Threads that run cores until all have halted. The threads live as long as the scheduler.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "machine/functional/core.h"
#include "machine/functional/worker.h"

namespace hadal::machine {

class Scheduler {
 public:
  /// One thread a worker; the first worker is the thread that calls `run`.
  explicit Scheduler(std::vector<std::unique_ptr<Worker>>& workers);
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  /// Steps the cores until all are done. Errors: the first core's error; sync.C1 where all that are left are blocked.
  Status run(Shared& shared, std::vector<std::unique_ptr<Core>>& cores);
  /// Wakes threads after a signal that blocked cores may wait for.
  void signalled();

 private:
  void serve(size_t worker);
  void work(Worker& worker);
  std::optional<size_t> find_work(std::unique_lock<std::mutex>& lock);
  void collect_ready();
  void fail(Error error);
  void wait_for_event(std::unique_lock<std::mutex>& lock);
  Core::State step(size_t core, Worker& worker);
  void finish(size_t core, Core::State state);

  std::vector<std::unique_ptr<Worker>>& workers_;
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<uint64_t> events_{0};  ///< Anything that may give work; threads that spin read it without the mutex.
  std::atomic<int> sleepers_{0};
  // Under the mutex.
  bool ending_ = false;
  uint64_t round_ = 0;        ///< Of runs.
  size_t inside_ = 0;         ///< Threads in the run, besides the caller.
  Shared* shared_ = nullptr;  ///< Null between runs.
  std::vector<std::unique_ptr<Core>>* cores_ = nullptr;
  std::deque<size_t> ready_;
  std::vector<size_t> blocked_;
  size_t running_ = 0, unfinished_ = 0;
  std::optional<Error> error_;
};

}  // namespace hadal::machine

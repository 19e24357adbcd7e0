#include "machine/functional/scheduler.h"

#include <exception>
#include <new>

namespace hadal::machine {

void Scheduler::signalled() {
  events_.fetch_add(1);
  if (sleepers_.load() == 0) return;
  {
    const std::lock_guard lock(mutex_);
  }  // A sleeper between its last look and its sleep holds the mutex.
  changed_.notify_all();
}

void Scheduler::wait_for_event(std::unique_lock<std::mutex>& lock) {
  const uint64_t seen = events_.load();
  lock.unlock();
  const double until = seconds_now() + spin_seconds;
  while (events_.load(std::memory_order_relaxed) == seen && seconds_now() < until)
    for (int i = 0; i < 16; ++i) pause_processor();
  lock.lock();
  sleepers_.fetch_add(1);
  changed_.wait(lock, [&] { return events_.load() != seen; });
  sleepers_.fetch_sub(1);
}

Status Scheduler::run(Shared& shared, std::vector<std::unique_ptr<Core>>& cores) {
  shared_ = &shared;
  cores_ = &cores;
  error_.reset();
  blocked_.clear();
  ready_.clear();
  for (size_t i = 0; i < cores.size(); ++i) ready_.push_back(i);
  running_ = 0;
  unfinished_ = cores.size();
  team_.run([this](size_t thread) {
    const SingleThreaded single;
    work(*workers_[thread]);
  });
  if (error_) return *std::move(error_);
  return {};
}

void Scheduler::work(Worker& worker) {
  std::unique_lock lock(mutex_);
  while (const std::optional<size_t> core = find_work(lock)) {
    lock.unlock();
    const Core::State state = step(*core, worker);
    lock.lock();
    finish(*core, state);
  }
}

Core::State Scheduler::step(size_t core, Worker& worker) {
  try {
    return (*cores_)[core]->step(worker);
  } catch (const std::bad_alloc&) {
    const std::lock_guard lock(mutex_);
    fail({"machine.memory", "the host has not enough memory for the buffers of a kernel"});
  } catch (const std::exception& error) {
    const std::lock_guard lock(mutex_);
    fail({"machine.kernel", fmt::format("a kernel failed: {}", printable(error.what()))});
  }
  return Core::State::stopped;
}

void Scheduler::fail(Error error) {
  if (!error_) error_ = std::move(error);
  shared_->stop.store(true);
}

void Scheduler::finish(size_t core, Core::State state) {
  --running_;
  if (state == Core::State::blocked) blocked_.push_back(core);
  if (state == Core::State::done) --unfinished_;
  if (state == Core::State::failed) fail((*cores_)[core]->error());
  events_.fetch_add(1);
  if (sleepers_.load() > 0) changed_.notify_all();
}

void Scheduler::collect_ready() {
  for (size_t i = 0; i < blocked_.size();) {
    if (!(*cores_)[blocked_[i]]->ready()) {
      ++i;
      continue;
    }
    ready_.push_back(blocked_[i]);
    blocked_.erase(blocked_.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

/// A core to step, or none when the run is over.
std::optional<size_t> Scheduler::find_work(std::unique_lock<std::mutex>& lock) {
  while (!error_ && unfinished_ > 0) {
    collect_ready();
    if (!ready_.empty()) {
      const size_t core = ready_.front();
      ready_.pop_front();
      ++running_;
      return core;
    }
    if (running_ == 0) {
      fail((*cores_)[blocked_.front()]->deadlock());
      break;
    }
    wait_for_event(lock);
  }
  return std::nullopt;
}

}  // namespace hadal::machine

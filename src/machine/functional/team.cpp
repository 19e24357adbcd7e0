#include "machine/functional/team.h"

namespace hadal::machine {

Team::Team(size_t threads) {
  for (size_t i = 1; i < threads; ++i) threads_.emplace_back([this, i] { serve(i); });
}

Team::~Team() {
  work_ = nullptr;
  round_.fetch_add(1);
  round_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Team::run(const std::function<void(size_t)>& work) {
  work_ = &work;
  working_.store(static_cast<uint32_t>(threads_.size()));
  round_.fetch_add(1);
  round_.notify_all();
  work(0);
  await(working_, [](uint32_t working) { return working == 0; });
}

void Team::serve(size_t number) {
  for (uint32_t seen = 0;; ++seen) {
    await(round_, [&](uint32_t round) { return round != seen; });
    if (!work_) return;
    (*work_)(number);
    working_.fetch_sub(1);
    working_.notify_all();
  }
}

}  // namespace hadal::machine

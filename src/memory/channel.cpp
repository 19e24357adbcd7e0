#include "memory/channel.h"

#include "memory/bank_queues.h"
#include "memory/shared_queues.h"

namespace hadal::memory {

std::unique_ptr<Channel> make_channel(const Device& device) {
  if (device.controller.scheduler == "FRFCFS-perbank") return std::make_unique<BankQueues>(device);
  return std::make_unique<SharedQueues>(device);
}

}  // namespace hadal::memory

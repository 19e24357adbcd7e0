#include "isa/fields.h"
#include "machine/functional/kernels.h"
#include "machine/functional/worker.h"

namespace hadal::machine {

Status map(Call& call) {
  const Operand& out = call[isa::at::map_out];
  std::array<Stream, isa::chain_inputs> streams;
  for (size_t s = 0; s < streams.size(); ++s) {
    const Operand& in = call[isa::at::map_in + s];
    if (in) streams[s] = stream_of(in.data, in.dtype(), in.rank(), in.extents(), out.extents());
  }
  return apply_chain(call, call.worker->chains[static_cast<size_t>(call.in.fields[isa::at::map_chain].value)], streams,
                     out);
}

}  // namespace hadal::machine

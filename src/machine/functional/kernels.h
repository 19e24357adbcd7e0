// The kernels, one an instruction, in two forms where they differ: the fast, and the exact, which define the
// instruction.
#pragma once

#include <span>

#include "machine/functional/chain.h"
#include "machine/functional/kernel.h"

namespace hadal::machine {

Status load(Call& call);
Status store(Call& call);
Status gather(Call& call);
Status scatter(Call& call);
Status matrix_fast(Call& call);
Status matrix_exact(Call& call);
Status map(Call& call);
Status reduce_fast(Call& call);
Status reduce_exact(Call& call);
Status arg_reduce_fast(Call& call);
Status arg_reduce_exact(Call& call);
Status softmax_fast(Call& call);
Status softmax_exact(Call& call);
Status norm_fast(Call& call);
Status norm_exact(Call& call);
Status pool_fast(Call& call);
Status pool_exact(Call& call);
Status resample_fast(Call& call);
Status resample_exact(Call& call);
Status transpose(Call& call);
Status topk(Call& call);
Status scan(Call& call);
Status select_along(Call& call);
Status sort_fast(Call& call);
Status sort_exact(Call& call);
Status sort_pairs_fast(Call& call);
Status sort_pairs_exact(Call& call);
Status host_call(Call& call);

/// Runs a chain into a dense operand. Errors: chain.C1, a stream that is read but not given.
Status apply_chain(const Call& call, const ChainPlan& chain, std::span<const Stream> streams, const Operand& out);

}  // namespace hadal::machine

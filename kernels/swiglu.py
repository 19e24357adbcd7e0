"""The gated half of a SwiGLU feed-forward network, in one pass over its input."""

import hadal as hd


@hd.kernel("T[M,K], T[K,N], T[K,N] -> T[M,N]")
def swiglu(x, w_gate, w_up, y, *, bm=512, bn=256, bk=128):
    """y = silu(x @ w_gate) * (x @ w_up), summed in f32: x is loaded once for both products (Shazeer, 2020)."""
    (M, K), N = x.shape, w_up.shape[1]
    for m, n in hd.grid((M, bm), (N, bn)):
        gate, up = hd.accumulator(m, n), hd.accumulator(m, n)
        for k in hd.tiles(K, bk):
            rows = hd.load(x[m, k])
            gate += rows @ hd.load(w_gate[k, n])
            up += rows @ hd.load(w_up[k, n])
        hd.store(y[m, n], (hd.silu(gate) * up).to(y.dtype))

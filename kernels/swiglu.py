"""SwiGLU feed-forward networks (Shazeer, 2020)."""

import hadal as hd
from matmul import matmul


@hd.kernel("T[M,K], T[K,N], T[K,N] -> T[M,N]")
def swiglu(x, w_gate, w_up, y, *, bm=512, bn=256, bk=128):
    """y = silu(x @ w_gate) * (x @ w_up), summed in f32: x is loaded once for both products."""
    (M, K), N = x.shape, w_up.shape[1]
    for m, n in hd.grid((M, bm), (N, bn)):
        gate, up = hd.accumulator(m, n), hd.accumulator(m, n)
        for k in hd.tiles(K, bk):
            rows = hd.load(x[m, k])
            gate += rows @ hd.load(w_gate[k, n])
            up += rows @ hd.load(w_up[k, n])
        hd.store(y[m, n], (hd.silu(gate) * up).to(y.dtype))


@hd.kernel("T[M,K], T[K,N], T[K,N], T[N,K] -> T[M,K]")
def feed_forward(x, w_gate, w_up, w_down, y, *, bm=512):
    """y = (silu(x @ w_gate) * (x @ w_up)) @ w_down, in one program."""
    hidden = hd.scratch((x.shape[0], w_up.shape[1]), x.dtype)
    swiglu(x, w_gate, w_up, hidden, bm=bm)
    matmul(hidden, w_down, y, bm=bm)

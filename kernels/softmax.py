"""Softmax of rows."""

import hadal as hd


@hd.kernel("T[M,N] -> T[M,N]", tune={"rows": [4, 8, 16, 32, 64]})
def softmax(x, y, *, rows=16):
    """y[m] = exp(x[m] - max) / sum(exp(x[m] - max)); a row fits a scratchpad."""
    for m in hd.grid((x.shape[0], rows)):
        v = hd.load(x[m, :])
        e = hd.exp(v - hd.max(v, axis=1))
        hd.store(y[m, :], (e * hd.reciprocal(hd.sum(e, axis=1))).to(y.dtype))

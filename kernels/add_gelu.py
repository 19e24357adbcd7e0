"""GELU of a sum, element by element."""

import hadal as hd


@hd.kernel("T[N], T[N] -> T[N]")
def add_gelu(x, y, out, *, size=65536):
    """out = gelu(x + y), by the tanh formula (Hendrycks and Gimpel, 2016)."""
    for i in hd.grid((out.shape[0], size)):
        s = hd.load(x[i]) + hd.load(y[i])
        g = 0.5 * s * (1.0 + hd.tanh(0.7978845608 * (s + 0.044715 * s * s * s)))
        hd.store(out[i], g.to(out.dtype))

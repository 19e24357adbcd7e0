"""Layer norm and RMS norm of rows."""

import hadal as hd


@hd.kernel("T[M,N], T[N], T[N] -> T[M,N]")
def layer_norm(x, gamma, beta, y, *, rows=16, epsilon=1e-5):
    """y[m] = (x[m] - mean) / sqrt(variance + epsilon) * gamma + beta; a row fits a scratchpad."""
    scale, shift = hd.load(gamma), hd.load(beta)
    for m in hd.grid((x.shape[0], rows)):
        v = hd.load(x[m, :])
        centred = v - hd.mean(v, axis=1)
        spread = hd.rsqrt(hd.mean(centred * centred, axis=1) + epsilon)
        hd.store(y[m, :], (centred * spread * scale + shift).to(y.dtype))


@hd.kernel("T[M,N], T[N] -> T[M,N]")
def rms_norm(x, gamma, y, *, rows=16, epsilon=1e-6):
    """y[m] = x[m] / sqrt(mean(x[m]^2) + epsilon) * gamma; a row fits a scratchpad."""
    scale = hd.load(gamma)
    for m in hd.grid((x.shape[0], rows)):
        v = hd.load(x[m, :])
        spread = hd.rsqrt(hd.mean(v * v, axis=1) + epsilon)
        hd.store(y[m, :], (v * spread * scale).to(y.dtype))

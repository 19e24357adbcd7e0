"""One step of a gated recurrent unit."""

import hadal as hd


@hd.kernel("T[M,K], T[M,N], T[3,K,N], T[3,N,N], f32[6,N] -> T[M,N]")
def gru(x, h, w, u, bias, y, *, bm=256, bn=128, bk=256):
    """y = (1 - z) * c + z * h, with r, z = sigmoid(x w[:2] + b[:2] + h u[:2] + b[3:5]) and
    c = tanh(x w[2] + b[2] + r * (h u[2] + b[5])) (Cho et al., 2014, reset after the product)."""
    (M, K), N = x.shape, h.shape[1]
    for m, n in hd.grid((M, bm), (N, bn)):
        from_x, from_h = ([hd.accumulator(m, n) for _ in range(3)] for _ in range(2))
        for rows, weights, sums in ((x, w, from_x), (h, u, from_h)):
            for k in hd.tiles(rows.shape[1], bk):
                part = hd.load(rows[m, k])
                for gate in range(3):
                    sums[gate] += part @ hd.load(weights[gate, k, n])
        b = [hd.load(bias[gate, n]) for gate in range(6)]
        reset, keep = (hd.sigmoid(from_x[gate] + b[gate] + from_h[gate] + b[3 + gate]) for gate in range(2))
        new = hd.tanh(from_x[2] + b[2] + reset * (from_h[2] + b[5]))
        hd.store(y[m, n], (new + keep * (hd.load(h[m, n]) - new)).to(y.dtype))

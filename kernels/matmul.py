"""Matrix product."""

import hadal as hd


@hd.kernel("T[M,K], T[K,N] -> T[M,N]", tune={"bm": [64, 128, 256, 512], "bn": [64, 128, 256, 512], "bk": [64, 128, 256]})
def matmul(a, b, c, *, bm=512, bn=512, bk=128, depth="auto"):
    """c = a @ b, summed in f32."""
    (M, K), N = a.shape, b.shape[1]
    for m, n in hd.grid((M, bm), (N, bn)):
        acc = hd.accumulator(m, n)
        for k in hd.tiles(K, bk, depth=depth):
            acc += hd.load(a[m, k]) @ hd.load(b[k, n])
        hd.store(c[m, n], acc.to(c.dtype))

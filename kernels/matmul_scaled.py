"""Matrix product of fp8, scaled by blocks."""

import hadal as hd


@hd.kernel("T[M,K], T[K,N], f32[M,KB], f32[KB,NB] -> f32[M,N]", where={"T": "f8e4m3 f8e5m2"})
def matmul_scaled(a, b, a_scale, b_scale, c, *, bm=512, bn=512, bk=256):
    """c = a @ b where a has a scale for 1 x 128 elements and b for 128 x 128 (as DeepSeek-V3, 2024): each sum over 128 of k is
    scaled and added in f32."""
    (M, K), N = a.shape, b.shape[1]
    for m, n in hd.grid((M, bm), (N, bn)):
        acc = hd.accumulator(m, n)
        for k in hd.tiles(K, bk):
            scales = hd.load(a_scale[m, k.blocks(128)]), hd.load(b_scale[k.blocks(128), n.blocks(128)])
            acc += hd.dot(hd.load(a[m, k]), hd.load(b[k, n]), *scales)
        hd.store(c[m, n], acc.to(c.dtype))

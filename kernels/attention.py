"""Flash attention: scores never leave the core."""

import hadal as hd


@hd.kernel("T[H,S,D], T[G,L,D], T[G,L,D] -> T[H,S,D]",
           tune={"bq": [128, 256, 512], "bk": [128, 256, 512], "parts": [1, 2, 4]})
def attention(q, k, v, o, *, causal=True, bq=512, bk=512, parts=4):
    """o[h] = softmax(q[h] k[g].T / sqrt(D)) v[g], with H / G heads of queries to each of keys (Dao et al., 2022).

    causal: query i sees keys up to i + L - S. A block of queries is in `parts`: while the lanes work on the scores of one,
    the array multiplies the other.
    """
    (H, S, D), (G, L, _) = q.shape, k.shape
    for h, block in hd.grid((H, None), (S, bq)):
        g = h // (H // G)
        rows = block.parts(parts)
        queries = [hd.load(q[h, i, :]) for i in rows]
        top = [hd.full((i, 1), -1e30) for i in rows]
        total = [hd.zeros((i, 1)) for i in rows]
        mixed = [hd.zeros((i, D)) for i in rows]

        for j in hd.tiles(L, bk, upto=block.stop + (L - S) if causal else L):  # Blocks that no query sees are left out.
            keys, values = hd.load(k[g, j, :].T), hd.load(v[g, j, :])
            scores = [(query @ keys) * D**-0.5 for query in queries]
            if causal:
                scores = [hd.where(i.ids(0) + (L - S) >= j.ids(1), s, -1e30) for i, s in zip(rows, scores)]
            fades, products = [], []
            for n, s in enumerate(scores):
                new = hd.maximum(top[n], hd.max(s, axis=1))
                p = hd.exp(s - new).to(v.dtype)
                fades.append(hd.exp(top[n] - new))
                total[n][:] = total[n] * fades[n] + hd.sum(p, axis=1)
                top[n][:] = new
                products.append(p @ values)
            for n, product in enumerate(products):
                mixed[n][:] = mixed[n] * fades[n] + product
        for n, i in enumerate(rows):
            hd.store(o[h, i, :], (mixed[n] * hd.reciprocal(total[n])).to(o.dtype))

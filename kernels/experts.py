"""A mixture of experts: top-k routing, and the matrix products of each expert's own rows."""

import hadal as hd


@hd.kernel("T[M,D], T[D,E], T[E,D,N] -> T[M,N]")
def experts(x, router, w, y, *, k=2, bm=512, bn=512, bd=256, rows=128):
    """y[m] = sum over the k experts e that x[m] @ router likes best of p[e] * (x[m] @ w[e]); p is the softmax of these k.

    Rows are dealt to experts in blocks of bm, each of one expert (Gale et al., MegaBlocks, 2023): as many as any routing needs.
    """
    (M, D), (E, _, N) = x.shape, w.shape
    blocks = -(-(M * k + E * (bm - 1)) // (16 * bm)) * 16  # A multiple: cores then load the same rows at the same time.
    share, choice = hd.scratch((M, k), "f32"), hd.scratch((k, M), "i32")
    place, row_at, expert_of = hd.scratch((k, M), "i32"), hd.scratch((blocks * bm,), "i32"), hd.scratch((blocks, 1), "i32")
    dealt, products = hd.scratch((blocks * bm, D), x.dtype), hd.scratch((blocks * bm, N), x.dtype)

    for m in hd.grid((M, rows)):
        best, which = hd.topk(hd.load(x[m, :]) @ hd.load(router), k)
        e = hd.exp(best - hd.max(best, axis=1))
        hd.store(share[m, :], e * hd.reciprocal(hd.sum(e, axis=1)))
        hd.store(choice[:, m], which.T)

    deal(choice, place, row_at, expert_of, experts=E, blocks=blocks, block=bm)

    for b in hd.grid((blocks * bm, rows)):  # Once: the loads of the products below are then shared by cores.
        hd.store(dealt[b, :], hd.gather(x, hd.load(row_at[b])))

    for n, b in hd.grid((N, bn), (blocks * bm, bm)):
        expert = hd.load(expert_of[b.start // bm, :])
        acc = hd.accumulator(b, n)
        for d in hd.tiles(D, bd):
            acc += hd.load(dealt[b, d]) @ hd.gather(w[:, d, n], expert).reshape(d, n)
        hd.store(products[b, n], acc.to(x.dtype))

    for m, n in hd.grid((M, rows), (N, bn)):
        total = hd.zeros((m, n))
        for j in range(k):
            total += hd.load(share[m, j : j + 1]) * hd.gather(products[:, n], hd.load(place[j, m]))
        hd.store(y[m, n], total.to(y.dtype))


@hd.kernel("i32[K,M] -> i32[K,M], i32[blocks*block], i32[blocks,1]")
def deal(choice, place, row_at, expert_of, *, experts, blocks, block, size=1024):
    """Gives every pair of a row and one of its experts a place among those of that expert, which begin at a new block."""
    K, M = choice.shape
    kinds = hd.span(0, experts)
    for _ in hd.grid((1, None)):
        for r in hd.tiles(blocks * block, size):
            hd.store(row_at[r], hd.zeros((r,), "i32"))  # Places that nobody takes.
        count = hd.zeros((experts, 1))
        for j in hd.range(K):
            for m in hd.tiles(M, size):
                count += hd.sum(chosen(choice, j, m, kinds), axis=1)
        taken = hd.ceil(count / block) * block
        begin = hd.cumsum(taken.T, exclusive=True).T
        ends = begin + taken
        number = hd.span(0, blocks).ids(1) * block
        expert = hd.sum(hd.where(ends <= number, 1.0, 0.0), axis=0)
        hd.store(expert_of[:, :], hd.minimum(expert, experts - 1).to("i32").reshape(blocks, 1))

        following = hd.zeros((experts, 1))
        following[:] = begin
        for j in hd.range(K):
            for m in hd.tiles(M, size):
                mine = chosen(choice, j, m, kinds)
                at = hd.sum(mine * (following + hd.cumsum(mine, exclusive=True)), axis=0).to("i32").reshape(m)
                following += hd.sum(mine, axis=1)
                hd.store(place[j, m], at)
                hd.scatter(row_at[:], at, m.ids(1).to("i32").reshape(m))


def chosen(choice, j, m, kinds):
    """[experts, m]: 1 where the j-th choice of row m is the expert."""
    return hd.where(kinds.ids(0) == hd.load(choice[j, m]).reshape(1, m), 1.0, 0.0)

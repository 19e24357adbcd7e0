"""Messages along the edges of a graph, as between the atoms of molecules."""

import hadal as hd


@hd.kernel("T[A,D], T[E,D], i32[E], i32[E] -> T[A,D]",
           tune={"bd": [0, 16, 32, 64], "be": [1024, 2048, 4096], "near": [False, True]})
def message(x, filters, source, target, y, *, bd=0, be=4096, ba=1024, near=False):
    """y[a] = sum over edges e with target[e] = a of x[source[e]] * filters[e] (the convolution of SchNet, Schuett et al., 2017).

    An edge may add to any atom: a core takes bd features of all of them (0: 64 bytes), in the order of the edges. `near`: atoms
    are held in the scratchpads meanwhile, where short rows are reached faster. Without room there it only copies; and it takes two
    phases more, whose semaphores a model of many kernels may lack.
    """
    (A, D), E = x.shape, source.shape[0]
    bd = bd or (16 if x.dtype == "f32" else 32)
    atoms, sums = (hd.scratch((A, D), x.dtype), hd.scratch((A, D), y.dtype)) if near else (x, y)
    if near:
        for d in hd.grid((D, bd)):
            for a in hd.tiles(A, ba):
                hd.store(atoms[a, d], hd.load(x[a, d]))
    for d in hd.grid((D, bd)):
        for a in hd.tiles(A, ba):
            hd.store(sums[a, d], hd.zeros((a, d), y.dtype))
        for e in hd.tiles(E, be):
            sent = hd.gather(atoms[:, d], hd.load(source[e])) * hd.load(filters[e, d])
            hd.scatter(sums[:, d], hd.load(target[e]), sent.to(y.dtype), add=True)
    if near:
        for a, d in hd.grid((A, ba), (D, bd)):
            hd.store(y[a, d], hd.load(sums[a, d]))

"""Messages along the edges of a graph, as between the atoms of molecules."""

import hadal as hd


@hd.kernel("T[A,D], T[E,D], i32[E], i32[E] -> T[A,D]")
def message(x, filters, source, target, y, *, bd=32, be=1024, ba=1024):
    """y[a] = sum over edges e with target[e] = a of x[source[e]] * filters[e] (the convolution of SchNet, Schuett et al., 2017).

    An edge may add to any atom: a core takes some features of all of them, in the order of the edges."""
    (A, D), E = x.shape, source.shape[0]
    for d in hd.grid((D, bd)):
        for a in hd.tiles(A, ba):
            hd.store(y[a, d], hd.zeros((a, d), y.dtype))
        for e in hd.tiles(E, be):
            sent = hd.gather(x[:, d], hd.load(source[e])) * hd.load(filters[e, d])
            hd.scatter(y[:, d], hd.load(target[e]), sent.to(y.dtype), add=True)

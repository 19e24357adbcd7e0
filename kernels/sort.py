"""Bitonic sort (Batcher, 1968), of numbers and of their places."""

import hadal as hd

LARGEST = 3e38


@hd.kernel("T[N] -> T[N]", where={"T": "f32 bf16"}, tune={"size": [32768, 65536, 131072, 262144]})
def sort(x, y, *, size=65536):
    """y is x, finite numbers, in ascending order."""
    sort_all(x, [y], size)


@hd.kernel("T[N] -> T[N], i32[N]", where={"T": "f32 bf16"}, tune={"size": [16384, 32768, 65536, 131072]})
def argsort(x, y, places, *, size=65536, descending=False):
    """y is x, at most 2^24 finite numbers, in order, and x[places] is y. Equal ones stay in their order."""
    sort_all(x, [y, places], size, descending)


def sort_all(x, out, size, descending=False):
    """Sorts to `out`: the numbers, and where there is a second, their places.

    Blocks of `size`, a power of two, are sorted in a core. A merge of sorted runs takes two passes over memory: its steps
    between blocks, on as many elements of each, and its steps within. Runs ascend and descend in turns.
    """
    size = min(size, 1 << max(x.shape[0] - 1, 1).bit_length())
    blocks, turn = 1 << (-(-x.shape[0] // size) - 1).bit_length(), int(descending)
    between = lambda: [hd.scratch((blocks, size), t.dtype) for t in out]
    if blocks == 1:
        return sort_blocks(x, out, size, turn)
    data, together = sort_blocks(x, between(), size, turn), 1
    while together < blocks:
        together *= 2
        data = merge_between(data, between(), together, turn)
        data = merge_within(data, out if together == blocks else between(), together, turn)


def in_order(values, turn, **how):
    """Values sorted; with their places, of which the lower come first in the order that is wanted."""
    return hd.sort_pairs(*values, **how, lower_above=bool(turn)) if len(values) == 2 else [hd.sort(*values, **how)]


def sort_blocks(x, out, size, turn):
    for b, i in blocks_of(out[0], size):
        whole = hd.span(i.start, size)
        values = [hd.load(x[whole], fill=-LARGEST if turn else LARGEST)]
        if len(out) == 2:
            values.append(whole.ids(1).to("i32").reshape(size))
        put(out, b, i, in_order(values, turn, descending=(b + turn) % 2))
    return out


def merge_between(data, out, together, turn):
    """The steps of a merge between `together` blocks."""
    blocks, size = data[0].shape
    part = max(size // together, 1)
    for rows, i in hd.grid((blocks, together), (size, part)):
        runs = [hd.load(t[rows, i]) for t in data]
        merged = in_order(runs, turn, axis=0, run=together // 2, descending=(rows.start // together + turn) % 2)
        for t, v in zip(out, merged):
            hd.store(t[rows, i], v)
    return out


def merge_within(data, out, together, turn):
    """The steps of that merge within blocks."""
    size = data[0].shape[1]
    for b, i in blocks_of(out[0], size):
        runs = [hd.load(t[b, :]) for t in data]
        put(out, b, i, in_order(runs, turn, run=size // 2, descending=(b // together + turn) % 2))
    return out


def blocks_of(out, size):
    """Each block's number and its span of the numbers; the last of `y` may be shorter."""
    for i in hd.grid((out.shape[0] * size if len(out.shape) == 2 else out.shape[0], size)):
        yield i.start // size, i


def put(out, b, i, values):
    for t, v in zip(out, values):
        whole = len(t.shape) == 2
        hd.store(t[b, :] if whole else t[i], v if whole else v[:i])

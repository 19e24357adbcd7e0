"""Bitonic sort (Batcher, 1968)."""

import hadal as hd

LARGEST = 3e38


@hd.kernel("T[N] -> T[N]", where={"T": "f32 bf16"}, tune={"size": [32768, 65536, 131072, 262144]})
def sort(x, y, *, size=65536):
    """y is x, finite numbers, in ascending order.

    Blocks of `size`, a power of two, are sorted in a core. A merge of sorted runs takes two passes over memory: its steps
    between blocks, on as many elements of each, and its steps within. Runs ascend and descend in turns.
    """
    size = min(size, 1 << max(x.shape[0] - 1, 1).bit_length())
    blocks = 1 << (-(-x.shape[0] // size) - 1).bit_length()
    if blocks == 1:
        return sort_blocks(x, y, size)
    data, together = sort_blocks(x, hd.scratch((blocks, size), x.dtype), size), 1
    while together < blocks:
        together *= 2
        between = merge_between(data, hd.scratch((blocks, size), x.dtype), together)
        data = merge_within(between, y if together == blocks else hd.scratch((blocks, size), x.dtype), together)


def sort_blocks(x, out, size):
    for b, i in blocks_of(out, size):
        put(out, b, i, hd.sort(hd.load(x[hd.span(i.start, size)], fill=LARGEST), descending=b % 2))
    return out


def merge_between(data, out, together):
    """The steps of a merge between `together` blocks."""
    blocks, size = data.shape
    part = max(size // together, 1)
    for rows, i in hd.grid((blocks, together), (size, part)):
        run = hd.load(data[rows, i])
        hd.store(out[rows, i], hd.sort(run, axis=0, run=together // 2, descending=rows.start // together % 2))
    return out


def merge_within(data, out, together):
    """The steps of that merge within blocks."""
    blocks, size = data.shape
    for b, i in blocks_of(out, size):
        put(out, b, i, hd.sort(hd.load(data[b, :]), run=size // 2, descending=b // together % 2))
    return out


def blocks_of(out, size):
    """Each block's number and its span of the numbers; the last of `y` may be shorter."""
    for i in hd.grid((out.shape[0] * size if len(out.shape) == 2 else out.shape[0], size)):
        yield i.start // size, i


def put(out, b, i, v):
    whole = len(out.shape) == 2
    hd.store(out[b, :] if whole else out[i], v if whole else v[:i])

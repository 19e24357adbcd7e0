"""Bitonic sort (Batcher, 1968)."""

import hadal as hd

LARGEST = 3e38


@hd.kernel("T[N] -> T[N]", where={"T": "f32 bf16"})
def sort(x, y, *, size=65536):
    """y is x, finite numbers, in ascending order.

    Blocks of `size`, a power of two, are sorted in a core; each merge of sorted runs is a pass over memory for every step
    between blocks, and one for all steps within. Runs ascend and descend in turns.
    """
    size = min(size, 1 << max(x.shape[0] - 1, 1).bit_length())
    blocks = 1 << (-(-x.shape[0] // size) - 1).bit_length()
    data, run = x, size
    while run < blocks * size:
        data = merge_within(data, hd.scratch((blocks, size), x.dtype), run)
        run *= 2
        step = run // 2
        while step >= size:
            data = merge_between(data, hd.scratch((blocks, size), x.dtype), run, step)
            step //= 2
    merge_within(data, y, run)


def merge_within(data, out, run):
    """Steps within blocks; of the first run all that come before, too."""
    whole = len(out.shape) == 2
    size = data.shape[1] if len(data.shape) == 2 else run
    total = out.shape[0] * size if whole else out.shape[0]
    first, second = hd.span(0, 2).ids(1).reshape(1, 2, 1, 1, 1), hd.span(0, 2).ids(1).reshape(1, 1, 1, 2, 1)
    for i in hd.grid((total, size)):
        b = i.start // size
        v = hd.load(data[b, :]) if len(data.shape) == 2 else hd.load(data[hd.span(i.start, size)], fill=LARGEST)
        for part in [2 << n for n in range(size.bit_length() - 1)] if run == size else [run]:
            descends = first if part < size else hd.span(b // (part // size) % 2, 1).ids(1).reshape(1, 1, 1, 1, 1)
            step = min(part, size) // 2
            while step > 0:
                v = v.reshape(max(size // (2 * part), 1), min(size // part, 2) or 1, min(part, size) // (2 * step), 2, step)
                v = hd.where(descends == second, hd.min(v, axis=3), hd.max(v, axis=3))
                step //= 2
        v = v.reshape(size).to(out.dtype)
        hd.store(out[b, :] if whole else out[i], v if whole else v[:i])
    return out


def merge_between(data, out, run, step, part=16384):
    """One step between blocks."""
    blocks, size = data.shape
    apart = step // size
    for pair, i in hd.grid((blocks // 2, None), (size, min(part, size))):
        low = pair // apart * (2 * apart) + pair % apart
        high = low + apart
        descends = hd.span(low // (run // size) % 2, 1).ids(1).reshape(1)
        a, b = hd.load(data[low, i]), hd.load(data[high, i])
        lesser, greater = hd.minimum(a, b), hd.maximum(a, b)
        hd.store(out[low, i], hd.where(descends == 0.0, lesser, greater).to(out.dtype))
        hd.store(out[high, i], hd.where(descends == 0.0, greater, lesser).to(out.dtype))
    return out

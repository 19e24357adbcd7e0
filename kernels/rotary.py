"""Rotary position embedding."""

import hadal as hd


@hd.kernel("T[S,D], T[S,E], T[S,E] -> T[S,D]")
def rotary(x, cos, sin, y, *, rows=128):
    """Turns the pairs (x[s, e], x[s, E + e]) by the angles whose cosines and sines are given, D = 2 E (Su et al., 2021)."""
    S, half = cos.shape
    for s in hd.grid((S, rows)):
        c, d = hd.load(cos[s, :]), hd.load(sin[s, :])
        left, right = hd.load(x[s, :half]), hd.load(x[s, half:])
        hd.store(y[s, :half], (left * c - right * d).to(y.dtype))
        hd.store(y[s, half:], (right * c + left * d).to(y.dtype))

"""Convolutions of images, channels last."""

import hadal as hd


@hd.kernel("T[N,H,W,C], T[R,S,C,O] -> T[N,(H+2*pad-R)//stride+1,(W+2*pad-S)//stride+1,O]",
           tune={"bh": [7, 14, 28], "bw": [14, 28, 56], "bo": [64, 128, 256], "bc": [32, 64, 128]})
def conv(x, w, y, *, stride=1, pad=0, bh=14, bw=28, bo=256, bc=64):
    """y[n, p, q] = sum over taps of x[n, p * stride + r - pad, q * stride + s - pad] @ w[r, s]; outside x is 0."""
    (N, P, Q, O), (R, S, C, _) = y.shape, w.shape
    for n, p, q, o in hd.grid((N, None), (P, bh), (Q, bw), (O, bo)):
        rows, columns = p.window(R, stride=stride, pad=pad), q.window(S, stride=stride, pad=pad)
        acc = hd.accumulator(p, q, o)
        for c in hd.tiles(C, bc):
            acc += hd.conv(hd.load(x[n, rows, columns, c], fill=0.0), hd.load(w[:, :, c, o]), stride=stride)
        hd.store(y[n, p, q, o], acc.to(y.dtype))


@hd.kernel("T[N,H,W,C], T[R,S,C] -> T[N,(H+2*pad-R)//stride+1,(W+2*pad-S)//stride+1,C]")
def conv_depthwise(x, w, y, *, stride=1, pad=0, bh=14, bw=56, bc=128):
    """As conv, each channel with its own taps."""
    (N, P, Q, C), (R, S, _) = y.shape, w.shape
    for n, p, q, c in hd.grid((N, None), (P, bh), (Q, bw), (C, bc)):
        rows, columns = p.window(R, stride=stride, pad=pad), q.window(S, stride=stride, pad=pad)
        image = hd.load(x[n, rows, columns, c], fill=0.0)
        hd.store(y[n, p, q, c], hd.conv_depthwise(image, hd.load(w[:, :, c]), stride=stride).to(y.dtype))

"""A kernel means what its statements mean, one after another: random kernels, with state and loops, against the same
statements in NumPy. What is fused, copied, put in one place or read by several queues must not show."""

import numpy as np
import pytest
from test_package import hadal

hd = hadal
ROWS, COLUMNS, BLOCK = 21, 33, 8  # The last block is shorter.


class OnChip:
    """The statements as words of the kernel language."""

    maximum, where, tanh = map(staticmethod, (hd.maximum, hd.where, hd.tanh))
    sum = staticmethod(lambda v: hd.sum(v, axis=1))
    max = staticmethod(lambda v: hd.max(v, axis=0))
    product = staticmethod(lambda a, b: (a @ b.T) @ b)
    rounded = staticmethod(lambda v: v.to("bf16").to("f32"))

    def __init__(self, x, y, rows):
        self.x, self.y, self.rows, self.stored = x, y, rows, 0

    def tile(self, value):
        return hd.full((self.rows, COLUMNS), value)

    def load(self, number):
        return hd.load(self.x[number, self.rows, :])

    def store(self, value):
        hd.store(self.y[self.stored, self.rows, :], value)
        self.stored += 1

    def loop(self, trips, body):
        for _ in hd.range(trips):
            body(None)


class InNumpy:
    """The same, in f32."""

    maximum, where, tanh = map(staticmethod, (np.maximum, np.where, np.tanh))
    sum = staticmethod(lambda v: v.sum(1, keepdims=True))
    max = staticmethod(lambda v: v.max(0, keepdims=True))
    product = staticmethod(lambda a, b: (a @ b.T) @ b)

    def __init__(self, x):
        self.x, self.outputs = x, []

    @staticmethod
    def rounded(v):
        import ml_dtypes
        return v.astype(ml_dtypes.bfloat16).astype(np.float32)

    def tile(self, value):
        return np.full(self.x.shape[1:], value, np.float32)

    def load(self, number):
        return self.x[number].copy()

    def store(self, value):
        self.outputs.append(np.array(value))

    def loop(self, trips, body):
        for trip in range(trips):
            body(trip)


def statements(r, depth=0):
    """Random statements, as names and operand numbers; a loop has its own."""
    made = []
    for _ in range(r.integers(5, 12)):
        kind = r.choice(["load", "add", "mul", "blend", "where", "tanh", "row", "column", "product", "rounded", "write", "write",
                         "update"])
        made.append((kind, *map(int, r.integers(0, 1000, 3))))
    if depth < 2:
        made.insert(r.integers(1, len(made)), ("loop", int(r.integers(1, 4)), statements(r, depth + 1), 0))
    return made


def perform(backend, program, values, tiles):
    """Runs the statements; values are bounded, so that nothing overflows."""
    values = list(values)
    for kind, a, b, c in program:
        # Of what is there, half the time something recent; of tiles, what they hold now.
        one = lambda n: tiles[n % len(tiles)] + 0.0 if n % 3 == 0 else values[-1 - n % (2 if n % 2 else len(values))]
        if kind == "loop":
            backend.loop(a, lambda _: perform(backend, b, values, tiles))
        elif kind == "load":
            values.append(backend.load(a % 3))
        elif kind == "add":
            values.append((one(a) + one(b)) * 0.5)
        elif kind == "mul":
            values.append(backend.tanh(one(a)) * one(b))
        elif kind == "blend":
            values.append(backend.maximum(one(a), one(b)) - 0.25 * one(c))
        elif kind == "where":
            values.append(backend.where(one(a) >= one(b), one(c), 0.125))
        elif kind == "tanh":
            values.append(backend.tanh(one(a)))
        elif kind == "row":
            values.append(backend.tanh(one(b)) - backend.sum(one(a)) * 0.03125)
        elif kind == "column":
            values.append(one(b) * 0.5 - backend.max(one(a)))
        elif kind == "product":
            values.append(backend.tanh(backend.product(backend.tanh(one(a)), backend.tanh(one(b))) * 0.03125))
        elif kind == "rounded":
            values.append(backend.rounded(one(a)))
        elif kind == "write":
            tiles[a % len(tiles)][:] = one(b) * 1.0
        elif kind == "update":
            tiles[a % len(tiles)] += one(b) * 0.5


def whole(backend, program):
    tiles = [backend.tile(0.5), backend.tile(-1.0)]
    values = [backend.load(0), backend.load(1)]
    perform(backend, program, values, tiles)
    for tile in tiles:
        backend.store(tile + 0.0)
    backend.store(values[0] + values[1])


@pytest.mark.parametrize("seed", range(40))
def test_random_kernel_is_its_statements(seed):
    r = np.random.default_rng(seed)
    program = statements(r)

    @hd.kernel("f32[3,R,C] -> f32[3,R,C]")
    def random_kernel(x, y):
        for rows in hd.grid((ROWS, BLOCK)):
            whole(OnChip(x, y, rows), program)

    x = r.standard_normal((3, ROWS, COLUMNS), dtype=np.float32)
    blocks = [InNumpy(x[:, first : first + BLOCK]) for first in range(0, ROWS, BLOCK)]
    for block in blocks:
        whole(block, program)
    want = np.concatenate([np.stack(block.outputs) for block in blocks], axis=1)
    # A rounding to bf16 may fall the other way after another order of sums.
    np.testing.assert_allclose(random_kernel(x), want, rtol=2e-2, atol=2e-2)
    np.testing.assert_array_equal(random_kernel(x, chip="hadal-edge"), random_kernel(x))
    random_kernel.check(x)

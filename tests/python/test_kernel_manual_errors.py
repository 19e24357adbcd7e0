"""Wrong blocks of hd.manual, and wrong instructions by name: one error each, at the user's line."""

import pytest
from test_package import hadal
from wrong_kernels import hold_to_one_error

hd = hadal


def wait_where_semaphores_are_derived(a, b, c):
    full = hd.semaphore()
    v = hd.load(a, out=hd.tile((64, 64)), wait=full)  # here
    hd.store(c[:, :], v)


def slot_where_semaphores_are_derived(a, b, c):
    ring = hd.ring(1, (64, 64))
    hd.store(c[:, :], ring[0] * 2)  # here


def sync_where_semaphores_are_derived(a, b, c):
    hd.isa.sync(on="load")  # here
    hd.store(c[:, :], hd.load(a))


def block_in_a_block(a, b, c):
    with hd.manual():
        with hd.manual():  # here
            hd.store(c[:, :], hd.load(a))


def value_in_a_block(a, b, c):
    ring = hd.ring(1, (64, 64))
    with hd.manual():
        hd.isa.map(hd.sum(ring[0]), out=ring[0])  # here


def tile_in_a_block(a, b, c):
    with hd.manual():
        hd.load(a, out=hd.tile((64, 64)))  # here


def load_to_nowhere(a, b, c):
    with hd.manual():
        hd.store(c[:, :], hd.load(a))  # here


def result_of_a_store(a, b, c):
    ring = hd.ring(1, (64, 64))
    with hd.manual():
        hd.isa.store(c[:, :], ring[0], out=ring[0])  # here


def slot_by_assignment(a, b, c):
    ring = hd.ring(1, (64, 64))
    with hd.manual():
        ring[0] = 0.0  # here


def load_that_a_slot_does_not_hold(a, b, c):
    ring = hd.ring(2, (32, 64))
    with hd.manual():
        hd.load(a, out=ring[0])  # here
        hd.store(c[:, :], ring[0, 32, 64])


def load_of_another_type(a, b, c):
    ring = hd.ring(2, (64, 64), "bf16")
    with hd.manual():
        hd.load(a, out=ring[0])  # here


def map_of_other_extents(a, b, c):
    ring = hd.ring(2, (64, 64))
    with hd.manual():
        hd.isa.map(ring[0], out=ring[1, 32, 64])  # here


def epilogue_of_other_extents(a, b, c):
    ring = hd.ring(3, (64, 64))
    with hd.manual():
        hd.isa.matmul(ring[0], ring[1], out=ring[2], epilogue=lambda sums: ring[0, 1, 64] * 2)  # here


def ring_of_no_slots(a, b, c):
    ring = hd.ring(0, (64, 64))  # here
    hd.store(c[:, :], ring[0])


def arithmetic_for_two_readers(a, b, c):
    ring = hd.ring(3, (64, 64))
    with hd.manual():
        hd.load(a, out=ring[0])
        twice = ring[0] * 2  # here
        hd.isa.map(twice, out=ring[1])
        hd.isa.map(twice + 1, out=ring[2])
        hd.store(c[:, :], ring[2])


def arithmetic_that_a_store_reads(a, b, c):
    ring = hd.ring(3, (64, 64))
    with hd.manual():
        hd.store(c[:, :], ring[0] * 2)  # here


def arithmetic_before_what_it_reads_is_written(a, b, c):
    ring = hd.ring(3, (64, 64))
    with hd.manual():
        twice = ring[0] * 2  # here
        hd.load(a, out=ring[0])
        hd.isa.map(twice, out=ring[1])
        hd.store(c[:, :], ring[1])


def tile_that_the_block_reads(a, b, c):
    v, t = hd.load(a), hd.tile((64, 64))
    with hd.manual():
        hd.isa.matmul(v, v, out=t)
        hd.isa.map(t * 2, out=t)  # here
    hd.store(c[:, :], t)


def tile_of_two_queues(a, b, c):
    v, t = hd.load(a), hd.tile((64, 64))
    with hd.manual():
        hd.load(b, out=t)
        hd.isa.matmul(v, v, out=t)  # here
    hd.store(c[:, :], t)


def tile_of_the_lanes_and_the_array(a, b, c):
    v, t = hd.load(a), hd.tile((64, 64))
    with hd.manual():
        hd.isa.softmax(v, out=t)  # here
        hd.isa.matmul(v, v, out=t)
    hd.store(c[:, :], t)


def sums_of_a_loop_that_has_ended(a, b, c):
    ring = hd.ring(3, (64, 64))
    for _ in hd.range(2):
        acc = hd.accumulator(64, 64)
    with hd.manual():
        hd.isa.matmul(ring[0], ring[1], out=ring[2], accumulator=acc)  # here


def extents_of_a_result_that_has_a_place(a, b, c):
    ring = hd.ring(3, (64, 64))
    with hd.manual():
        hd.isa.softmax(ring[0], out=ring[1], dims=(64, 64))  # here


def tile_that_nobody_reads(a, b, c):
    t, ring = hd.tile((64, 64)), hd.ring(1, (64, 64))
    with hd.manual():
        hd.load(b, out=t)  # here
        hd.load(b, out=ring[0])
        hd.store(c[:, :], ring[0])


def tile_of_the_lanes_that_is_stored(a, b, c):
    t = hd.full((64, 64), 1.0)
    with hd.manual():
        hd.store(c[:, :], t)  # here


def tile_of_a_later_trip(a, b, c):
    t = hd.tile((64, 32))
    for n in hd.tiles(64, 32):
        with hd.manual():
            hd.load(a[:, n], out=t)
    hd.store(c[:, 0:32], t + 0.0)  # here


def block_behind_its_grid(a, b, c):
    ring = hd.ring(1, (64, 64))
    with hd.manual():
        for m in hd.grid((64, 8)):
            hd.load(a[m, :], out=ring[0, m, 64])
            hd.store(c[m, :], ring[0, m, 64])
        hd.isa.sync(on="load")  # here


def step_outside_the_grid(a, b, c):
    ring = hd.ring(2, (64, 64))
    with hd.manual():
        hd.load(a, out=ring[hd.step()])  # here


def semaphore_in_a_loop(a, b, c):
    for m in hd.grid((64, 8)):
        full = hd.semaphore()  # here
        hd.store(c[m, :], hd.load(a[m, :]))
        del full


def semaphore_below_zero(a, b, c):
    hd.semaphore(-1)  # here


def counts_of_something_else(a, b, c):
    ring = hd.ring(2, (64, 64))
    with hd.manual():
        hd.load(a, out=ring[0], signal=3)  # here


def four_waits(a, b, c):
    ring = hd.ring(2, (64, 64))
    with hd.manual():
        hd.load(a, out=ring[0], wait=[hd.semaphore(1) for _ in range(4)])  # here


def one_semaphore_twice(a, b, c):
    ring, free = hd.ring(2, (64, 64)), hd.semaphore(2)
    with hd.manual():
        hd.load(a, out=ring[0], wait=[free, free])  # here


def too_many_counts(a, b, c):
    ring, free = hd.ring(2, (64, 64)), hd.semaphore(2)
    with hd.manual():
        hd.load(a, out=ring[0], wait=256 * free)  # here


def two_queues_that_wait(a, b, c):
    ring, full = hd.ring(1, (64, 64)), hd.semaphore()
    with hd.manual():
        hd.load(a, out=ring[0], signal=2 * full)
        hd.isa.map(ring[0] * 2, out=ring[0], wait=full)
        hd.store(c[:, :], ring[0], wait=full)  # here


def semaphore_that_nobody_waits_for(a, b, c):
    ring = hd.ring(1, (64, 64))
    done = hd.semaphore()  # here
    with hd.manual():
        hd.load(a, out=ring[0])
        hd.store(c[:, :], ring[0], signal=done)


def store_by_every_step(a, b, c):
    ring = hd.ring(1, (64, 64))
    with hd.manual():
        for m in hd.grid((64, 8)):
            hd.load(a[m, :], out=ring[0, m, 64])
            hd.store(c[:, :], ring[0])  # here


def depth_in_a_block(a, b, c):
    ring = hd.ring(1, (64, 64))
    with hd.manual():
        for n in hd.range(4, depth=2):  # here
            hd.load(a, out=ring[n])
    hd.store(c[:, :], hd.load(a))


def break_in_a_block(a, b, c):
    ring = hd.ring(1, (64, 64))
    with hd.manual():
        for n in hd.range(4):  # here
            hd.load(a, out=ring[n])
            break
    hd.store(c[:, :], hd.load(a))


def semaphores_that_change(a, b, c):
    ring, kinds = hd.ring(1, (64, 64)), [hd.semaphore(), hd.semaphore()]
    with hd.manual():
        for n in hd.range(4):
            hd.load(a, out=ring[n], signal=kinds.pop())  # here
        hd.store(c[:, :], ring[0])


def sums_without_a_place(a, b, c):
    ring = hd.ring(3, (64, 64))
    with hd.manual():
        hd.isa.matmul(ring[0], ring[1], out=ring[2], accumulate=1)  # here


def sums_by_name_of_a_value(a, b, c):
    hd.store(c[:, :], hd.isa.matmul(hd.load(a), hd.load(b), dims=(64, 64), accumulate=1))  # here


def product_of_two_types(a, b, c):
    hd.store(c[:, :], hd.isa.matmul(hd.load(a).to("bf16"), hd.load(b), dims=(64, 64)))  # here


def product_of_too_many_axes(a, b, c):
    v = hd.load(a).reshape(1, 1, 64, 64)
    hd.store(c[:, :], hd.isa.matmul(v, v, dims=(64, 64)))  # here


def product_without_extents(a, b, c):
    hd.store(c[:, :], hd.isa.matmul(hd.load(a), hd.load(b)))  # here


def gather_of_a_value(a, b, c):
    hd.store(c[:, :], hd.isa.gather(a[:, :]))  # here


def load_with_another_field(a, b, c):
    hd.store(c[:, :], hd.isa.load(a[:, :], shared=2))  # here


def scatter_along_columns(a, b, c):
    v = hd.load(a)
    hd.isa.scatter(c[:, :], v, hd.sum(v, axis=1).reshape(64).to("i32"), axis=1)  # here


def sync_of_no_queue(a, b, c):
    with hd.manual():
        hd.isa.sync(on="lanes")  # here


def epilogue_that_is_no_function(a, b, c):
    ring = hd.ring(3, (64, 64))
    with hd.manual():
        hd.isa.matmul(ring[0], ring[1], out=ring[2], epilogue=2)  # here


CODES = {
    wait_where_semaphores_are_derived: "manual.outside", slot_where_semaphores_are_derived: "manual.outside",
    sync_where_semaphores_are_derived: "manual.outside", block_in_a_block: "manual.nested", value_in_a_block: "manual.value",
    tile_in_a_block: "manual.value", load_to_nowhere: "manual.out", result_of_a_store: "manual.out",
    slot_by_assignment: "manual.out", load_that_a_slot_does_not_hold: "manual.shape", load_of_another_type: "manual.shape",
    map_of_other_extents: "manual.shape", epilogue_of_other_extents: "manual.shape", ring_of_no_slots: "manual.slots",
    arithmetic_for_two_readers: "manual.chain", arithmetic_that_a_store_reads: "manual.chain",
    arithmetic_before_what_it_reads_is_written: "manual.chain", tile_that_the_block_reads: "manual.tile",
    tile_of_the_lanes_and_the_array: "manual.tile", sums_of_a_loop_that_has_ended: "loop.closed",
    extents_of_a_result_that_has_a_place: "isa.field", tile_of_two_queues: "manual.tile",
    tile_that_nobody_reads: "manual.tile", tile_of_the_lanes_that_is_stored: "manual.tile",
    tile_of_a_later_trip: "manual.tile", block_behind_its_grid: "manual.grid", step_outside_the_grid: "grid.step",
    semaphore_in_a_loop: "semaphore.loop", semaphore_below_zero: "semaphore.sync", counts_of_something_else: "semaphore.sync",
    four_waits: "semaphore.sync", one_semaphore_twice: "semaphore.sync", too_many_counts: "semaphore.sync",
    two_queues_that_wait: "semaphore.waiter", semaphore_that_nobody_waits_for: "semaphore.balance",
    depth_in_a_block: "loop.depth", store_by_every_step: "grid.overlap", break_in_a_block: "loop.left",
    semaphores_that_change: "loop.changes",
    sums_without_a_place: "isa.field", sums_by_name_of_a_value: "isa.field", product_of_two_types: "isa.operands",
    product_of_too_many_axes: "isa.operands", product_without_extents: "isa.results", gather_of_a_value: "isa.operands",
    load_with_another_field: "isa.field", scatter_along_columns: "isa.field", sync_of_no_queue: "isa.operands",
    epilogue_that_is_no_function: "isa.field",
}


@pytest.mark.parametrize("function", CODES, ids=lambda f: f.__name__)
def test_wrong_block_has_one_error_at_its_line(function):
    hold_to_one_error(function, CODES[function])


def test_more_semaphores_than_a_core_has():
    @hd.kernel("f32[N] -> f32[N]")
    def many(x, y):
        ring, counts = hd.ring(1, x.shape), [hd.semaphore() for _ in range(65)]
        with hd.manual():
            for count in counts:
                hd.isa.sync(on="store", signal=count)
            for count in counts:
                hd.isa.sync(on="load", wait=count)
            hd.load(x, out=ring[0])
            hd.store(y[:], ring[0])

    with pytest.raises(hd.KernelError, match="65 are made by hand; there are 64") as error:
        many.compile("f32[8]")
    assert error.value.code == "lower.semaphores"

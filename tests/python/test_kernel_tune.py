"""hadal.tune: what it finds, what it keeps, what it says."""

import io
import json

import numpy as np
import pytest
from test_kernels import hd

from attention import attention  # noqa: E402  In kernels/, which test_kernels has named.
from conv import conv  # noqa: E402
from matmul import matmul  # noqa: E402
from softmax import softmax  # noqa: E402

SQUARE = ["bf16[1024,1024]"] * 2
SMALL = {"bm": [128, 512], "bn": [128, 512]}


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("kernel, shapes, parameters, least", [
    (matmul, SQUARE, {}, 2.0),
    (softmax, ["bf16[64,4096]"], {}, 1.1),
    (attention, ["bf16[4,512,64]"] * 3, {"causal": False}, 1.3),
    (conv, ["bf16[1,14,14,256]", "bf16[3,3,256,256]"], {"pad": 1}, 1.5),
], ids=lambda value: getattr(value, "__name__", None))
def test_beats_the_default(kernel, shapes, parameters, least):
    tuned = hd.tune(kernel, shapes, **parameters)
    default = kernel.simulate(*shapes, **parameters).cycles
    best = kernel.simulate(*shapes, **parameters, **tuned.best).cycles
    print(f"{kernel.__name__} of {shapes}: {default:,} cycles, tuned {best:,}: {default / best:.2f} x")
    assert tuned.cycles == best == min(row["cycles"] for row in tuned.rows if row["cycles"])
    assert tuned.speedup == default / best >= least


def test_jobs_change_no_result():
    one, four = (hd.tune(matmul, SQUARE, tries=9, jobs=jobs) for jobs in (1, 4))
    assert one.rows == four.rows and len(one.rows) == 9 and str(one) == str(four)


def test_values_of_the_best_are_right():
    r = np.random.default_rng(0)
    a, b = (r.standard_normal((200, 200), dtype=np.float32) for _ in range(2))
    best = hd.tune(matmul, [a, b], space=SMALL).best
    np.testing.assert_allclose(matmul(a, b, **best), a @ b, atol=1e-3)


def test_several_problems_are_tuned_for_their_sum():
    problems = [SQUARE, ["bf16[256,4096]", "bf16[4096,256]"]]
    tuned = hd.tune(matmul, problems, space=SMALL, jobs=2)
    for trial in tuned.trials:
        each = [matmul.simulate(*problem, **trial.parameters).cycles for problem in problems]
        assert trial.each == each and trial.cycles == sum(each)


def test_cache_is_kept_and_gone_on_with(tmp_path, monkeypatch):
    file = tmp_path / "tuned.jsonl"
    first = hd.tune(matmul, SQUARE, space=SMALL, cache=file)
    lines = file.read_text().splitlines()
    assert len(lines) == 4 and json.loads(lines[0])["kernel"] == "matmul"
    file.write_text("\n".join([*lines[:2], lines[2][:40]]) + "\n")  # As an interruption leaves it.

    timed = []
    lowered = type(matmul)._lowered
    monkeypatch.setattr(type(matmul), "_lowered", lambda self, *a: timed.append(1) or lowered(self, *a))
    again = hd.tune(matmul, SQUARE, space=SMALL, cache=file)
    assert again.rows == first.rows and len(timed) == 2
    hd.tune(matmul, SQUARE, space={**SMALL, "bn": [128, 256, 512]}, cache=file)
    assert len(timed) == 4  # What is new alone.
    hd.tune(matmul, SQUARE, chip=hd.Chip("hadal-1", **{"matrix.rows": 64}), space=SMALL, cache=file)
    assert len(timed) == 8  # Another chip.


def test_an_interruption_keeps_what_was_timed(tmp_path, monkeypatch):
    file, done = tmp_path / "tuned.jsonl", []
    lowered = type(matmul)._lowered

    def interrupted(self, *arguments):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(1)
        return lowered(self, *arguments)

    monkeypatch.setattr(type(matmul), "_lowered", interrupted)
    with pytest.raises(KeyboardInterrupt):
        hd.tune(matmul, SQUARE, space=SMALL, cache=file, jobs=1)
    assert len(file.read_text().splitlines()) == 2


def test_shows_what_it_does_on_a_terminal():
    terminal, plain = Terminal(), io.StringIO()
    hd.tune(matmul, SQUARE, space=SMALL, progress=terminal)
    hd.tune(matmul, SQUARE, space=SMALL, progress=plain)
    shown = terminal.getvalue().split("\r")[1:]
    assert len(shown) == 4 and shown[-1].startswith(f"matmul [{'#' * 24}] 4/4  best ") and shown[-1].endswith("cycles\n")
    assert plain.getvalue() == ""


def test_what_does_not_fit_is_a_row():
    tuned = hd.tune(softmax, ["f32[4096,8192]"], space={"rows": [8, 4096]})
    refused = tuned.trials[-1]
    assert refused.parameters == {"rows": 4096} and refused.cycles is None and refused.bound == "plan.capacity"
    assert "refused" in str(tuned) and tuned.best["rows"] in (8, 16)


@pytest.mark.parametrize("code, arguments, options", [
    ("tune.space", (matmul, SQUARE), {"space": {"tile": [1]}}),
    ("tune.space", (matmul, SQUARE), {"space": {}}),
    ("tune.space", (matmul, SQUARE), {"space": {"bm": []}}),
    ("tune.shapes", (matmul, []), {}),
    ("tune.shapes", (matmul, "bf16[8,8]"), {}),
    ("launch.arguments", (matmul, SQUARE[:1]), {}),
    ("tune.refused", (softmax, ["f32[4096,8192]"]), {"space": {"rows": [2048, 4096]}, "rows": 4096}),
])
def test_wrong_searches_have_one_error(code, arguments, options):
    with pytest.raises(hd.KernelError) as error:
        hd.tune(*arguments, **options)
    assert error.value.code == code and error.value.place and error.value.remedy

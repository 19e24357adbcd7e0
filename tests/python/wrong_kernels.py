"""What is asked of a kernel that is wrong."""

import inspect
import pathlib

import pytest
from test_package import hadal


def hold_to_one_error(function, code, size=64):
    """Compiled for two matrices of `size`, it gives the error of this code, at the line that says `# here`, with a remedy."""
    lines, first = inspect.getsourcelines(function)
    line = first + next(i for i, text in enumerate(lines) if "# here" in text)
    kernel = hadal.kernel("f32[M,K], f32[K,N] -> f32[M,N]")(function)
    with pytest.raises(hadal.KernelError) as error:
        kernel.compile(f"f32[{size},{size}]", f"f32[{size},{size}]")
    assert error.value.code == code
    assert error.value.place.startswith(f"{pathlib.Path(inspect.getsourcefile(function)).name}:{line}  ")
    assert error.value.remedy
    assert isinstance(error.value, hadal.HadalError) and isinstance(error.value, ValueError)

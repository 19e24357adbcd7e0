"""Hadal: an open deep-learning platform whose chip is virtual.

    import hadal
    session = hadal.InferenceSession("model.onnx", chip="hadal-1")
    outputs = session.run(None, {"input": x})                        # values, as ONNX Runtime gives them
    report = hadal.simulate("model.onnx", chip=hadal.Chip("hadal-1", cores=4, **{"network.x": 2, "network.y": 2}))
    print(report.cycles, report.seconds)                             # time, and what bounds it

Kernels are written in Python, too: hadal.kernel, docs/kernels.md.
"""

from ._chip import Chip, chips
from ._debugger import Debugger, Difference, bisect, debug
from ._kernel import *  # noqa: F403
from ._library import HadalError, version as _version
from ._program import NodeArg, Program, compile, simulate
from ._register import register_kernel
from ._report import Report
from ._session import InferenceSession

__version__: str = _version()
__all__ = ["Chip", "Debugger", "Difference", "HadalError", "InferenceSession", "Kernel", "KernelError", "NodeArg", "Program", "Report", "Tuned",
           "bisect", "chips", "compile", "debug", "kernel", "register_kernel", "simulate", "tune"]  # The words of kernels, such as hadal.max, would hide Python's own.

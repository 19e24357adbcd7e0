"""Types of hd.isa.NAME, printed by scripts/isa_types.py from the instruction table. What fields mean: docs/isa.md."""

from typing import Any, Callable, Literal, overload

from .hand import Wanted
from .index import Index
from .memory import Tensor, Window
from .values import Accumulator, Place, Value

Operand = Value | Place
Readable = Window | Tensor

class Table:
    @overload
    def load(
        self,
        from_: Readable,
        /,
        *,
        fill: int = ...,
        value: float = ...,
        share: int = ...,
        step: int = ...,
    ) -> Value: ...
    @overload
    def load(
        self,
        from_: Readable,
        /,
        *,
        out: Place,
        fill: int = ...,
        value: float = ...,
        share: int = ...,
        step: int = ...,
        wait: Wanted = None,
        signal: Wanted = None,
    ) -> None: ...
    def store(self, to_: Window, from_: Operand, /, *, wait: Wanted = None, signal: Wanted = None) -> None: ...
    @overload
    def gather(self, from_: Readable, index_: Operand, /, *, bounds: Literal["error", "clamp"] = ...) -> Value: ...
    @overload
    def gather(
        self,
        from_: Readable,
        index_: Operand,
        /,
        *,
        out: Place,
        bounds: Literal["error", "clamp"] = ...,
        wait: Wanted = None,
        signal: Wanted = None,
    ) -> None: ...
    def scatter(
        self,
        to_: Window,
        from_: Operand,
        index_: Operand,
        /,
        *,
        axis: int = ...,
        combine: Literal["set", "add", "mul", "min", "max"] = ...,
        wait: Wanted = None,
        signal: Wanted = None,
    ) -> None: ...
    @overload
    def matmul(
        self,
        a_: Operand,
        b_: Operand,
        /,
        *,
        dims: Any,
        dtype: str = "f32",
        transpose_a: int = ...,
        transpose_b: int = ...,
    ) -> Value: ...
    @overload
    def matmul(
        self,
        a_: Operand,
        b_: Operand,
        /,
        *,
        out: Place,
        accumulator: Accumulator = ...,
        accumulate: int | Index = ...,
        emit: int | Index = ...,
        epilogue: Callable[[Value], Value] = ...,
        transpose_a: int = ...,
        transpose_b: int = ...,
        wait: Wanted = None,
        signal: Wanted = None,
    ) -> None: ...
    @overload
    def conv(
        self,
        x_: Operand,
        w_: Operand,
        /,
        *,
        dims: Any,
        dtype: str = "f32",
        stride_d: int = ...,
        stride_h: int = ...,
        stride_w: int = ...,
        dilation_d: int = ...,
        dilation_h: int = ...,
        dilation_w: int = ...,
        pad_front: int | Index = ...,
        pad_top: int | Index = ...,
        pad_left: int | Index = ...,
        pad_back: int | Index = ...,
        pad_bottom: int | Index = ...,
        pad_right: int | Index = ...,
        groups: int = ...,
    ) -> Value: ...
    @overload
    def conv(
        self,
        x_: Operand,
        w_: Operand,
        /,
        *,
        out: Place,
        accumulator: Accumulator = ...,
        accumulate: int | Index = ...,
        emit: int | Index = ...,
        epilogue: Callable[[Value], Value] = ...,
        stride_d: int = ...,
        stride_h: int = ...,
        stride_w: int = ...,
        dilation_d: int = ...,
        dilation_h: int = ...,
        dilation_w: int = ...,
        pad_front: int | Index = ...,
        pad_top: int | Index = ...,
        pad_left: int | Index = ...,
        pad_back: int | Index = ...,
        pad_bottom: int | Index = ...,
        pad_right: int | Index = ...,
        groups: int = ...,
        wait: Wanted = None,
        signal: Wanted = None,
    ) -> None: ...
    @overload
    def conv_depthwise(
        self,
        x_: Operand,
        w_: Operand,
        /,
        *,
        dims: Any,
        dtype: str = "f32",
        stride_d: int = ...,
        stride_h: int = ...,
        stride_w: int = ...,
        dilation_d: int = ...,
        dilation_h: int = ...,
        dilation_w: int = ...,
        pad_front: int | Index = ...,
        pad_top: int | Index = ...,
        pad_left: int | Index = ...,
        pad_back: int | Index = ...,
        pad_bottom: int | Index = ...,
        pad_right: int | Index = ...,
        groups: int = ...,
    ) -> Value: ...
    @overload
    def conv_depthwise(
        self,
        x_: Operand,
        w_: Operand,
        /,
        *,
        out: Place,
        accumulator: Accumulator = ...,
        accumulate: int | Index = ...,
        emit: int | Index = ...,
        epilogue: Callable[[Value], Value] = ...,
        stride_d: int = ...,
        stride_h: int = ...,
        stride_w: int = ...,
        dilation_d: int = ...,
        dilation_h: int = ...,
        dilation_w: int = ...,
        pad_front: int | Index = ...,
        pad_top: int | Index = ...,
        pad_left: int | Index = ...,
        pad_back: int | Index = ...,
        pad_bottom: int | Index = ...,
        pad_right: int | Index = ...,
        groups: int = ...,
        wait: Wanted = None,
        signal: Wanted = None,
    ) -> None: ...
    @overload
    def conv_transpose(
        self,
        x_: Operand,
        w_: Operand,
        /,
        *,
        dims: Any,
        dtype: str = "f32",
        stride_d: int = ...,
        stride_h: int = ...,
        stride_w: int = ...,
        dilation_d: int = ...,
        dilation_h: int = ...,
        dilation_w: int = ...,
        pad_front: int | Index = ...,
        pad_top: int | Index = ...,
        pad_left: int | Index = ...,
        pad_back: int | Index = ...,
        pad_bottom: int | Index = ...,
        pad_right: int | Index = ...,
        groups: int = ...,
    ) -> Value: ...
    @overload
    def conv_transpose(
        self,
        x_: Operand,
        w_: Operand,
        /,
        *,
        out: Place,
        accumulator: Accumulator = ...,
        accumulate: int | Index = ...,
        emit: int | Index = ...,
        epilogue: Callable[[Value], Value] = ...,
        stride_d: int = ...,
        stride_h: int = ...,
        stride_w: int = ...,
        dilation_d: int = ...,
        dilation_h: int = ...,
        dilation_w: int = ...,
        pad_front: int | Index = ...,
        pad_top: int | Index = ...,
        pad_left: int | Index = ...,
        pad_back: int | Index = ...,
        pad_bottom: int | Index = ...,
        pad_right: int | Index = ...,
        groups: int = ...,
        wait: Wanted = None,
        signal: Wanted = None,
    ) -> None: ...
    @overload
    def matmul_scaled(
        self,
        a_: Operand,
        b_: Operand,
        a_scale_: Operand,
        b_scale_: Operand,
        /,
        *,
        dims: Any,
        dtype: str = "f32",
        transpose_a: int = ...,
        transpose_b: int = ...,
        shift: int | Index = ...,
    ) -> Value: ...
    @overload
    def matmul_scaled(
        self,
        a_: Operand,
        b_: Operand,
        a_scale_: Operand,
        b_scale_: Operand,
        /,
        *,
        out: Place,
        accumulator: Accumulator = ...,
        accumulate: int | Index = ...,
        emit: int | Index = ...,
        epilogue: Callable[[Value], Value] = ...,
        transpose_a: int = ...,
        transpose_b: int = ...,
        shift: int | Index = ...,
        wait: Wanted = None,
        signal: Wanted = None,
    ) -> None: ...
    def map(self, value: Operand | float, /, *, out: Place, wait: Wanted = None, signal: Wanted = None) -> None: ...
    @overload
    def reduce(
        self,
        in_: Operand,
        /,
        *,
        dims: Any,
        dtype: str = "f32",
        kind: Literal["sum", "mean", "max", "min", "prod", "sum_square", "l1", "l2", "log_sum", "log_sum_exp"] = ...,
        axes: int = ...,
    ) -> Value: ...
    @overload
    def reduce(
        self,
        in_: Operand,
        /,
        *,
        out: Place,
        kind: Literal["sum", "mean", "max", "min", "prod", "sum_square", "l1", "l2", "log_sum", "log_sum_exp"] = ...,
        axes: int = ...,
        wait: Wanted = None,
        signal: Wanted = None,
    ) -> None: ...
    @overload
    def arg_reduce(
        self,
        in_: Operand,
        /,
        *,
        dims: Any,
        dtype: str = "f32",
        kind: Literal["max", "min"] = ...,
        axis: int = ...,
        last: int = ...,
    ) -> Value: ...
    @overload
    def arg_reduce(
        self,
        in_: Operand,
        /,
        *,
        out: Place,
        kind: Literal["max", "min"] = ...,
        axis: int = ...,
        last: int = ...,
        wait: Wanted = None,
        signal: Wanted = None,
    ) -> None: ...
    @overload
    def softmax(self, in_: Operand, /, *, dims: Any, dtype: str = "f32", log: int = ...) -> Value: ...
    @overload
    def softmax(self, in_: Operand, /, *, out: Place, log: int = ..., wait: Wanted = None, signal: Wanted = None) -> None: ...
    @overload
    def norm(
        self,
        in_: Operand,
        gamma_: Operand = ...,
        beta_: Operand = ...,
        /,
        *,
        dims: Any,
        dtype: str = "f32",
        kind: Literal["layer", "rms"] = ...,
        epsilon: float = ...,
    ) -> Value: ...
    @overload
    def norm(
        self,
        in_: Operand,
        gamma_: Operand = ...,
        beta_: Operand = ...,
        /,
        *,
        out: Place,
        kind: Literal["layer", "rms"] = ...,
        dims: int = ...,
        epsilon: float = ...,
        wait: Wanted = None,
        signal: Wanted = None,
    ) -> None: ...
    @overload
    def pool(
        self,
        in_: Operand,
        /,
        *,
        dims: Any,
        dtype: str = "f32",
        kind: Literal["max", "mean", "sum"] = ...,
        kernel_d: int = ...,
        kernel_h: int = ...,
        kernel_w: int = ...,
        stride_d: int = ...,
        stride_h: int = ...,
        stride_w: int = ...,
        dilation_d: int = ...,
        dilation_h: int = ...,
        dilation_w: int = ...,
        pad_front: int | Index = ...,
        pad_top: int | Index = ...,
        pad_left: int | Index = ...,
        pad_back: int | Index = ...,
        pad_bottom: int | Index = ...,
        pad_right: int | Index = ...,
        count_pad: int = ...,
    ) -> Value: ...
    @overload
    def pool(
        self,
        in_: Operand,
        /,
        *,
        out: Place,
        kind: Literal["max", "mean", "sum"] = ...,
        kernel_d: int = ...,
        kernel_h: int = ...,
        kernel_w: int = ...,
        stride_d: int = ...,
        stride_h: int = ...,
        stride_w: int = ...,
        dilation_d: int = ...,
        dilation_h: int = ...,
        dilation_w: int = ...,
        pad_front: int | Index = ...,
        pad_top: int | Index = ...,
        pad_left: int | Index = ...,
        pad_back: int | Index = ...,
        pad_bottom: int | Index = ...,
        pad_right: int | Index = ...,
        count_pad: int = ...,
        wait: Wanted = None,
        signal: Wanted = None,
    ) -> None: ...
    @overload
    def transpose(
        self,
        in_: Operand,
        /,
        *,
        dims: Any,
        dtype: str = "f32",
        order_0: int = ...,
        order_1: int = ...,
        order_2: int = ...,
        order_3: int = ...,
        order_4: int = ...,
        order_5: int = ...,
    ) -> Value: ...
    @overload
    def transpose(
        self,
        in_: Operand,
        /,
        *,
        out: Place,
        order_0: int = ...,
        order_1: int = ...,
        order_2: int = ...,
        order_3: int = ...,
        order_4: int = ...,
        order_5: int = ...,
        wait: Wanted = None,
        signal: Wanted = None,
    ) -> None: ...
    @overload
    def topk(
        self,
        in_: Operand,
        /,
        *,
        dims: list[Any],
        dtype: list[str],
        largest: int = ...,
        sorted: int = ...,
    ) -> tuple[Value, Value]: ...
    @overload
    def topk(
        self,
        in_: Operand,
        /,
        *,
        out: list[Place],
        largest: int = ...,
        sorted: int = ...,
        wait: Wanted = None,
        signal: Wanted = None,
    ) -> None: ...
    @overload
    def scan(self, in_: Operand, /, *, dims: Any, dtype: str = "f32", exclusive: int = ..., reverse: int = ...) -> Value: ...
    @overload
    def scan(
        self,
        in_: Operand,
        /,
        *,
        out: Place,
        exclusive: int = ...,
        reverse: int = ...,
        wait: Wanted = None,
        signal: Wanted = None,
    ) -> None: ...
    @overload
    def select_along(self, in_: Operand, index_: Operand, /, *, dims: Any, dtype: str = "f32", axis: int = ...) -> Value: ...
    @overload
    def select_along(
        self,
        in_: Operand,
        index_: Operand,
        /,
        *,
        out: Place,
        axis: int = ...,
        wait: Wanted = None,
        signal: Wanted = None,
    ) -> None: ...
    @overload
    def sort(
        self,
        in_: Operand,
        /,
        *,
        dims: Any,
        dtype: str = "f32",
        axis: int = ...,
        run: int = ...,
        descending: int | Index = ...,
    ) -> Value: ...
    @overload
    def sort(
        self,
        in_: Operand,
        /,
        *,
        out: Place,
        axis: int = ...,
        run: int = ...,
        descending: int | Index = ...,
        wait: Wanted = None,
        signal: Wanted = None,
    ) -> None: ...
    @overload
    def sort_pairs(
        self,
        in_: Operand,
        from_: Operand = ...,
        /,
        *,
        dims: list[Any],
        dtype: list[str],
        axis: int = ...,
        run: int = ...,
        descending: int | Index = ...,
        lower_above: int = ...,
    ) -> tuple[Value, Value]: ...
    @overload
    def sort_pairs(
        self,
        in_: Operand,
        from_: Operand = ...,
        /,
        *,
        out: list[Place],
        axis: int = ...,
        run: int = ...,
        descending: int | Index = ...,
        lower_above: int = ...,
        wait: Wanted = None,
        signal: Wanted = None,
    ) -> None: ...
    def sync(
        self,
        *,
        on: Literal["load", "store", "matrix", "vector", "prefetch"],
        wait: Wanted = None,
        signal: Wanted = None,
    ) -> None: ...

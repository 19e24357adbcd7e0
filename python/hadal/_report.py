"""What the timing machine says of a program."""

from __future__ import annotations

import html
import json
from typing import Any, Iterator, Mapping

_COLUMNS = ("name", "op", "engine", "cycles", "macs", "bytes_read", "bytes_written", "bound", "roofline_cycles")


class Report(Mapping[str, Any]):
    """A report as docs/report.md documents it: report["memory"]["bytes_read"]; the usual figures are attributes.

    `cycles` of the chip's clock and `seconds` from launch to the last store; `layers` is a list of dicts, one a layer in the
    model's order, as pandas.DataFrame(report.layers) takes it: name, op, engine, cycles, macs (multiply-accumulates),
    bytes_read and bytes_written (of memory), bound ("matrix", "vector", "memory", "latency", "host"), roofline_cycles (the
    fewest that arithmetic and compulsory bytes take) …
    """

    def __init__(self, data: dict[str, Any]):
        self._data = data

    def __getitem__(self, key: str) -> Any:
        return self._data[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    @property
    def cycles(self) -> int:
        return self._data["cycles"]

    @property
    def seconds(self) -> float:
        return self._data["seconds"]

    @property
    def layers(self) -> list[dict[str, Any]]:
        return self._data["layers"]

    def json(self) -> str:
        return json.dumps(self._data, indent=1)

    def _headline(self) -> str:
        return (f"{self._data['model']} on {self._data['chip']}, {self._data['precision']}: {self.cycles:,} cycles, "
                f"{self.seconds * 1e6:,.2f} us")

    def __repr__(self) -> str:
        return f"<hadal.Report: {self._headline()}>"

    def _repr_html_(self) -> str:
        cell = lambda value: html.escape(f"{value:,}" if isinstance(value, int) else f"{value:,.0f}" if isinstance(value, float)
                                         else str(value))
        head = "".join(f"<th>{name}</th>" for name in _COLUMNS)
        rows = "".join("<tr>" + "".join(f"<td>{cell(layer[name])}</td>" for name in _COLUMNS) + "</tr>" for layer in self.layers)
        return f"<p>{html.escape(self._headline())}</p><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"

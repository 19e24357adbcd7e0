"""Descriptions of chips, to be read and changed."""

from __future__ import annotations

import os
import tempfile
from typing import Any, Iterator

from ._library import describe_chip, json_from, list_chips


def chips() -> list[str]:
    """Names of the chips that come with Hadal."""
    return json_from(list_chips)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


class Chip:
    """A chip: a shipped one by name, or a file, with some of its fields changed.

    >>> chip = Chip("hadal-1")
    >>> chip["scratchpad.bytes"]
    '8 MiB'
    >>> chip["scratchpad.bytes"] = "4 MiB"

    Fields are named as in docs/chips.md, "matrix.rows"; a value is what a description has: a number, a truth, or a quantity
    with its unit, "1.5 GHz", "3.3 TB/s". Reading gives Hadal's text of it. Errors are raised where the chip is used, and by
    reading: HadalError with the code chip.unknown, chip.unit, chip.range …
    """

    def __init__(self, base: str | os.PathLike[str] = "hadal-1", **fields: Any):
        self.base = os.fspath(base)
        self.fields: dict[str, Any] = dict(fields)

    def __setitem__(self, field: str, value: Any) -> None:
        self.fields[field] = value

    def __getitem__(self, field: str) -> str:
        for row in self.describe():
            if row["name"] == field:
                return row["value"]
        raise KeyError(field)

    def __repr__(self) -> str:
        changed = "".join(f", {name}={value!r}" for name, value in self.fields.items())
        return f"Chip({self.base!r}{changed})"

    def __iter__(self) -> Iterator[str]:
        return (row["name"] for row in self.describe())

    def copy(self, **fields: Any) -> Chip:
        """Another chip, with more fields changed."""
        return Chip(self.base, **{**self.fields, **fields})

    def describe(self) -> list[dict[str, str]]:
        """Every field: name, unit, meaning, value, source. Takes what pandas.DataFrame takes."""
        with described(self) as name:
            return json_from(describe_chip, os.fsencode(name))


class described:
    """The name or file of a chip, while it is needed."""

    def __init__(self, chip: str | os.PathLike[str] | Chip | None):
        self._chip = chip
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> str:
        if not isinstance(self._chip, Chip):
            return os.fspath(self._chip or "")
        chip = self._chip
        if not chip.fields:
            return chip.base
        folder = self._folder = tempfile.TemporaryDirectory(prefix="hadal-chip-")
        extends = chip.base
        if os.path.exists(chip.base):  # `extends` names a description beside the file, or a shipped one.
            extends = "base"
            os.symlink(os.path.abspath(chip.base), os.path.join(folder.name, "base.toml"))
        file = os.path.join(folder.name, "changed.toml")
        with open(file, "w", encoding="utf-8") as out:
            out.write(f"extends = {_toml(extends)}\n" + "".join(f"{k} = {_toml(v)}\n" for k, v in chip.fields.items()))
        return file

    def __exit__(self, *_: object) -> None:
        if self._folder:
            self._folder.cleanup()

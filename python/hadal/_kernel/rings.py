"""The queues' slots in the scratchpad."""

from __future__ import annotations

import dataclasses
from typing import Any

from .errors import Site


@dataclasses.dataclass
class Ring:
    """Slots between two queues, for one value of a phase: where the largest was made, and how large it is."""

    name: str
    producer: str
    consumer: str
    slots: int
    most: int
    bytes: int
    site: Site
    what: str

    @property
    def kind(self) -> tuple[str, str, int, int]:
        return self.producer, self.consumer, self.slots, self.most

    def hold(self, size: int, site: Site, what: str) -> None:
        """Makes room for another value."""
        if size > self.bytes:
            self.bytes, self.site, self.what = size, site, what

    def json(self) -> dict[str, Any]:
        if not self.producer:  # By hand.
            return {"name": self.name, "slots": self.slots}
        return {"name": self.name, "from": self.producer, "to": self.consumer, "slots": self.slots, "most_slots": self.most}

"""From where a restricted reserver reads the queue. Pure.

Rows that a restriction rejects stay where they are: read from the head, a sparse one would pass all of them again at
every look. So a look begins at the first row that the one before it found. What turns up ahead of that, given back or
more urgent, is found by the next look from the head: after a second, or where such a look is slow after a hundred times
what it took, or at once when there is nothing beyond.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

HOLDS_SECONDS = 1.0
HOLDS_TIMES = 100.0


class Position(NamedTuple):
    """A place in the order of urgency."""

    priority: int
    scheduled_time: datetime


@dataclass(frozen=True)
class Frontier:
    position: Position | None = None
    until: float = 0.0

    def start(self, now: float) -> Position | None:
        """Where to begin; None is the head of the queue."""
        return self.position if now < self.until else None

    def after(self, start: Position | None, first: Position, began: float, ended: float) -> Frontier:
        """Once a look that began at `start`, and took so long, has found its first row."""
        if start is not None:
            return Frontier(first, self.until)
        return Frontier(first, ended + max(HOLDS_SECONDS, HOLDS_TIMES * (ended - began)))

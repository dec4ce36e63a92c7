"""Waits for something to happen, lets it be dealt with, and asks when to look again."""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable
from typing import Protocol

LONGEST_TURN_SECONDS = 1.0
"""Something to do or not, the loop turns so often: that is how it shows that it is alive."""


class Source(Protocol):
    def fileno(self) -> int: ...


class Loop:
    def __init__(self) -> None:
        self.last_turn = time.monotonic()
        self._selector = selectors.DefaultSelector()

    def on_readable(self, source: int | Source, callback: Callable[[], None]) -> None:
        self._selector.register(source, selectors.EVENT_READ, callback)

    def forget(self, source: int | Source) -> None:
        self._selector.unregister(source)

    def run(self, advance: Callable[[float], float | None]) -> None:
        """Until `advance` gives None; it gets the time, and gives that at which it must be called again."""
        while (next_call := advance(time.monotonic())) is not None:
            self.last_turn = now = time.monotonic()
            pause = min(LONGEST_TURN_SECONDS, max(0.0, next_call - now))
            for event, _ in self._selector.select(pause):
                event.data()

"""Waits for something to happen, lets it be dealt with, and asks when to look again."""

from __future__ import annotations

import contextlib
import os
import selectors
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

LONGEST_TURN_SECONDS = 1.0
"""Something to do or not, the loop turns so often: that is how it shows that it is alive."""


class Wait(NamedTuple):
    until: float
    """When to be called again at the latest."""
    rest: float = 0.0
    """For so many seconds only what is urgent is a reason to be called: events that come one by one are dealt with
    together."""


class Source(Protocol):
    def fileno(self) -> int: ...


class Loop:
    def __init__(self) -> None:
        self.last_turn = time.monotonic()
        self._selector = selectors.DefaultSelector()
        self._urgent = selectors.DefaultSelector()
        self._sources: set[int | Source] = set()

    def on_readable(self, source: int | Source, callback: Callable[[], None], *, urgent: bool = False) -> None:
        self._selector.register(source, selectors.EVENT_READ, callback)
        self._sources.add(source)
        if urgent:
            self._urgent.register(source, selectors.EVENT_READ)

    def forget(self, source: int | Source) -> None:
        self._selector.unregister(source)
        self._sources.discard(source)

    def bell(self, callback: Callable[[], None]) -> Callable[[], None]:
        """What other threads may call to have the callback called on the loop's; of many rings some may be lost."""
        readable, writable = os.pipe()
        os.set_blocking(writable, False)

        def ring() -> None:
            with contextlib.suppress(BlockingIOError):
                os.write(writable, b".")

        def answer() -> None:
            os.read(readable, 4096)
            callback()

        self.on_readable(readable, answer)
        return ring

    def run(self, advance: Callable[[float], Wait | None]) -> None:
        """Until `advance`, which gets the time, gives None."""
        while (wait := advance(time.monotonic())) is not None:
            self.last_turn = time.monotonic()
            if wait.rest > 0:
                self._urgent.select(wait.rest)
            pause = min(LONGEST_TURN_SECONDS, wait.until - time.monotonic())
            for event, _ in self._selector.select(max(0.0, pause)):
                # What was dealt with just before may have forgotten this one, and closed it.
                if event.fileobj in self._sources:
                    event.data()

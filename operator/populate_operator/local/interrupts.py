"""Ctrl-C and its like, counted; the main loop decides what a count means."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any


class Interrupts:
    def __init__(self) -> None:
        self.count = 0
        self.wake = threading.Event()

    def wait(self, seconds: float) -> None:
        """Until something happened, or so long."""
        self.wake.wait(seconds)
        self.wake.clear()

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """SIGINT, SIGTERM and SIGHUP count; the end of a child wakes."""
        handlers = {
            signal.SIGINT: self._count,
            signal.SIGTERM: self._count,
            signal.SIGHUP: self._count,
            signal.SIGCHLD: lambda *_: self.wake.set(),
        }
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _count(self, *_: Any) -> None:
        self.count += 1
        self.wake.set()

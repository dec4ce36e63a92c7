"""Signals as something to select on."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator

STOPPING = (signal.SIGTERM, signal.SIGINT)


@contextlib.contextmanager
def signals() -> Iterator[int]:
    """A descriptor that is readable when SIGTERM, SIGINT or SIGCHLD came: one byte each, its number."""
    readable, writable = os.pipe()
    os.set_blocking(readable, False)
    os.set_blocking(writable, False)
    before = {number: signal.signal(number, _noted) for number in (*STOPPING, signal.SIGCHLD)}
    signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    try:
        yield readable
    finally:
        signal.set_wakeup_fd(-1)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(readable)
        os.close(writable)


def _noted(signum: int, frame: object) -> None:
    """Python then writes its number to the wakeup descriptor."""

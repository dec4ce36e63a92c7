"""What there is in one namespace, or in all: asked for again and again, for what watching may have missed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from .api import ClusterError

LIST_EVERY = 60.0
"""Seconds."""
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 10.0
"""Seconds between two attempts to list."""
REFUSED_SECONDS = 180.0
"""A namespace that comes or goes refuses for a moment; one that refuses for longer will go on doing so."""

log = logging.getLogger(__name__)


class Listing:
    """Each namespace by itself: one that refuses, such as one that was deleted, costs the others nothing."""

    def __init__(self, namespace: str, take: Callable[[str], Awaitable[None]]) -> None:
        """`take` lists the namespace once, and keeps what it finds. Raises ClusterError."""
        self._namespace = namespace
        self._take = take
        self._refused_at: float | None = None
        """Monotonic time since which it has answered with nothing but refusals."""
        self._failed = ""
        """What was wrong the last time: it is said once."""

    @property
    def is_refused(self) -> bool:
        """For good, as it seems."""
        return self._refused_at is not None and time.monotonic() - self._refused_at >= REFUSED_SECONDS

    async def run(self) -> None:
        """Until cancelled."""
        pause = FIRST_PAUSE
        while True:
            if await self._attempt():
                pause = FIRST_PAUSE
                await asyncio.sleep(LIST_EVERY)
            else:
                await asyncio.sleep(pause)
                pause = min(LONGEST_PAUSE, pause * 2)

    async def _attempt(self) -> bool:
        """Whether all of it was listed."""
        try:
            await self._take(self._namespace)
        except ClusterError as error:
            self._fail(error)
            return False
        self._refused_at = None
        self._say("")
        return True

    def _fail(self, error: ClusterError) -> None:
        if not error.is_refusal:
            self._refused_at = None
        elif self._refused_at is None:
            self._refused_at = time.monotonic()
        self._say(str(error))

    def _say(self, failed: str) -> None:
        before, self._failed = self._failed, failed
        what = f"the namespace {self._namespace}" if self._namespace else "the cluster"
        if failed and failed != before:
            log.error("%s cannot be listed, trying again: %s", what, failed)
        elif before and not failed:
            log.warning("%s is listed again", what)

"""Liveness: that the loop turns. A database or an API server that is away ends nothing here."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from aiohttp import web

STALLED_SECONDS = 60.0
"""The loop turns at least every ten; one request to the API server takes at most thirty."""


class Pulse:
    """Of whatever this process is for at the moment: reconciling, or waiting to lead."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._beat_at = clock()

    def beat(self) -> None:
        self._beat_at = self._clock()

    @property
    def silent_seconds(self) -> float:
        return self._clock() - self._beat_at


@asynccontextmanager
async def served(url: str, pulse: Pulse) -> AsyncIterator[None]:
    """Answers at this URL while the block runs: 200 while the pulse beats, else 503. A hung process answers nothing."""

    async def answer(_: web.Request) -> web.Response:
        silent = pulse.silent_seconds
        if silent < STALLED_SECONDS:
            return web.Response(text="ok\n")
        return web.Response(status=503, text=f"nothing was reconciled for {silent:.0f} s\n")

    parts = urlsplit(url)
    app = web.Application()
    app.add_routes([web.get(parts.path or "/", answer)])
    runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, parts.hostname or "localhost", parts.port or 80).start()
        yield
    finally:
        await runner.cleanup()

"""A proxy before the API server that does to one client what ought not to be done to all of them: it stands still,
cuts connections, refuses, ends watches, and tells of each write when it comes and when it is done."""

from __future__ import annotations

import asyncio
import enum
import json
import logging
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from kubernetes import client, config

PASSED_ON = ("Content-Type", "Accept", "User-Agent")
_PLURAL = re.compile(r"/(?:apis/[^/]+|api)/[^/]+/(?:namespaces/[^/]+/)?(\w+)(?:/[^/]+(/\w+)?)?$")
_QUIET = logging.getLogger(f"{__name__}.server")
_QUIET.disabled = True  # clients that are killed are no news
_STATUS = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
_GONE = {"type": "ERROR", "object": {**_STATUS, "reason": "Expired", "code": 410, "message": "too old"}}
_BUSY = {**_STATUS, "reason": "TooManyRequests", "code": 429, "message": "too many requests"}


class Side(enum.Enum):
    """Of a write, on which something is done."""

    BEFORE = "the API server has not got it"
    AFTER = "the API server has done it, and the client does not hear of it"


@dataclass(frozen=True)
class Trap:
    """Springs at the `nth` write of this name, counted from when it is set."""

    write: str
    nth: int
    side: Side


class ApiProxy:
    def __init__(self, kubeconfig: Path, folder: Path) -> None:
        upstream = client.Configuration()
        config.load_kube_config(str(kubeconfig), client_configuration=upstream)
        self._server = str(upstream.host)
        self._authorization = upstream.get_api_key_with_prefix("BearerToken") or ""
        self._tls = ssl.create_default_context(cafile=upstream.ssl_ca_cert)
        if upstream.cert_file:
            self._tls.load_cert_chain(upstream.cert_file, upstream.key_file)
        self.kubeconfig = folder / "through-a-proxy.json"
        self.writes: list[str] = []
        """Such as `POST jobs` and `PATCH populatejobs/status`, in the order in which they came."""
        self.sprung = threading.Event()
        self._trap: tuple[Trap, Callable[[], None]] | None = None
        self._since = 0
        self._busy = False
        self._gate = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._watches: set[asyncio.Task[None]] = set()
        self._connections: set[asyncio.BaseTransport] = set()

    @contextmanager
    def running(self) -> Iterator[ApiProxy]:
        thread = threading.Thread(target=self._loop.run_forever, name="API proxy", daemon=True)
        thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(30)
        try:
            yield self
        finally:
            asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(30)
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join(30)

    # What is done to the client

    def freeze(self) -> None:
        """Accepts, and answers nothing."""
        self._call(self._gate.clear)

    def thaw(self) -> None:
        self._call(self._gate.set)

    def lose(self) -> None:
        """What is under way is never answered; what comes from now on is."""

        def lose() -> None:
            self._gate.clear()
            self._gate = asyncio.Event()
            self._gate.set()

        self._call(lose)

    def close(self) -> None:
        """As when the API server is not there: all connections are cut, and no new ones accepted."""

        async def close() -> None:
            await self._site.stop()
            for connection in self._connections:
                connection.abort()  # type: ignore[attr-defined]

        asyncio.run_coroutine_threadsafe(close(), self._loop).result(30)

    def open(self) -> None:
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(30)

    def refuse(self, busy: bool) -> None:
        """Answers 429 to everything, and ends all watches."""
        self._busy = busy
        self._call(lambda: [watch.cancel() for watch in self._watches])

    def expire(self) -> None:
        """Ends all watches: what they had seen last is too old."""
        self.refuse(False)

    def spring(self, trap: Trap, action: Callable[[], None]) -> None:
        """Does this in place of answering; what was held back until then is not passed on."""
        self.sprung.clear()
        self._since = len(self.writes)
        self._trap = (trap, action)

    def _call(self, action: Callable[[], object]) -> None:
        done = threading.Event()
        self._loop.call_soon_threadsafe(action)
        self._loop.call_soon_threadsafe(done.set)
        assert done.wait(30)

    # What it is

    async def _start(self) -> None:
        self._gate.set()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._tls, limit=0), timeout=aiohttp.ClientTimeout(), read_bufsize=2**22
        )
        app = web.Application(client_max_size=2**26)
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, logger=_QUIET, shutdown_timeout=0.1)
        await self._runner.setup()
        self.port = 0
        await self._listen()
        cluster = {"name": "proxy", "cluster": {"server": f"http://127.0.0.1:{self.port}"}}
        context = {"name": "proxy", "context": {"cluster": "proxy", "user": "nobody"}}
        entries = {"clusters": [cluster], "users": [{"name": "nobody", "user": {}}], "contexts": [context]}
        self.kubeconfig.write_text(
            json.dumps({"apiVersion": "v1", "kind": "Config", "current-context": "proxy", **entries})
        )

    async def _stop(self) -> None:
        await self._runner.cleanup()
        under_way = asyncio.all_tasks() - {asyncio.current_task()}
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        await self._session.close()

    async def _listen(self) -> None:
        self._site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await self._site.start()
        self.port = self._runner.addresses[0][1]

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        gate, connection = self._gate, request.transport
        assert connection is not None
        self._connections.add(connection)
        body = await request.read()
        await gate.wait()
        if connection.is_closing():
            raise ConnectionResetError  # nobody waits for an answer: what was asked is not passed on
        if self._busy:
            return web.json_response(_BUSY, status=429, headers={"Retry-After": "1"})
        action = self._caught(request)
        if action and action[0] is Side.BEFORE:
            return self._sprung(action[1])
        async with self._ask(request, body) as answer:
            if action:
                await answer.read()
                return self._sprung(action[1])
            return await self._pass_back(request, answer, gate)

    def _ask(self, request: web.Request, body: bytes) -> Any:
        headers = {name: request.headers[name] for name in PASSED_ON if name in request.headers}
        if self._authorization:
            headers["Authorization"] = self._authorization
        return self._session.request(request.method, self._server + request.path_qs, headers=headers, data=body or None)

    async def _pass_back(
        self, request: web.Request, answer: aiohttp.ClientResponse, gate: asyncio.Event
    ) -> web.StreamResponse:
        response = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.headers["Content-Type"]})

        async def stream() -> None:
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await gate.wait()
                await response.write(chunk)

        passing = asyncio.ensure_future(stream())
        if "watch" in request.query:
            self._watches.add(passing)
            passing.add_done_callback(self._watches.discard)
        with suppress(ConnectionError):
            try:
                await passing
            except asyncio.CancelledError:
                await response.write(json.dumps(_GONE).encode() + b"\n")
            await response.write_eof()
        return response

    def _caught(self, request: web.Request) -> tuple[Side, Callable[[], None]] | None:
        if request.method == "GET":
            return None
        self.writes.append(name_of(request.method, request.path, "dryRun" in request.query))
        if self._trap is None:
            return None
        trap, action = self._trap
        if self.writes[self._since :].count(trap.write) < trap.nth or self.writes[-1] != trap.write:
            return None
        self._trap = None
        return trap.side, action

    def _sprung(self, action: Callable[[], None]) -> web.Response:
        action()
        self.sprung.set()
        return web.Response(status=503)


def name_of(method: str, path: str, dry_run: bool) -> str:
    found = _PLURAL.fullmatch(path)
    assert found, path
    return f"{method} {found[1]}{found[2] or ''}{' dry' if dry_run else ''}"

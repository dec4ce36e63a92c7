"""/healthz, /readyz, /metrics and /look over HTTP, on a thread of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TEXT = "text/plain"
Address = tuple[str, int]
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(
        self,
        address: Address,
        health: Mapping[str, Callable[[], bool]],
        metrics: Callable[[], bytes],
        look: Callable[[], None],
    ) -> None:
        super().__init__(address, _Handler)
        self.health = health
        self.metrics = metrics
        self.look = look


class _Handler(BaseHTTPRequestHandler):
    timeout = 10
    server: _Server

    def do_GET(self) -> None:
        if (well := self.server.health.get(self.path)) is not None:
            status = HTTPStatus.OK if well() else HTTPStatus.SERVICE_UNAVAILABLE
            self._answer(status, TEXT, f"{status.phrase}\n".encode())
        elif self.path == "/metrics":
            self._answer(HTTPStatus.OK, METRICS_TYPE, self.server.metrics())
        else:
            self._answer(HTTPStatus.NOT_FOUND, TEXT, b"/healthz, /readyz or /metrics\n")

    def do_POST(self) -> None:
        if self.path == "/look":
            self.server.look()
            self._answer(HTTPStatus.ACCEPTED, TEXT, b"looking\n")
        else:
            self._answer(HTTPStatus.NOT_FOUND, TEXT, b"/look\n")

    def _answer(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Probes are no news."""


def serve(
    address: Address,
    alive: Callable[[], bool],
    ready: Callable[[], bool],
    metrics: Callable[[], bytes],
    look: Callable[[], None],
) -> ThreadingHTTPServer:
    """Serves until its shutdown(); raises OSError where the address cannot be had.

    `look` is called, on another thread, when somebody says by POST that there are keys.
    """
    server = _Server(address, {"/healthz": alive, "/readyz": lambda: alive() and ready()}, metrics, look)
    threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
    return server

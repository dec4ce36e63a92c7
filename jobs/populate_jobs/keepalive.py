"""Hearing soon that the other side of a connection is gone, where nobody says so: a lost node, a forgetful firewall."""

from __future__ import annotations

import contextlib
import os
import socket

IDLE_SECONDS, INTERVAL_SECONDS, TIMES = 30, 10, 3
UNANSWERED_SECONDS = 60
"""Of what was sent and not acknowledged. The kernel's own limits are a quarter of an hour, and two hours when idle."""

_OPTIONS = {
    "TCP_KEEPIDLE": IDLE_SECONDS,
    "TCP_KEEPINTVL": INTERVAL_SECONDS,
    "TCP_KEEPCNT": TIMES,
    "TCP_USER_TIMEOUT": UNANSWERED_SECONDS * 1000,
}


def keep_alive(descriptor: int) -> None:
    """Of a connected socket; without effect on one that is not TCP's, or where the system has no such option."""
    with socket.socket(fileno=os.dup(descriptor)) as copied, contextlib.suppress(OSError):
        copied.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _OPTIONS.items():
            if hasattr(socket, name):
                copied.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

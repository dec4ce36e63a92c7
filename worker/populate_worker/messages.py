"""What passes between a supervisor and one of its runners, one packet a message.

The socket is of the kind SOCK_SEQPACKET, or SOCK_DGRAM where there is no such: the kernel keeps packets whole and in
order, and gives each to exactly one reader. The supervisor keeps a descriptor of the runner's end and so can take back
what the runner has not read yet, however deep in a make the runner is. A packet that the runner has read is a key that
it starts.
"""

from __future__ import annotations

import contextlib
import errno
import pickle  # nosec B403
import socket
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

from populate_jobs import Failure

LOGIN_FOLDER = "POPULATE_DATABASE_FOLDER"
"""The variable that tells a runner where the Secret is mounted."""

LONGEST = 192 * 1024
"""Bytes in a packet; a Unix socket's default buffer holds one such."""

FULL_SECONDS = 0.01


class Begin(NamedTuple):
    """To the runner, once: what it makes."""

    table: str
    """Import path of the class."""
    uuid_attributes: tuple[str, ...]
    """Key attributes that a driver may give as 16 bytes and make expects as uuid.UUID."""
    make_kwargs: Mapping[str, Any]
    marker: bytes
    """Begins the lines in the runner's output that tell which key follows."""


class Make(NamedTuple):
    """To the runner: one key."""

    number: int
    key: Mapping[str, Any]


class Stop(NamedTuple):
    """To the runner: end when you come to this."""


class Ready(NamedTuple):
    """From the runner, once: the class is imported and connected."""

    version: str
    """The code's version, as DataJoint's configuration says to find it."""


class Broken(NamedTuple):
    """From the runner, in place of Ready."""

    failure: Failure


class Ended(NamedTuple):
    """make returned, or raised."""

    number: int
    seconds: float
    failure: Failure | None


class Report(NamedTuple):
    """From the runner, at a boundary between keys: what ended and what starts now."""

    ended: Ended | None
    started: int | None


Message: TypeAlias = Begin | Make | Stop | Ready | Broken | Report


class Channel:
    """One end of the socket."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._buffer = memoryview(bytearray(LONGEST))

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, message: Message) -> None:
        """Raises OSError where the other side is gone."""
        packet = pickle.dumps(message)
        while not self._sent(packet):
            time.sleep(FULL_SECONDS)

    def _sent(self, packet: bytes) -> bool:
        """On macOS a full socket is an error also for who would wait."""
        try:
            self._socket.send(packet)
        except OSError as error:
            if error.errno != errno.ENOBUFS or not self._socket.getblocking():
                raise
            return False
        return True

    def receive(self, *, wait: bool) -> Message | None:
        """The next message, or None where there is none yet; raises EOFError where the other side is gone."""
        try:
            size = self._socket.recv_into(self._buffer, 0, 0 if wait else socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        except ConnectionResetError:
            size = 0
        if not size:
            raise EOFError
        message: Message = pickle.loads(self._buffer[:size])  # noqa: S301 both ends are in one pod  # nosec B301
        return message

    def waiting(self) -> Iterator[Message]:
        """The messages that are there now."""
        with contextlib.suppress(EOFError):
            while (message := self.receive(wait=False)) is not None:
                yield message

    def close(self) -> None:
        self._socket.close()


def pair() -> tuple[socket.socket, socket.socket]:
    """The supervisor's end and the runner's."""
    try:
        return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    except OSError:  # macOS has none
        ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    for end in ends:
        for buffer in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            end.setsockopt(socket.SOL_SOCKET, buffer, 2 * LONGEST)
    return ends


def describe(key: Mapping[str, Any], longest: int = 200) -> str:
    """A key as a log line begins with it: `subject_id=3,session=2`."""
    text = ",".join(f"{name}={_shown(value)}" for name, value in key.items())
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _shown(value: Any) -> str:
    text = value.hex() if isinstance(value, bytes) else str(value)
    return text if text.isprintable() else repr(text)[1:-1]

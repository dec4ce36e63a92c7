"""FAKE database servers, as no real one does this: they let everybody in, and then do harm.

They speak as much of MySQL's and PostgreSQL's protocol as it takes to be believed.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import ClassVar

from populate_jobs import DatabaseSettings

Answer = Iterator[bytes]
MiB = 2**20


class Hostile:
    """Answers as many SELECTs as it should, `good`, and every later one with `harm`."""

    backend: ClassVar[str]

    def __init__(self, harm: Callable[[], Answer], good: int = 0) -> None:
        self._harm = harm
        self._good = good
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.received: list[bytes] = []
        """What clients said, but for their logins."""
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def settings(self) -> DatabaseSettings:
        port = self._listener.getsockname()[1]
        return DatabaseSettings("127.0.0.1", "lab", "word", self.backend, port, tls="disabled")

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            self._let_in(client)
            selects = 0
            while said := self._hear(client):
                self.received.append(said)
                selects += b"SELECT" in said
                harmful = b"SELECT" in said and selects > self._good
                for part in self._harm() if harmful else self._answer(said):
                    client.sendall(part)

    def _let_in(self, client: socket.socket) -> None:
        raise NotImplementedError

    def _hear(self, client: socket.socket) -> bytes:
        """What the client says next; nothing where it has gone."""
        raise NotImplementedError

    def _answer(self, said: bytes) -> Answer:
        raise NotImplementedError


class HostileMySQL(Hostile):
    backend = "mysql"

    def _let_in(self, client: socket.socket) -> None:
        client.sendall(packet(_greeting()))
        self._hear(client)
        client.sendall(packet(_OK, 2))

    def _hear(self, client: socket.socket) -> bytes:
        header = read(client, 4)
        return read(client, int.from_bytes(header[:3], "little")) if header else b""

    def _answer(self, said: bytes) -> Answer:
        if b"SELECT" not in said:
            yield packet(_OK, 1)
            return
        values = (b"8.4.0-hostile", b"7", b"lab@host")
        row = b"".join(bytes([len(value)]) + value for value in values)
        yield numbered(bytes([len(values)]), *[_COLUMN] * len(values), _EOF, row, _EOF)


class HostilePostgreSQL(Hostile):
    backend = "postgresql"

    def _let_in(self, client: socket.socket) -> None:
        read(client, struct.unpack("!I", read(client, 4))[0] - 4)
        settings = (b"client_encoding\0UTF8\0", b"server_version\x0015.0\0", b"standard_conforming_strings\0on\0")
        client.sendall(message(b"R", bytes(4)) + b"".join(message(b"S", setting) for setting in settings) + _READY)

    def _hear(self, client: socket.socket) -> bytes:
        header = read(client, 5)
        return read(client, struct.unpack("!I", header[1:])[0] - 4) if header else b""

    def _answer(self, said: bytes) -> Answer:
        values = (b"15.0", b"7", b"lab")
        row = struct.pack("!H", len(values)) + b"".join(struct.pack("!I", len(value)) + value for value in values)
        rows = b"" if b"jit" in said else message(b"D", row)
        yield columns(len(values)) + rows + message(b"C", b"SELECT 1\0") + _READY


def read(client: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (part := client.recv(size - len(data))):
        data += part
    return data if len(data) == size else b""


# MySQL's words

_CAPABILITIES = 0x00000001 | 0x00000200 | 0x00008000 | 0x00080000
"""Long password, protocol 4.1, secure connection, authentication plug-ins."""
_OK = b"\x00\x00\x00\x02\x00\x00\x00"
_EOF = b"\xfe\x00\x00\x02\x00"
_COLUMN = b"\x03def\0\0\0\x01c\0\x0c" + struct.pack("<HIBHBH", 45, 255, 253, 0, 0, 0)
_RESULT = (b"\x01", _COLUMN, _EOF)


def packet(payload: bytes, number: int = 0) -> bytes:
    return len(payload).to_bytes(3, "little") + bytes([number % 256]) + payload


def numbered(*payloads: bytes, first: int = 1) -> bytes:
    return b"".join(packet(payload, number) for number, payload in enumerate(payloads, first))


def _greeting() -> bytes:
    low, high = _CAPABILITIES & 0xFFFF, _CAPABILITIES >> 16
    return (
        b"\x0a8.4.0-hostile\0"
        + struct.pack("<I", 7)
        + b"12345678\0"
        + struct.pack("<HBHHB", low, 45, 2, high, 21)
        + b"\0" * 10
        + b"123456789012\0mysql_native_password\0"
    )


def _for_ever(payload: bytes, first: int) -> Answer:
    """The payload in packets, many at a time."""
    block = numbered(*[payload] * 256, first=first)
    while True:
        yield block


def mysql_endless_rows() -> Answer:
    yield numbered(*_RESULT)
    yield from _for_ever(b"\x01x", 4)


def mysql_endless_columns() -> Answer:
    yield packet(b"\xfe" + struct.pack("<Q", 2**60), 1)
    yield from _for_ever(_COLUMN, 2)


def mysql_endless_value() -> Answer:
    yield numbered(*_RESULT)
    number = 4
    while True:
        yield b"\xff\xff\xff" + bytes([number % 256]) + bytes(2**24 - 1)
        number += 1


def mysql_long_error() -> Answer:
    yield packet(b"\xff" + struct.pack("<H", 1105) + b"#HY000" + b"x" * (8 * MiB), 1)


def mysql_wants_file(path: str) -> Callable[[], Answer]:
    def harm() -> Answer:
        yield packet(b"\xfb" + path.encode(), 1)

    return harm


# PostgreSQL's words


def message(kind: bytes, payload: bytes) -> bytes:
    return kind + struct.pack("!I", len(payload) + 4) + payload


_READY = message(b"Z", b"I")


def columns(number: int) -> bytes:
    """Of text."""
    return message(b"T", struct.pack("!H", number) + (b"c\0" + struct.pack("!IHIhIH", 0, 0, 25, -1, 0, 0)) * number)


def postgresql_endless_rows() -> Answer:
    yield columns(1)
    block = message(b"D", struct.pack("!Hi", 1, -1)) * 4096
    while True:
        yield block


def postgresql_endless_value() -> Answer:
    yield columns(1) + b"D" + struct.pack("!IHI", 2**30 + 10, 1, 2**30)
    while True:
        yield bytes(MiB)


def postgresql_endless_notices() -> Answer:
    block = message(b"N", b"SNOTICE\0C00000\0Mhm\0\0") * 4096
    while True:
        yield block


def postgresql_long_error() -> Answer:
    yield message(b"E", b"SERROR\0CXX000\0M" + b"x" * (8 * MiB) + b"\0\0") + _READY


# Anybody's


def silence() -> Answer:
    yield b""


def trickle() -> Answer:
    """Never a whole word: of a packet of MySQL's, and of a message of PostgreSQL's, that are long."""
    yield b"T"
    while True:
        time.sleep(0.02)
        yield b"\x01"


HARM: dict[type[Hostile], list[Callable[[], Answer]]] = {
    HostileMySQL: [mysql_endless_rows, mysql_endless_columns, mysql_endless_value, mysql_long_error],
    HostilePostgreSQL: [
        postgresql_endless_rows, postgresql_endless_value, postgresql_endless_notices, postgresql_long_error,
    ],
}  # fmt: skip
"""What they can do to the memory of who asks."""

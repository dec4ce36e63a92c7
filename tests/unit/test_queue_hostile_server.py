"""A FAKE server, as no real one does this: it speaks enough of MySQL's protocol to ask its client for a local file."""

import itertools
import socket
import struct
import threading
from collections.abc import Iterator

import pytest
from populate_jobs import DatabaseSettings, connect
from populate_jobs.errors import PopulateError

_CAPABILITIES = 0x00000001 | 0x00000200 | 0x00008000 | 0x00080000
"""Long password, protocol 4.1, secure connection, authentication plug-ins."""
_OK = b"\x00\x00\x00\x02\x00\x00\x00"


class Hostile:
    """Lets everybody in, and answers their statements with the request for a local file."""

    def __init__(self, path: str) -> None:
        self._wanted = b"\xfb" + path.encode()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.received: list[bytes] = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._thread.join(timeout=20)
        self._listener.close()

    def _serve(self) -> None:
        client, _ = self._listener.accept()
        client.settimeout(20)
        with client, client.makefile("rb") as stream:
            self._send(client, 0, _greeting())
            # The login and `SET NAMES` go through; what the client sends when asked for a file is received too.
            for answer in itertools.chain((_OK, _OK), itertools.repeat(self._wanted)):
                header = stream.read(4)
                if not header:
                    return
                self.received.append(stream.read(int.from_bytes(header[:3], "little")))
                self._send(client, header[3] + 1, answer)

    @staticmethod
    def _send(client: socket.socket, number: int, payload: bytes) -> None:
        client.sendall(len(payload).to_bytes(3, "little") + bytes([number % 256]) + payload)


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


@pytest.fixture
def secret(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("home") / "secret"
    path.write_text("never-to-be-sent")
    return str(path)


@pytest.fixture
def hostile(secret: str) -> Iterator[Hostile]:
    server = Hostile(secret)
    yield server
    server.close()


def test_a_server_that_asks_for_a_local_file_gets_none_and_is_an_error_of_ours(hostile: Hostile) -> None:
    settings = DatabaseSettings("127.0.0.1", "lab", "word", port=hostile.port, tls="disabled")
    with pytest.raises(PopulateError):
        connect(settings, name="test")
    hostile.close()
    assert len(hostile.received) == 3
    assert b"never-to-be-sent" not in b"".join(hostile.received)

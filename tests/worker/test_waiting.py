"""Trying again for a database that will come back."""

from __future__ import annotations

import itertools

import pytest
from populate_worker import waiting


class Server:
    """Takes a connection at the try of this number, and is said to be reachable whenever `says` is True."""

    def __init__(self, takes: int, *says: bool) -> None:
        self.tries = 0
        self._takes = takes
        self._says = itertools.cycle(says)

    def connect(self) -> None:
        self.tries += 1
        if self.tries < self._takes:
            raise OSError("too many connections")

    def is_away(self, error: Exception) -> bool:
        return not next(self._says)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "FIRST_SECONDS", 0.0)


def test_what_fails_at_a_server_that_is_reachable_is_raised_soon() -> None:
    server = Server(100, True)
    with pytest.raises(OSError, match="too many connections"):
        waiting.until(server.connect, server.is_away)
    assert server.tries == waiting.TIMES


def test_a_server_that_has_a_connection_now_and_then_is_waited_for() -> None:
    server = Server(50, True, True, False)
    waiting.until(server.connect, server.is_away)
    assert server.tries == 50

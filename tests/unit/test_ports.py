"""Ports for servers and workers: nobody else listens at them, and nobody is given the same."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.servers import host
from tests.servers.host import free_port

OURS = range(14000, 14200)
"""Not among those that others are given meanwhile."""


@pytest.fixture(autouse=True)
def no_port_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POPULATE_CACHE", str(tmp_path))
    monkeypatch.setattr(host, "PORTS", OURS)


def test_who_ask_at_once_are_given_different_ports() -> None:
    with ThreadPoolExecutor(8) as threads:
        given = list(threads.map(lambda _: free_port(), range(100)))
    assert len(set(given)) == 100
    assert set(given) <= set(OURS)


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_where_somebody_listens_is_given_to_nobody(address: str) -> None:
    with socket.socket() as listener:
        listener.bind((address, OURS[1]))
        listener.listen()
        assert OURS[1] not in {free_port() for _ in range(50)}


def test_after_the_last_one_comes_the_first_again() -> None:
    for _ in range(2):
        assert {free_port() for _ in OURS} <= set(OURS)

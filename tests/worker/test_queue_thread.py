"""The thread with the queue, without a database: how it tries again."""

import select
import threading
from typing import Any

import pytest
from populate_jobs.errors import DatabaseUnreachable
from populate_worker.supervisor import queue_thread
from populate_worker.supervisor.queue_thread import QueueThread

DEADLINE = 60.0


class Server:
    """Stands in for connecting: refuses, and says that it was asked."""

    def __init__(self, message: str) -> None:
        self.message = message
        self.asked = threading.Semaphore(0)

    def connect(self) -> Any:
        self.asked.release()
        raise DatabaseUnreachable(self.message)


def test_who_asks_knows_whether_it_was_for_want_of_a_connection_that_nobody_answered() -> None:
    server = Server("Too many connections (1040)")
    queue = QueueThread(server.connect, document=None)  # type: ignore[arg-type]
    found = []
    for message in (server.message, "Connection refused (2003)"):
        server.message = message
        queue.submit(lambda jobs: None, lambda error: None, insist=False)
        assert select.select([queue], [], [], DEADLINE)[0]
        list(queue.answers())
        found.append(queue.starved)
    queue.close()
    assert found == [True, False]


def test_who_is_in_a_hurry_ends_a_pause_however_long_it_was_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """Told to stop, a worker has ten seconds to tell of its keys, and the database may be back."""
    monkeypatch.setattr(queue_thread, "FIRST_PAUSE_SECONDS", 3600.0)
    monkeypatch.setattr(queue_thread, "ASK_SECONDS", 0.1)
    server = Server("Connection refused (2003)")
    queue = QueueThread(server.connect, document=None)  # type: ignore[arg-type]
    queue.submit(lambda jobs: None, lambda error: None, insist=True)
    assert server.asked.acquire(timeout=DEADLINE)
    assert not server.asked.acquire(timeout=0.3)
    queue.hurry()
    for _ in range(3):
        assert server.asked.acquire(timeout=DEADLINE)
    queue.close()

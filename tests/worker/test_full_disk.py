"""The database server's disk is full: no make can insert anything, and no key is to blame."""

import re
from pathlib import Path

import pytest
from populate_jobs import RetryPolicy

from tests.servers import Server
from tests.servers.host import wait_until
from tests.worker.lab import Lab

SOON = RetryPolicy(limit=1, backoff_seconds=0.1, max_backoff_seconds=0.1)
KEYS = 40


@pytest.fixture
def small_lab(small_server: Server, tmp_path: Path) -> Lab:
    lab = Lab(small_server, "lab", tmp_path)
    lab.document()
    return lab


def test_keys_wait_while_the_disk_is_full_and_are_made_when_there_is_room(small_lab: Lab) -> None:
    small_lab.fill("wait", *["bulk"] * KEYS)
    with small_lab.worker(retry=SOON) as worker:
        small_lab.until_in_make(1)
        small_lab.server.disk.fill_disk()
        small_lab.let(1)
        wait_until(lambda: len(re.findall("extend file|is full", worker.log)) >= 3, "told of a full disk three times")
        assert "error" not in small_lab.statuses().values()
        small_lab.server.disk.free_disk()
        wait_until(lambda: not small_lab.statuses() or worker.process.poll() is not None, "every key to be done with")
        assert small_lab.made() == list(range(1, KEYS + 2))
        worker.stop()

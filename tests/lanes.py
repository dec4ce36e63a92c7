"""What the operator's loop does for its lanes, in tests that have none."""

import time
from concurrent.futures import Future
from typing import Any

from populate_operator.database.lane import Lane

from .servers.host import PATIENCE


def keep_time(lane: Lane, future: Future[Any]) -> None:
    """Until it has come back."""
    deadline = time.monotonic() + PATIENCE
    while not future.done():
        assert time.monotonic() < deadline
        lane.keep_time(time.monotonic())
        time.sleep(0.01)

"""One login on one server, with its two connections."""

from __future__ import annotations

from collections.abc import Callable

from populate_jobs import DatabaseSettings

from .lane import Lane
from .rounds import Rounds

LOOK_SECONDS = 30.0
"""Most time for a statement of the observing connection."""
REFRESH_SECONDS = 3600.0
LOOK_LOCK_SECONDS, REFRESH_LOCK_SECONDS = 1.0, 5.0
"""Most time to wait for a table that somebody alters: the others of the same statement wait with it."""


class Login:
    """A connection to observe with, and one to refresh with, however many PopulateJobs share them."""

    def __init__(self, settings: DatabaseSettings, ring: Callable[[], None]) -> None:
        """`ring` is called, in any thread, when its rounds have answers."""
        self.settings = settings
        self.observe = Lane(settings, "populate observe", LOOK_SECONDS, LOOK_LOCK_SECONDS)
        self.refresh = Lane(settings, "populate refresh", REFRESH_SECONDS, REFRESH_LOCK_SECONDS)
        self.rounds = Rounds(self.observe, self.refresh, ring)

    def close(self, seconds: float) -> None:
        for lane in (self.observe, self.refresh):
            lane.close(seconds)

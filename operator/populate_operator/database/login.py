"""One login on one server, with its connections."""

from __future__ import annotations

from collections.abc import Callable

from populate_jobs import DatabaseSettings

from .lane import Lane, Limits
from .rounds import Rounds

OBSERVING = Limits(task=30.0, crowded=30.0, lock=1.0)
REFRESHING = Limits(task=3600.0, crowded=5.0, lock=5.0)
SLOWLY = Limits(task=3600.0, crowded=3600.0, lock=5.0)
SLOW_WIDTH = 3


class Login:
    """A connection to observe with, and one to refresh with, however many PopulateJobs share them.

    What may take long has connections of its own, so that nobody waits for the key_source of somebody else.
    """

    def __init__(self, settings: DatabaseSettings, ring: Callable[[], None]) -> None:
        """`ring` is called, in any thread, when its rounds have answers."""
        self.settings = settings
        self.observe = Lane(settings, "populate observe", OBSERVING)
        self.refresh = Lane(settings, "populate refresh", REFRESHING)
        """For what is quick, as far as is known: what is not is ended when others wait."""
        self.slow = Lane(settings, "populate slow", SLOWLY, SLOW_WIDTH)
        self._lanes = (self.observe, self.refresh, self.slow)
        self.rounds = Rounds(self.observe, self.refresh, self.slow, ring)

    def go(self, clock: float) -> None:
        """What is to be done now and then, at this monotonic time."""
        self.rounds.go(clock)
        for lane in self._lanes:
            lane.keep_time(clock)

    def close(self, seconds: float) -> None:
        for lane in self._lanes:
            lane.close(seconds)

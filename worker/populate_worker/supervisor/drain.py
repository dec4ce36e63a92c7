"""What a worker that was told to stop does, and when it stops waiting. Pure: the clock is an argument."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

ENDING_SECONDS = 2.0
"""From SIGTERM to SIGKILL for a runner: time to close files, not to finish."""

SETTLE_SECONDS = 10.0
"""From the end of the last runner until keys that the database cannot be told of are left to recovery."""


class Stage(IntEnum):
    WORK = 0
    FINISH = 1
    """Reserve nothing, give back what has not begun, let running makes end."""
    TERMINATE = 2
    """End the runners; what they were making is given back."""
    KILL = 3
    """The same, without asking them."""


@dataclass(frozen=True)
class Stop:
    """Since when, in seconds of a monotonic clock, and how often the worker was told to stop."""

    since: float | None = None
    times: int = 0

    def told(self, now: float) -> Stop:
        return Stop(now if self.since is None else self.since, self.times + 1)

    def stage(self, now: float, drain_seconds: float) -> Stage:
        """Told once, makes have `drain_seconds` to end; told twice, none."""
        if self.since is None:
            return Stage.WORK
        if self.times > 1:
            return Stage.KILL
        return Stage.FINISH if now < self.since + drain_seconds else Stage.TERMINATE

    def gives_up(self, resting_for: float) -> bool:
        """Whether to leave, without runners for so long, keys that the database cannot be told of."""
        return self.since is not None and resting_for > (SETTLE_SECONDS if self.times == 1 else ENDING_SECONDS)

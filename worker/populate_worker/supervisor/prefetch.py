"""How many keys to hold beyond those being made. Pure: durations and counts in, counts out.

A key that is held and not made is withheld from other workers; a key that is not held costs a round trip. So short
keys are reserved ahead, about a second's worth, and long ones one at a time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

HORIZON_SECONDS = 1.0
MOST = 64
FED_SECONDS = 0.3
REST_SECONDS = 0.15
PATIENCE_SECONDS = 5.0
DRY_EVERY_SECONDS = 60.0
DRY_SECONDS = 5.0
DRY_MAKES = 10
"""Where makes are long, running dry leaves all runners but one without a key for as long as one takes: a tenth."""

_WEIGHT = 0.2


@dataclass(frozen=True)
class Pace:
    """How long a make takes: a moving average, in seconds; None before the first."""

    seconds: float | None = None

    def after(self, seconds: float) -> Pace:
        if self.seconds is None:
            return Pace(seconds)
        return Pace(self.seconds + _WEIGHT * (seconds - self.seconds))

    def runs_dry(self, since_alone: float, *, suspect_waits: bool) -> bool:
        """Whether to let what is held run out: a suspect is reserved by a worker that holds nothing, which one with
        short keys, or with several runners, would else never be. With short ones that is for a moment once a minute;
        with long ones only where a suspect is known to wait."""
        if self.seconds is None or since_alone <= DRY_EVERY_SECONDS:
            return False
        if self.seconds < HORIZON_SECONDS:
            return since_alone % DRY_EVERY_SECONDS < DRY_SECONDS
        return suspect_waits and since_alone > DRY_MAKES * self.seconds


def wanted(pace: Pace, running: Sequence[float | None], waiting: int, fed: int) -> int:
    """Keys to reserve now, where `waiting` are held for any runner and `fed` to some and not begun.

    `running` has an entry for every runner: for how many seconds it has been making its key, None where it has none.
    """
    free = sum(elapsed is None for elapsed in running)
    ahead = _ahead(pace, running)
    if waiting >= free and waiting + fed >= (ahead + 1) // 2:
        return 0
    return max(free - waiting, ahead - waiting - fed)


def feed(pace: Pace, runners: int) -> int:
    """Keys that a runner is given beyond the one it makes, so that it never waits for the next."""
    if pace.seconds is None or pace.seconds >= HORIZON_SECONDS:
        return 0
    share = max(1, MOST // runners)
    return min(share, math.ceil(FED_SECONDS / max(pace.seconds, FED_SECONDS / share)))


def rest(pace: Pace, fed: Sequence[int]) -> float:
    """Seconds for which runners that were fed so many keys need not be listened to: half of what they last."""
    return min(REST_SECONDS, (pace.seconds or 0.0) * min(fed, default=0) / 2)


def overdue(held_for: float) -> bool:
    """Whether a key that was to begin soon has waited so long that others should have it."""
    return held_for > PATIENCE_SECONDS


def stuck(elapsed: float | None) -> bool:
    """Whether a runner has been so long at its key that what it was fed belongs to the others."""
    return elapsed is not None and elapsed > HORIZON_SECONDS


def _ahead(pace: Pace, running: Sequence[float | None]) -> int:
    """What all runners get done within the horizon; a make that runs longer than makes used to counts as it is."""
    if pace.seconds is None:
        return 0
    shortest = HORIZON_SECONDS / MOST
    each = (HORIZON_SECONDS / max(pace.seconds, elapsed or 0.0, shortest) for elapsed in running)
    return min(MOST, int(sum(each)))

"""When a worker closes a connection of no use: the supervisor's without a runner's, an idle runner's without the
supervisor's. Pure but for chance: the clock is an argument.

A server may have too few connections: if every worker kept its one, none would ever have the two that it takes.
"""

from __future__ import annotations

import math
import random

LET_GO_SECONDS = (5.0, 20.0)
"""Between these is how long it is kept: each worker's time is its own."""

ASK_SECONDS = 2.0
"""A supervisor whose runner has a connection already asks so often for its own."""


def waits_in_vain(*, starved: bool, asks: bool, idle: int, making: bool) -> bool:
    """Whether idle runners keep connections while their supervisor asks for one and none is free."""
    return starved and asks and idle > 0 and not making


class LettingGo:
    def __init__(self) -> None:
        self.at: float | None = None
        """When to ask again; never in the past once it was."""

    def is_due(self, now: float, *, is_of_use: bool) -> bool:
        """Once for each time that it was of no use for so long."""
        if is_of_use:
            self.at = None
        elif self.at is None:
            self.at = now + random.uniform(*LET_GO_SECONDS)
        elif now >= self.at:
            self.at = math.inf
            return True
        return False

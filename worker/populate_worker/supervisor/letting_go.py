"""When a supervisor closes a connection that no runner can make use of. Pure but for chance: the clock is an argument.

A server may have too few connections: if every supervisor kept its own, no runner would ever get one.
"""

from __future__ import annotations

import math
import random

LET_GO_SECONDS = (5.0, 20.0)
"""Between these is how long it is kept: each worker's time is its own."""


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

"""When to look for keys again, when the last look found too few. Pure: time and chance are arguments."""

from __future__ import annotations

FIRST_MINUTE = 60.0
SHARE = 0.05
"""Of a database connection's time, that looking may take: a sparse restriction on a long queue is slow to ask about."""


def pause(idle_for: float, chance: float, cost: float = 0.0) -> float:
    """Seconds to the next look of a worker that has been without keys for `idle_for` seconds and whose last look took
    `cost` seconds; `chance` in [0, 1).

    At most one look a second, and one in five after a minute; spread out, so that workers do not all look at once.
    """
    shortest = 1.0 if idle_for < FIRST_MINUTE else 5.0
    return max(shortest, cost / SHARE) * (1 + chance / 4)

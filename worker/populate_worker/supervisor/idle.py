"""When to look for keys again, when the last look found too few. Pure: time and chance are arguments."""

from __future__ import annotations

FIRST_MINUTE = 60.0


def pause(idle_for: float, chance: float) -> float:
    """Seconds to the next look of a worker that has been without keys for `idle_for` seconds; `chance` in [0, 1).

    At most one look a second, and one in five after a minute; spread out, so that workers do not all look at once.
    """
    shortest = 1.0 if idle_for < FIRST_MINUTE else 5.0
    return shortest * (1 + chance / 4)

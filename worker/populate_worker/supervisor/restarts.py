"""When to start a runner again that did not come up. Pure."""

from __future__ import annotations

MOST_FAILED_STARTS = 5
LONGEST_SECONDS = 30.0


def pause(failed_starts: int) -> float:
    """Seconds to wait after so many failed starts in a row: none after none, then 1, 2, 4, ..."""
    return min(LONGEST_SECONDS, 2.0 ** (failed_starts - 1)) if failed_starts else 0.0


def hopeless(failed_starts: int) -> bool:
    return failed_starts >= MOST_FAILED_STARTS

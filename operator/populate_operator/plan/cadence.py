"""When to refresh and when to count: as often as costs a small, fixed share of one connection's time."""

from __future__ import annotations

from datetime import datetime, timedelta

from .observation import Problem, Refresh, Tally

BUDGET = 0.02
"""Share of one connection's time that refreshing, or counting, may take."""
TRIGGERED_BUDGET = 0.1
"""The same while keys are made upstream: somebody waits for what comes of them."""
REFRESH_EVERY = (5.0, 600.0)
"""Shortest and longest adaptive interval, in seconds."""
TRIGGERED_EVERY = (0.5, 600.0)
LOOK_EVERY = 1.0
"""Seconds between two cheap looks, where the rounds of the login do not take longer."""
READ_LOOK_EVERY = 0.5
"""The same for who works on keys that another PopulateJob reads."""
COUNT_EVERY = (0.5, 600.0)
RETRY_EVERY = (1.0, 300.0)
LOOK_BUDGET = 0.1
"""Share of one connection's time that the cheap looks may take."""


def affordable(seconds: float, bounds: tuple[float, float], budget: float = BUDGET) -> float:
    """Seconds to leave between two runs of something that takes `seconds`."""
    shortest, longest = bounds
    return min(longest, max(shortest, seconds / budget))


def next_refresh(last: Refresh | None, interval: float | None, trigger: datetime | None) -> datetime | None:
    """None is "now". `trigger` is when upstream last made rows: one refresh that began later sees all of them."""
    if last is None:
        return None
    regular = last.ended + timedelta(seconds=refresh_every(last, interval))
    sooner = triggered(last, trigger)
    return min(regular, sooner) if sooner else regular


def refresh_every(last: Refresh, interval: float | None) -> float:
    """Seconds from one regular refresh to the next."""
    return interval or affordable(last.seconds, REFRESH_EVERY)


def triggered(last: Refresh, trigger: datetime | None) -> datetime | None:
    """When to refresh for what upstream has made; None where the last refresh saw it."""
    if trigger is None or trigger < last.started:
        return None
    return last.ended + timedelta(seconds=affordable(last.seconds, TRIGGERED_EVERY, TRIGGERED_BUDGET))


def next_count(last: Tally | None) -> datetime | None:
    return None if last is None else last.at + timedelta(seconds=affordable(last.seconds, COUNT_EVERY))


def next_try(problem: Problem) -> datetime:
    """Doubles with every failure in a row."""
    shortest, longest = RETRY_EVERY
    return problem.at + timedelta(seconds=min(longest, shortest * 2.0 ** min(problem.times - 1, 16)))


def due(at: datetime | None, now: datetime) -> bool:
    return at is None or at <= now

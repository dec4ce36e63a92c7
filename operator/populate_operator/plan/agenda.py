"""What is due now, and when to look again."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import inf

from populate_operator.spec import Spec

from .cadence import REFRESH_EVERY, due, next_refresh, next_try, refresh_every, triggered
from .completion import Outcome, last_change, looked_since, wants_last_look
from .conditions import TABLE_MISSING
from .observation import Observation, Problem

LOOK_EVERY = 5.0
"""Seconds between two cheap looks while there are keys to make."""
IDLE_LOOK_EVERY = 30.0
ORPHANS_EVERY = 60.0


class Step(enum.Enum):
    RESOLVE = "resolve"
    REFRESH = "refresh"
    REPRIORITIZE = "reprioritize"
    RECOVER_ORPHANS = "recover orphans"


@dataclass(frozen=True)
class Due:
    """A step and when it is to be taken; None is "now"."""

    step: Step
    at: datetime | None = None


def agenda(spec: Spec, seen: Observation, outcome: Outcome | None, worked_at: datetime | None) -> tuple[Due, ...]:
    """`worked_at` is when a key was last seen waiting or worked on."""
    if not seen.has_answer:
        return (_resolve(seen),)
    if outcome is Outcome.COMPLETE:
        return ()
    return (*_resolve_again(spec, seen), *_fill(spec, seen, outcome, worked_at), *_tend(spec, seen))


def look_again_at(entries: tuple[Due, ...], working: bool, now: datetime) -> datetime:
    every = now + timedelta(seconds=LOOK_EVERY if working else IDLE_LOOK_EVERY)
    return min([every, *(entry.at for entry in entries if entry.at is not None and entry.at > now)])


def steps(entries: tuple[Due, ...], now: datetime) -> frozenset[Step]:
    return frozenset(entry.step for entry in entries if due(entry.at, now))


def _resolve(seen: Observation) -> Due:
    return Due(Step.RESOLVE, next_try(seen.refusal) if seen.refusal else None)


def _resolve_again(spec: Spec, seen: Observation) -> Iterator[Due]:
    assert seen.resolved is not None
    if seen.refusal is not None:
        yield _resolve(seen)
        return
    for problem in (seen.database, seen.refresh_problem):
        if problem is not None and problem.reason == TABLE_MISSING and problem.at > seen.resolved.at:
            yield Due(Step.RESOLVE, next_try(problem))
    if spec.refresh.resolve_interval_seconds:
        yield Due(Step.RESOLVE, seen.resolved.at + timedelta(seconds=spec.refresh.resolve_interval_seconds))


def _fill(spec: Spec, seen: Observation, outcome: Outcome | None, worked_at: datetime | None) -> Iterator[Due]:
    is_settled = outcome is not None and looked_since(seen, worked_at)
    if spec.suspend or is_settled or seen.curing:
        return
    trigger = last_change(seen, worked_at) if wants_last_look(spec.mode, seen) else seen.upstream.made_at
    if seen.refresh is not None and check_every(spec, seen, outcome) is not None:
        sooner = triggered(seen.refresh, trigger)
        yield from [Due(Step.REFRESH, sooner)] if sooner else []
        return
    at = next_refresh(seen.refresh, spec.refresh.interval_seconds, trigger)
    yield Due(Step.REFRESH, _not_before(at, seen.refresh_problem))


def check_every(spec: Spec, seen: Observation, outcome: Outcome | None) -> float | None:
    """Seconds between two checks whether there is anything to refresh, in place of refreshing: while no key waits.

    None where there are no checks: what has an end, is short of the rounds' own interval, or went wrong is refreshed.
    """
    ends = spec.mode == "Once" or spec.suspend or outcome is not None
    unknown = not seen.has_answer or seen.refresh is None or seen.refresh_problem is not None
    interval = spec.refresh.interval_seconds
    if ends or unknown or seen.refresh is None or seen.outstanding != 0 or (interval or inf) < REFRESH_EVERY[0]:
        return None
    return refresh_every(seen.refresh, interval)


def _tend(spec: Spec, seen: Observation) -> Iterator[Due]:
    if seen.refresh is not None and seen.applied_priority != spec.priority:
        yield Due(Step.REPRIORITIZE, _not_before(None, seen.refresh_problem))
    if spec.orphan_timeout_seconds:
        yield Due(Step.RECOVER_ORPHANS, seen.orphans_at and seen.orphans_at + timedelta(seconds=ORPHANS_EVERY))


def _not_before(at: datetime | None, problem: Problem | None) -> datetime | None:
    if problem is None:
        return at
    return max(at, next_try(problem)) if at else next_try(problem)

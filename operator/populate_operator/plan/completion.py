"""When a PopulateJob of mode Once is over. One of mode Continuous never is."""

from __future__ import annotations

import enum
from datetime import datetime

from .observation import Observation


class Outcome(enum.Enum):
    COMPLETE = "Complete"
    FAILED = "Failed"


def outcome(mode: str, seen: Observation, worked_at: datetime | None, before: Outcome | None) -> Outcome | None:
    """Judged by a refresh that began after the last key was worked on and found nothing more to do.

    Complete is final: later keys do not reopen it. Failed lasts while error rows are what is left, and nobody has asked
    for anything else.
    """
    if mode != "Once":
        return None
    if before is Outcome.COMPLETE:
        return before
    if seen.curing:
        return None
    if seen.refresh is None or seen.tally is None or seen.tally.at < seen.refresh.ended:
        return before
    if seen.upstream.busy or seen.outstanding:
        return None
    if not looked_since(seen, worked_at):
        return before
    return Outcome.FAILED if seen.tally.counts.error else Outcome.COMPLETE


def looked_since(seen: Observation, worked_at: datetime | None) -> bool:
    """Whether the last refresh began after our keys and those of upstream were made."""
    last = last_change(seen, worked_at)
    return seen.refresh is not None and (last is None or seen.refresh.started > last)


def last_change(seen: Observation, worked_at: datetime | None) -> datetime | None:
    """When our keys, or those of upstream, were last worked on."""
    return max((at for at in (worked_at, seen.upstream.made_at) if at is not None), default=None)


def wants_last_look(mode: str, seen: Observation) -> bool:
    """Once the queue has run dry: a refresh after the last change decides."""
    return mode == "Once" and seen.outstanding == 0 and not seen.upstream.busy

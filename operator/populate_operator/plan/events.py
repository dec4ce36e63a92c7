"""What is worth an event: a condition that turned, a change of size, rows given back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .observation import Recovery

GOOD_WHEN_TRUE = frozenset({"Ready", "Resolved", "DatabaseReachable", "Complete", "Suspended", "RollingOut"})
TOLD = GOOD_WHEN_TRUE - {"Ready"} | {"JobsFailing", "ForeignReservations", "Failed"}
"""Ready, Reconciling and Stalled only repeat the others."""


@dataclass(frozen=True)
class Event:
    type: str
    """`Normal` or `Warning`."""
    reason: str
    message: str


def events(
    before: Sequence[Mapping[str, Any]],
    after: Sequence[Mapping[str, Any]],
    size: tuple[int, int],
    recoveries: Sequence[Recovery],
) -> tuple[Event, ...]:
    """`before` and `after` are the written conditions, `size` the replicas there were and will be."""
    return (*_turned(before, after), *_resized(*size), *_recovered(recoveries))


def _turned(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> Iterator[Event]:
    known = {condition["type"]: (condition["status"], condition["reason"]) for condition in before}
    for condition in after:
        name, status, reason = condition["type"], condition["status"], condition["reason"]
        quiet = name not in known and status == "False" and name not in GOOD_WHEN_TRUE
        if name in TOLD and known.get(name) != (status, reason) and not quiet:
            good = (status == "True") == (name in GOOD_WHEN_TRUE)
            yield Event("Normal" if good else "Warning", reason, condition["message"])


def _resized(before: int, after: int) -> Iterator[Event]:
    if before != after:
        yield Event("Normal", "ScaledUp" if after > before else "ScaledDown", f"from {before} to {after} workers")


def _recovered(recoveries: Sequence[Recovery]) -> Iterator[Event]:
    for recovery in recoveries:
        hosts = ", ".join(recovery.hosts)
        if recovery.suspect:
            yield Event("Warning", "WorkerDied", f"{hosts}: {recovery.suspect}; its keys are tried alone next")
        else:
            yield Event("Normal", "RowsReleased", f"{hosts} is gone; its keys are pending again")

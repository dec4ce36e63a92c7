"""Rows whose worker is gone, and what the target says of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from .finish import end, release, shortened
from .reserve import SUSPECT
from .table import JobsTable
from .types import Outcome, Recovered, Reservation

_BATCH = 200


def recover(
    jobs: JobsTable, hosts: Sequence[str], *, suspect: str | None = None, but: Collection[Reservation] = ()
) -> Recovered:
    """Gives back what is reserved under exactly these hosts, except `but`; keys the target has are completed.

    With `suspect`, the reason its worker was killed for, each key runs alone the next time, so that the guilty one
    is told from those that were merely held with it: a key that was alone already ends as error with that reason.
    """
    if not hosts:
        return Recovered()
    places = ", ".join(["%s"] * len(hosts))
    rows = jobs.run("held_by", hosts, hosts=places).rows
    kept = {(jobs.values(held.key), held.reserved_time) for held in but}
    held = [held for held in _reservations(jobs, rows) if (jobs.values(held.key), held.reserved_time) not in kept]
    return _give_back(jobs, held, suspect)


def recover_orphans(jobs: JobsTable, older_than: float, *, but_hosts_ending: str) -> Recovered:
    """Gives back what foreign clients reserved more than `older_than` seconds ago."""
    rows = jobs.run("orphaned", [older_than, but_hosts_ending, but_hosts_ending]).rows
    return _give_back(jobs, _reservations(jobs, rows), None)


def _reservations(jobs: JobsTable, rows: Sequence[tuple[Any, ...]]) -> list[Reservation]:
    return [
        Reservation(
            jobs.key(row), host, pid, connection_id, reserved_time, bool(message), (message or "").startswith(SUSPECT)
        )
        for row in rows
        for host, pid, connection_id, reserved_time, message in [row[-5:]]
    ]


def _give_back(jobs: JobsTable, held: Sequence[Reservation], suspect: str | None) -> Recovered:
    outcomes: list[Outcome] = []
    for start in range(0, len(held), _BATCH):
        batch = held[start : start + _BATCH]
        if suspect is not None:
            guilty = [reservation for reservation in batch if reservation.suspect]
            outcomes += end(jobs, guilty, suspect)
            batch = [reservation for reservation in batch if not reservation.suspect]
            _mark_suspects(jobs, batch, suspect)
        outcomes += release(jobs, batch)
    released = outcomes.count(Outcome.RELEASED)
    suspects = released if suspect is not None else 0
    return Recovered(released, outcomes.count(Outcome.MADE), suspects, outcomes.count(Outcome.ERROR))


def _mark_suspects(jobs: JobsTable, batch: Sequence[Reservation], reason: str) -> None:
    if batch:
        condition, args = jobs.fenced(batch)
        jobs.run("mark_suspect", [shortened(SUSPECT + reason), *args], fenced=condition)

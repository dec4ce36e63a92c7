"""Rows whose worker is gone, and what the target says of them."""

from __future__ import annotations

import functools
from collections.abc import Collection, Sequence
from typing import Any

from .finish import SUSPECT, fail, release, shortened
from .retry import KILLED, RetryPolicy
from .table import JobsTable, places
from .types import WORKER_MARK, Failure, Outcome, Recovered, Reservation

_BATCH = 200


def recover(
    jobs: JobsTable,
    hosts: Sequence[str],
    *,
    suspect: str | None = None,
    policy: RetryPolicy | None = None,
    but: Collection[Reservation] = (),
    older_than: float | None = None,
) -> Recovered:
    """Gives back what is reserved under exactly these hosts, except `but`; keys the target has are completed.

    Where `older_than` is given, only what was reserved longer ago than so many seconds.

    With `suspect`, the reason its worker was killed for, each key runs alone the next time, so that the guilty one
    is told from those that were merely held with it: a key that was alone already has failed with that reason, and
    is tried again, alone, or ends as error, as `policy` says.
    """
    if not hosts:
        return Recovered()
    if older_than is None:
        rows = jobs.run("held_by", hosts, hosts=places(len(hosts))).rows
    else:
        rows = jobs.run("held_by_before", [*hosts, older_than], hosts=places(len(hosts))).rows
    kept = {(jobs.values(held.key), held.reserved_time) for held in but}
    held = [held for held in _reservations(jobs, rows) if (jobs.values(held.key), held.reserved_time) not in kept]
    return _give_back(jobs, held, suspect, policy or RetryPolicy())


def recover_unseen(jobs: JobsTable, hosts: Sequence[str]) -> Recovered:
    """Gives back what is reserved under these hosts, whose workers may live, where the server sees none of theirs."""
    if not hosts:
        return Recovered()
    rows = jobs.run("held_by_unseen", hosts, hosts=places(len(hosts)), gone=jobs.sql("gone")).rows
    return _give_back(jobs, _reservations(jobs, rows), None, RetryPolicy())


def recover_orphans(jobs: JobsTable, older_than: float, *, but_hosts_ending: str) -> Recovered:
    """Gives back what foreign clients reserved more than `older_than` seconds ago, unless their connection is seen.

    What workers of other operators hold is theirs to give back.
    """
    workers = f"%{WORKER_MARK}.%"
    args = [older_than, but_hosts_ending, but_hosts_ending, workers]
    rows = jobs.run("orphaned", args, gone=jobs.sql("gone")).rows
    return _give_back(jobs, _reservations(jobs, rows), None, RetryPolicy())


def _reservations(jobs: JobsTable, rows: Sequence[tuple[Any, ...]]) -> list[Reservation]:
    return [
        Reservation(
            jobs.key(row), host, pid, connection_id, reserved_time, bool(message), (message or "").startswith(SUSPECT)
        )
        for row in rows
        for host, pid, connection_id, reserved_time, message in [row[-5:]]
    ]


def _give_back(jobs: JobsTable, held: Sequence[Reservation], suspect: str | None, policy: RetryPolicy) -> Recovered:
    outcomes: list[Outcome] = []
    for start in range(0, len(held), _BATCH):
        batch = held[start : start + _BATCH]
        if suspect is not None:
            death = Failure(KILLED[-1], suspect)
            outcomes += [fail(jobs, reservation, death, policy) for reservation in batch if reservation.suspect]
            batch = [reservation for reservation in batch if not reservation.suspect]
        outcomes += jobs.connection.atomically(functools.partial(_released, jobs, batch, suspect))
    released = outcomes.count(Outcome.RELEASED)
    again = outcomes.count(Outcome.RETRY)
    suspects = released + again if suspect is not None else 0
    return Recovered(released + again, outcomes.count(Outcome.MADE), suspects, outcomes.count(Outcome.ERROR))


def _released(jobs: JobsTable, batch: Sequence[Reservation], suspect: str | None) -> list[Outcome]:
    """Marked and given back in one piece: a row that is marked and still reserved was alone with its worker."""
    if batch and suspect is not None:
        condition, args = jobs.fenced(batch)
        jobs.run("mark_suspect", [shortened(SUSPECT + suspect), *args], fenced=condition)
    return release(jobs, batch)

"""What becomes of a reserved key: complete, fail, release. Every write names the fence.

Before a failure or a release is recorded the target is asked: a key that is there is complete, whatever was reported.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from .blob import pack_text
from .errors import Contended, DatabaseError, DatabaseUnreachable, TableMissing, Unrepresentable
from .retry import KILLED, RetryPolicy, backoff, worth_retrying
from .table import JobsTable, places
from .types import Failure, Key, Outcome, Reservation
from .whole import whole

MESSAGE_LENGTH = 2047
TRUNCATED = "...truncated"
MADE_NOTHING = "make inserted nothing"
SUSPECT = "Suspect: "
"""Begins the message of a row that is to be made alone: its worker was killed while it held it."""
ANSWER_SECONDS = 3.0
"""Longest that key_source is asked whether it still has a key that failed: each of these is asked about by itself."""
EMPTY_SECONDS = 6.0
"""The same for a batch of keys that make did not insert: who sets one aside that has left key_source never sees it made
when it comes back. Of a worker that was told to stop, what is given back may wait for both answers: together they take
less time than it has for that."""
UNASKED_TIMES = 100.0
"""So many times as long it is not asked again after it took longer."""

T = TypeVar("T")
_Identity = tuple[Any, ...]


def complete(
    jobs: JobsTable,
    finished: Sequence[tuple[Reservation, float]],
    *,
    keep_completed: bool = False,
    on_empty: str = "Ignore",
) -> list[Outcome]:
    """Records a batch that `make` is done with; durations in seconds. Outcomes in the order given.

    MADE, EMPTY or ERROR (by `on_empty`) where make inserted nothing, VANISHED where its key has left key_source,
    LOST where the row was taken away.
    """
    return _counting(jobs, lambda: _complete(jobs, finished, keep_completed, on_empty))


def _complete(
    jobs: JobsTable, finished: Sequence[tuple[Reservation, float]], keep_completed: bool, on_empty: str
) -> list[Outcome]:
    reservations = [reservation for reservation, _ in finished]
    durations = {jobs.values(reservation.key): seconds for reservation, seconds in finished}
    owned = _owned(jobs, reservations)
    made = [held for held in reservations if owned.get(jobs.values(held.key))]
    empty = [held for held in reservations if owned.get(jobs.values(held.key)) is False]
    if empty:
        owned |= jobs.connection.atomically(lambda: _owned_where_it_is_written(jobs, empty))
        made = [held for held in reservations if owned.get(jobs.values(held.key))]
        empty = [held for held in empty if not owned[jobs.values(held.key)]]
    _record_made(jobs, made, durations if keep_completed else None)
    outcomes = _record_empty(jobs, empty, on_empty)
    outcomes |= dict.fromkeys((jobs.values(held.key) for held in made), Outcome.MADE)
    outcomes |= _what_became_of(jobs, [held for held in reservations if jobs.values(held.key) not in owned])
    return [outcomes[jobs.values(held.key)] for held in reservations]


def fail(jobs: JobsTable, reservation: Reservation, failure: Failure, policy: RetryPolicy) -> Outcome:
    """Records that `make` failed: RETRY with a back-off while attempts are left, else ERROR.

    What was killed is a suspect when it is tried again. MADE where the target has the key after all, VANISHED where its
    key has left key_source, LOST where the row was taken away.
    """
    return _counting(jobs, lambda: _fail(jobs, reservation, failure, policy))


def _fail(jobs: JobsTable, reservation: Reservation, failure: Failure, policy: RetryPolicy) -> Outcome:
    owned = _owned(jobs, [reservation])
    identity = jobs.values(reservation.key)
    if identity not in owned:
        return Outcome.LOST
    if owned[identity]:
        _record_made(jobs, [reservation], None)
        return Outcome.MADE
    if not _wanted(jobs, [reservation], ANSWER_SECONDS):
        _delete(jobs, [reservation])
        return Outcome.VANISHED
    try:
        return jobs.connection.atomically(lambda: _record_failure(jobs, reservation, failure, policy))
    except Unrepresentable:  # as where the schema was made with latin1
        escaped = replace(failure, message=failure.message.encode("ascii", "backslashreplace").decode())
        return jobs.connection.atomically(lambda: _record_failure(jobs, reservation, escaped, policy))


def release(jobs: JobsTable, reservations: Sequence[Reservation]) -> list[Outcome]:
    """Gives keys back, pending at once and with no attempt counted: RELEASED, MADE or LOST, in the order given."""
    owned = _owned(jobs, reservations)
    made = [held for held in reservations if owned.get(jobs.values(held.key))]
    unmade = [held for held in reservations if owned.get(jobs.values(held.key)) is False]
    _record_made(jobs, made, None)
    if unmade:
        condition, args = jobs.fenced(unmade)
        jobs.run("mark_released", args, fenced=condition)
    outcomes = {True: Outcome.MADE, False: Outcome.RELEASED, None: Outcome.LOST}
    return [outcomes[owned.get(jobs.values(held.key))] for held in reservations]


def _counting(jobs: JobsTable, record: Callable[[], T]) -> T:
    """Without the attempts, where somebody has dropped their table: what is written twice is written once."""
    try:
        return record()
    except TableMissing:
        if not jobs.lost_attempts():
            raise
        return record()


def _owned(jobs: JobsTable, reservations: Sequence[Reservation]) -> dict[_Identity, bool]:
    """Of the rows that are still ours: whether the target has them."""
    if not reservations:
        return {}
    condition, args = jobs.fenced(reservations)
    rows = jobs.run("owned", args, fenced=condition).rows
    found = {jobs.values(jobs.key(row)): bool(row[-1]) for row in rows}
    missing = [held for held in reservations if jobs.values(held.key) not in found]
    if missing and not jobs.connection.in_transaction:
        found |= jobs.connection.atomically(lambda: _owned_where_it_is_written(jobs, missing))
    return found


def _owned_where_it_is_written(jobs: JobsTable, reservations: Sequence[Reservation]) -> dict[_Identity, bool]:
    """A proxy may have asked a replica that is behind; a transaction that locks is the primary's."""
    condition, args = jobs.fenced(reservations)
    jobs.run("lock_owned", args, fenced=condition)
    return _owned(jobs, reservations)


def _record_made(jobs: JobsTable, made: Sequence[Reservation], durations: Mapping[_Identity, float] | None) -> None:
    if not made:
        return
    if durations is None:
        _delete(jobs, made)
        return
    condition, args = jobs.fenced(made)
    cases, case_args = _duration_cases(jobs, made, durations)
    jobs.run("mark_success", [*case_args, *args], fenced=condition, durations=cases)
    _forget_attempts(jobs, made)


def _duration_cases(
    jobs: JobsTable, made: Sequence[Reservation], durations: Mapping[_Identity, float]
) -> tuple[str, list[Any]]:
    cases, args = [], []
    for held in made:
        condition, key_args = jobs.matching([held.key])
        cases.append(f"WHEN {condition} THEN %s")
        args += [*key_args, durations[jobs.values(held.key)]]
    return " ".join(cases), args


def _record_empty(jobs: JobsTable, empty: Sequence[Reservation], on_empty: str) -> dict[_Identity, Outcome]:
    """Keys that make was given and did not insert; without a verdict every refresh would queue them again."""
    if not empty:
        return {}
    wanted = _wanted(jobs, empty, EMPTY_SECONDS)
    _delete(jobs, [held for held in empty if jobs.values(held.key) not in wanted])
    kept = [held for held in empty if jobs.values(held.key) in wanted]
    outcome = Outcome.ERROR if on_empty == "Error" else Outcome.EMPTY
    if kept:
        _mark_ended(jobs, kept, outcome, MADE_NOTHING)
    verdicts = {True: outcome, False: Outcome.VANISHED}
    return {jobs.values(held.key): verdicts[jobs.values(held.key) in wanted] for held in empty}


def _record_failure(jobs: JobsTable, held: Reservation, failure: Failure, policy: RetryPolicy) -> Outcome:
    message = shortened(failure.message)
    stack = pack_text(failure.stack) if failure.stack else None
    delay = None
    if jobs.has_attempts and worth_retrying(policy, failure):
        delay = backoff(policy, _attempts(jobs, held.key) + 1, random.random())
    if delay is None:
        return Outcome.ERROR if _mark_ended(jobs, [held], Outcome.ERROR, message, stack) else Outcome.LOST
    if failure.exception in KILLED:
        message = shortened(SUSPECT + failure.message)
    condition, args = jobs.fenced([held])
    if not jobs.run("mark_retry", [delay, message, stack, *args], fenced=condition).rowcount:
        return Outcome.LOST
    jobs.run("count_attempt", [jobs.name, jobs.hash(held.key)])
    return Outcome.RETRY


def _attempts(jobs: JobsTable, key: Key) -> int:
    """How often the key has failed so far."""
    rows = jobs.run("attempts", [jobs.name, jobs.hash(key)]).rows
    return whole(rows[0][0]) if rows else 0


def _mark_ended(
    jobs: JobsTable, reservations: Sequence[Reservation], outcome: Outcome, message: str, stack: bytes | None = None
) -> int:
    """To error or ignore: how many rows. Whoever makes them pending again gives them all attempts anew."""
    condition, args = jobs.fenced(reservations)
    changed = jobs.run("mark_ended", [outcome.value, message, stack, *args], fenced=condition).rowcount
    if changed:
        _forget_attempts(jobs, reservations)
    return changed


def _forget_attempts(jobs: JobsTable, ended: Sequence[Reservation]) -> None:
    keys = [held.key for held in ended if held.failed_before]
    if keys and jobs.has_attempts:
        hashes = places(len(keys))
        jobs.run("forget_attempts", [jobs.name, *(jobs.hash(key) for key in keys)], hashes=hashes)


def _delete(jobs: JobsTable, reservations: Sequence[Reservation]) -> None:
    if reservations:
        condition, args = jobs.fenced(reservations)
        jobs.run("delete_owned", args, fenced=condition)
        _forget_attempts(jobs, reservations)


def _what_became_of(jobs: JobsTable, missing: Sequence[Reservation]) -> dict[_Identity, Outcome]:
    """Rows that are no longer ours: made, where the row is gone or says success and the target has the key; else lost.

    The first is what a batch looks like that was recorded just before the connection broke.
    """
    if not missing:
        return {}
    keys = [held.key for held in missing]
    made = _found(jobs, "in_target", keys) - _found(jobs, "unmade", keys)
    identities = [jobs.values(key) for key in keys]
    return {identity: Outcome.MADE if identity in made else Outcome.LOST for identity in identities}


def _wanted(jobs: JobsTable, reservations: Sequence[Reservation], seconds: float) -> set[_Identity]:
    """Those whose keys key_source still has; all, where it cannot be asked, or does not answer in `seconds`.

    What ends as error and has left it all the same is removed by the next refresh, which has more time.
    """
    keys = [held.key for held in reservations]
    everything = {jobs.values(key) for key in keys}
    began = time.monotonic()
    if began < jobs.unasked_until.get(seconds, 0.0):
        return everything
    try:
        answer = jobs.connection.atomically(lambda: _in_key_source(jobs, keys, seconds))
    except (DatabaseUnreachable, Contended):
        raise
    except DatabaseError:
        answer = everything
    if time.monotonic() - began < seconds:
        return answer
    # On MySQL what was ended early may look like an answer (seen). And the worker's other keys wait for each of them.
    jobs.unasked_until[seconds] = time.monotonic() + UNASKED_TIMES * seconds
    return everything


def _in_key_source(jobs: JobsTable, keys: Sequence[Key], seconds: float) -> set[_Identity]:
    limit = {"seconds": f"{seconds:g}", "milliseconds": f"{seconds * 1000:.0f}"}
    jobs.run_if_any("limit_statements", **limit)
    return _found(jobs, "in_key_source", keys, **limit)


def _found(jobs: JobsTable, statement: str, keys: Sequence[Key], **parts: str) -> set[_Identity]:
    condition, args = jobs.matching(keys)
    return {jobs.values(jobs.key(row)) for row in jobs.run(statement, args, keys=condition, **parts).rows}


def shortened(message: str) -> str:
    """At most as long as error_message is, cut as DataJoint cuts it."""
    message = message.replace("\0", "\\0")
    if len(message) <= MESSAGE_LENGTH:
        return message
    return message[: MESSAGE_LENGTH - len(TRUNCATED)] + TRUNCATED

"""What the conditions say: Ready always, Reconciling and Stalled only while True, then those of the domain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from populate_jobs.types import WORKER_MARK

from populate_operator.spec import Spec

from .completion import Outcome
from .observation import Observation, Problem, Rollout
from .recovery import foreign

TABLE_MISSING = "TableMissing"
"""The reason that asks for another resolve: the pipeline changed under the document."""
SERVER_CHANGED = "ServerChanged"
"""The refusal that says of running workers that their login leads them elsewhere."""
HOSTS_NAMED = 3


@dataclass(frozen=True)
class Condition:
    type: str
    status: bool
    reason: str
    message: str


def conditions(spec: Spec, seen: Observation, outcome: Outcome | None) -> tuple[Condition, ...]:
    ready = _ready(spec, seen, outcome)
    found = [ready, _resolved(seen), _database(seen), _failing(seen), _foreign(spec, seen)]
    if not ready.status:
        found.append(
            Condition("Stalled" if _stalled(seen, outcome) else "Reconciling", True, ready.reason, ready.message)
        )
    if spec.suspend:
        found.append(Condition("Suspended", True, "Suspended", "no worker runs while spec.suspend is true"))
    if seen.rollout is not None:
        found.append(Condition("RollingOut", True, "RollingOut", _rolling(seen.rollout)))
    if outcome is not None:
        found.append(Condition(outcome.value, True, *_finished(seen, outcome)))
    return tuple(condition for condition in found if condition is not None)


def obstacle(seen: Observation) -> Problem | None:
    """The first thing that keeps keys from being made, in the order in which they must be mended."""
    return next(_obstacles(seen), None)


def _obstacles(seen: Observation) -> Iterator[Problem]:
    for problem in (seen.refusal, seen.database, seen.worker_problem, seen.refresh_problem):
        if problem is not None:
            yield problem


def _ready(spec: Spec, seen: Observation, outcome: Outcome | None) -> Condition:
    problem = obstacle(seen)
    if outcome is not None:
        return Condition("Ready", outcome is Outcome.COMPLETE, *_finished(seen, outcome))
    if problem is not None:
        return Condition("Ready", False, problem.reason, problem.message)
    if not seen.is_answered:
        return Condition("Ready", False, "Resolving", "the worker image is asked what the spec means")
    if spec.suspend:
        # Of mode Once, Ready is what others wait for: that its keys are made.
        return Condition("Ready", spec.mode != "Once", "Suspended", "suspended: no worker runs")
    return _working(spec, seen)


def _working(spec: Spec, seen: Observation) -> Condition:
    left = seen.outstanding
    if left is None or seen.refresh is None:
        return Condition("Ready", False, "Refreshing", "the queue is filled for the first time")
    if spec.mode == "Once" and not left and seen.upstream.busy:
        waits = "no key to make now; a PopulateJob that makes what key_source reads is not done"
        return Condition("Ready", False, "WaitingForUpstream", waits)
    if spec.mode == "Once" and not left and seen.curing:
        return Condition("Ready", False, "Populating", "keys with errors are seen to, as was asked for")
    if spec.mode == "Once":
        return Condition("Ready", False, "Populating", f"{some(left, 'key')} to make")
    if left:
        return Condition("Ready", True, "Populating", f"{some(left, 'key')} to make")
    return Condition("Ready", True, "UpToDate", "every key of key_source was tried")


def _finished(seen: Observation, outcome: Outcome) -> tuple[str, str]:
    if outcome is Outcome.COMPLETE:
        return "Complete", "every key of key_source was made"
    errors = seen.tally.counts.error if seen.tally else 0
    return "KeysFailed", f"all that is left: {some(errors, 'key')} with errors; retry to go on"


def _stalled(seen: Observation, outcome: Outcome | None) -> bool:
    problem = obstacle(seen)
    return outcome is Outcome.FAILED or (problem is not None and problem.lasting)


def _resolved(seen: Observation) -> Condition | None:
    problem = seen.refusal or next((p for p in _obstacles(seen) if p.reason == TABLE_MISSING), None)
    if problem is not None:
        return Condition("Resolved", False, problem.reason, problem.message)
    if seen.resolved is None:
        return None
    document = seen.resolved.document
    return Condition(
        "Resolved", True, "Resolved", "; ".join((f"{document.table} is {document.target}", *document.warnings))
    )


def _database(seen: Observation) -> Condition | None:
    if seen.database is not None and seen.database.reason != TABLE_MISSING:
        return Condition("DatabaseReachable", False, seen.database.reason, seen.database.message)
    if seen.queue is None:
        return None
    return Condition("DatabaseReachable", True, "Reachable", "the queue can be read")


def _failing(seen: Observation) -> Condition | None:
    if seen.tally is None:
        return None
    failed = seen.tally.counts.error
    if not failed:
        return Condition("JobsFailing", False, "NoErrors", "no key failed")
    most = max(seen.tally.errors, key=lambda group: group.count, default=None)
    often = f"; most often ({most.count}): {most.message}" if most else ""
    return Condition("JobsFailing", True, "KeysFailed", f"{some(failed, 'key')} failed{often}")


def _foreign(spec: Spec, seen: Observation) -> Condition | None:
    """What nobody of ours may give back, or not before its time."""
    if seen.queue is None:
        return None
    held = foreign(seen)
    if not held:
        return Condition("ForeignReservations", False, "NoneHeld", "no other client holds rows")
    hosts = sorted(held)
    named = ", ".join(hosts[:HOSTS_NAMED]) + (", ..." if len(hosts) > HOSTS_NAMED else "")
    message = f"{some(sum(held.values()), 'key')} reserved by {named}; {_until_when(spec, seen, hosts)}"
    return Condition("ForeignReservations", True, "HeldElsewhere", message)


def _until_when(spec: Spec, seen: Observation, hosts: Sequence[str]) -> str:
    workers = [host for host in hosts if WORKER_MARK in host]
    if len(workers) == len(hosts):
        return "left to the operator or the `populate run` whose workers they are"
    but = ", but for the workers of other operators" if workers else ""
    return f"{_clients_until_when(spec, seen)}{but}"


def _clients_until_when(spec: Spec, seen: Observation) -> str:
    if spec.orphan_timeout_seconds is None:
        return "left alone, unless spec.orphanTimeoutSeconds says how long"
    after = f"given back {spec.orphan_timeout_seconds:g} s after they were reserved"
    if seen.resolved is not None and seen.resolved.document.server.shows_connections:
        return f"{after}, if their connection is gone"
    return f"{after}; the database user has no right (PROCESS) to see whether their connection is gone"


def _rolling(rollout: Rollout) -> str:
    by = f"{some(rollout.older + rollout.leaving, 'worker')} of an earlier image or template"
    message = f"{by}, of which {rollout.leaving} end when their keys do" if rollout.leaving else by
    problem = rollout.hindrance
    return f"{message}; not all come up: {problem.reason}: {problem.message}" if problem else message


def some(count: int, noun: str) -> str:
    """`1 key`, `2 keys`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"

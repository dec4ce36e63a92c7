"""From what is asked for and what is seen to what to do next. Pure: no I/O and no clock of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from populate_operator.spec import Spec

from .agenda import Step, agenda, check_every, look_again_at, steps
from .cadence import LOOK_EVERY, READ_LOOK_EVERY
from .completion import Outcome, outcome
from .conditions import SERVER_CHANGED, TABLE_MISSING, conditions, obstacle
from .events import Event, events
from .metav1 import written
from .observation import Observation, Queue, Recovery
from .pace import Pace, follow
from .recovery import own, recoveries, staying
from .scaling import Load, Lull, Scale, scale, to_rouse
from .status import status


@dataclass(frozen=True)
class Memory:
    """What one plan hands to the next. Losing it costs a little time, never a key."""

    lull: Lull | None = None
    pace: Pace = field(default_factory=Pace)
    worked_at: datetime | None = None
    """When a key was last seen waiting or worked on."""


@dataclass(frozen=True)
class Previous:
    status: Mapping[str, Any] = field(default_factory=dict)
    memory: Memory = Memory()

    @property
    def conditions(self) -> list[Mapping[str, Any]]:
        return list(self.status.get("conditions", ()))

    @property
    def outcome(self) -> Outcome | None:
        true = {condition["type"] for condition in self.conditions if condition["status"] == "True"}
        return next((outcome for outcome in Outcome if outcome.value in true), None)


@dataclass(frozen=True)
class Plan:
    replicas: int
    busy: frozenset[str]
    """Hosts that hold keys and were not told to end: not the ones to stop first."""
    status: Mapping[str, Any]
    events: tuple[Event, ...]
    recoveries: tuple[Recovery, ...]
    rouse: tuple[str, ...]
    """Hosts of idle workers that ought to look for keys now."""
    steps: frozenset[Step]
    look_again_at: datetime
    at_rest: bool
    """Nothing is going on, and nothing is wrong: what may come is found without planning again and again."""
    look_every: float
    """Seconds between two cheap looks."""
    check_every: float | None
    """Seconds between two checks whether there is anything to refresh; None for no checks."""
    paused: bool
    """Workers finish what they are at, and begin no other key."""
    rolls: bool
    """Pods may be as the spec says now: not before its question is answered, and not where that was refused."""
    outcome: Outcome | None
    memory: Memory


def plan(spec: Spec, seen: Observation, previous: Previous, now: datetime) -> Plan:
    busy = own(seen)
    pace = follow(previous.memory.pace, seen, len(busy), now, spec.worker.concurrency)
    working = bool(seen.outstanding or busy)
    worked_at = now if working else previous.memory.worked_at
    over = outcome(spec.mode, seen, worked_at, previous.outcome)
    size = _size(spec, seen, over, pace, previous.memory.lull, now)
    found = written(conditions(spec, seen, over), previous.conditions, seen.generation, now)
    entries = agenda(spec, seen, over, worked_at)
    return Plan(
        replicas=size.replicas,
        busy=frozenset(staying(seen)),
        status=status(previous.status, seen, found, size.replicas, pace, now),
        events=events(previous.conditions, found, (seen.replicas, size.replicas), seen.given_back),
        recoveries=recoveries(seen),
        rouse=to_rouse(seen.workers, busy, seen.queue.ready if seen.queue and not seen.is_overruled else 0),
        steps=steps(entries, now),
        look_again_at=look_again_at(entries, working, now),
        at_rest=_is_at_rest(spec, seen, over, working) and size == Scale(seen.replicas),
        look_every=READ_LOOK_EVERY if seen.is_read and working else LOOK_EVERY,
        check_every=check_every(spec, seen, over),
        paused=seen.is_overruled,
        rolls=seen.has_answer,
        outcome=over,
        memory=Memory(size.lull, pace, worked_at),
    )


def _size(spec: Spec, seen: Observation, over: Outcome | None, pace: Pace, lull: Lull | None, now: datetime) -> Scale:
    if spec.suspend or over is not None or _is_lost(seen):
        return Scale(0)
    if seen.resolved is None or seen.queue is None or seen.database is not None:
        kept = min(seen.replicas, spec.scaling.max_workers)
        return Scale(kept)
    load = _load(seen, seen.queue)
    if seen.is_overruled:
        return Scale(min(load.busy, seen.replicas, spec.scaling.max_workers))
    size = scale(spec.scaling, load, pace.worker_rate, seen.replicas, lull, now)
    # Whatever keeps resolve from answering may be mended by room, and would meet a new worker too.
    return replace(size, replicas=min(size.replicas, seen.replicas)) if seen.is_refused else size


def _load(seen: Observation, queue: Queue) -> Load:
    busy = staying(seen)
    held = [queue.held.get(host, 0) for host in busy]
    return Load(queue.ready + sum(held), len(busy), held.count(0))


def _is_at_rest(spec: Spec, seen: Observation, over: Outcome | None, working: bool) -> bool:
    """Keys that wait are no work where nobody is to make them."""
    stopped = spec.suspend or over is not None or not spec.scaling.max_workers
    return obstacle(seen) is None and not seen.curing and (not working or (stopped and not seen.workers))


def _is_lost(seen: Observation) -> bool:
    """Whether what is to be made is not where it was: a worker could do nothing.

    Most refusals say nothing of that: the spec was edited, or is asked about again, and workers run by the last answer,
    also where it is here no more.
    """
    elsewhere = seen.is_refused and seen.refusal is not None and seen.refusal.reason in (SERVER_CHANGED, TABLE_MISSING)
    table_missing = seen.database is not None and seen.database.reason == TABLE_MISSING
    return elsewhere or table_missing

"""Shorthands for the plan's tests: a clock that stands still, and observations by what matters in them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

from populate_jobs import Attribute, Counts, Progress, ResolveDocument, ServerIdentity
from populate_operator.plan import Observation, Plan, Previous, Problem, Queue, Refresh, Resolved, Tally, plan
from populate_operator.plan import Worker as LiveWorker
from populate_operator.spec import Spec, Worker

NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
OURS = ".lab.1a2b"
SPEC = Spec(table="cardio.HeartRate", worker=Worker(image="cardio"))
ONCE = replace(SPEC, mode="Once")
DOCUMENT = ResolveDocument(
    protocol=1,
    table="cardio.HeartRate",
    backend="postgresql",
    schema="cardio",
    target='"cardio"."__heart_rate"',
    jobs='"cardio"."~~heart_rate"',
    primary_key=(Attribute("recording", "int32"),),
    key_source='SELECT recording FROM "cardio"."recording"',
    restricted_key_source='SELECT recording FROM "cardio"."recording"',
    restriction="",
    upstream=('"cardio"."recording"',),
    server=ServerIdentity("18.0", "one", "UTC"),
    versions={},
)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def before(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def a_refresh(ago: float = 1.0, took: float = 0.01, total: int = 0, done: int = 0, **counts: int) -> Refresh:
    return Refresh(before(ago + took), before(ago), 0, Progress(total, done), Counts(**counts), took)


def a_tally(ago: float = 0.0, **counts: int) -> Tally:
    return Tally(Counts(**counts), before(ago))


def a_problem(reason: str, ago: float = 0.0, times: int = 1, lasting: bool = False) -> Problem:
    return Problem(reason, f"{reason} it is", before(ago), times, lasting)


def host(name: str) -> str:
    return name + OURS


def seen(**fields: Any) -> Observation:
    """A PopulateJob that is resolved, refreshed and counted, with an empty queue and no worker."""
    usual: dict[str, Any] = {
        "ours": OURS,
        "resolved": Resolved(DOCUMENT, 1, before(100)),
        "queue": Queue(0),
        "tally": a_tally(),
        "refresh": a_refresh(),
        "applied_priority": SPEC.priority,
    }
    return Observation(**{**usual, **fields})


def workers(*names: str) -> tuple[LiveWorker, ...]:
    return tuple(LiveWorker(host(name)) for name in names)


def plan_of(spec: Spec, observation: Observation, previous: Previous | None = None, now: datetime = NOW) -> Plan:
    return plan(spec, observation, previous or Previous(), now)


def next_of(made: Plan) -> Previous:
    return Previous(made.status, made.memory)

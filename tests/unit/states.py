"""PopulateJobs with the statuses that the plan gives them: each state by name, and all that can be combined."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from populate_jobs import ErrorGroup
from populate_operator.plan import Previous, Problem, Queue, Upstream
from populate_operator.plan.completion import Outcome
from populate_operator.spec import Spec

from tests.unit.planning import NOW, ONCE, SPEC, a_problem, a_refresh, a_tally, host, plan_of, seen, workers

UNSEEN = {"observedGeneration": -1}
"""The definition's default: what the API server shows of a status that nobody has written."""
SUSPENDED, ONCE_SUSPENDED = replace(SPEC, suspend=True), replace(ONCE, suspend=True)
_UNRESOLVED: dict[str, Any] = {"resolved": None, "queue": None, "tally": None, "refresh": None}
_FAILED = (ErrorGroup("…", 2, "ValueError: too few beats", {"recording": 7}),)
_BUSY: dict[str, Any] = {
    "refresh": a_refresh(total=120, done=30, pending=90),
    "tally": a_tally(pending=75, reserved=4),
    "queue": Queue(75, {host("a"): 4}),
    "workers": workers("a", "b"),
    "replicas": 2,
}
_DONE: dict[str, Any] = {"refresh": a_refresh(total=120, done=120)}
_ERRORS: dict[str, Any] = {
    "refresh": a_refresh(total=120, done=118, error=2),
    "tally": replace(a_tally(error=2), errors=_FAILED),
}


def _wrong(reason: str, message: str, lasting: bool = False) -> Problem:
    return Problem(reason, message, NOW, lasting=lasting)


@dataclass(frozen=True)
class State:
    spec: Spec = SPEC
    seen: Mapping[str, Any] = field(default_factory=dict)
    """Of the observation, what differs from `planning.seen`."""
    before: Outcome | None = None

    def status(self) -> dict[str, Any]:
        over = [{"type": self.before.value, "status": "True", "reason": "Over"}] if self.before else []
        times = {"lastTransitionTime": "2026-03-01T11:00:00Z"}
        previous = Previous({"conditions": [{**condition, **times} for condition in over]})
        return {**plan_of(self.spec, seen(**self.seen), previous).status}


STATES = {
    "resolving": State(seen=_UNRESOLVED),
    "refreshing": State(seen={"tally": None, "refresh": None}),
    "populating": State(seen=_BUSY),
    "populating-with-errors": State(seen={**_BUSY, "tally": replace(a_tally(pending=7, error=2), errors=_FAILED)}),
    "up-to-date": State(seen=_DONE),
    "suspended": State(SUSPENDED, _BUSY),
    "once-populating": State(ONCE, _BUSY),
    "once-waiting-for-upstream": State(ONCE, {"upstream": Upstream(busy=True)}),
    "once-suspended": State(ONCE_SUSPENDED, _BUSY),
    "once-complete": State(ONCE, _DONE),
    "once-failed": State(ONCE, _ERRORS),
    "once-retrying": State(ONCE, {**_ERRORS, "curing": True}, before=Outcome.FAILED),
    "table-not-found": State(seen={**_UNRESOLVED, "refusal": _wrong("TableNotFound", "cardio has no HeartRat", True)}),
    "image-pull-failed": State(seen={**_BUSY, "worker_problem": _wrong("ImagePullFailed", "ErrImagePull: 404", True)}),
    "unschedulable": State(seen={**_BUSY, "worker_problem": _wrong("Unschedulable", "no node has enough memory")}),
    "database-unreachable": State(
        seen={**_BUSY, "queue": None, "database": _wrong("DatabaseUnreachable", "db.example refuses connections")}
    ),
    "login-refused": State(
        seen={"queue": None, "database": _wrong("LoginRefused", "db.example refuses the user lab", True)}
    ),
    "table-missing": State(seen={"database": _wrong("TableMissing", "there is no table ~~heart_rate")}),
    "refresh-failing": State(seen={"refresh_problem": _wrong("StatementFailed", "division by zero")}),
}


def populate_job(state: State, generation: int | None = None) -> dict[str, Any]:
    """As the API server has it; `generation` where the spec was edited after the status was written."""
    about = state.seen.get("generation", 1)
    return {**manifest(state.spec, generation or about), "status": state.status()}


def manifest(spec: Spec, generation: int = 1) -> dict[str, Any]:
    return {
        "apiVersion": "datajoint.io/v1alpha1",
        "kind": "PopulateJob",
        "metadata": {"name": "heart-rate", "namespace": "lab", "generation": generation},
        "spec": {
            "table": spec.table,
            "mode": spec.mode,
            "suspend": spec.suspend,
            "worker": {"image": "registry.example/cardio:1.4"},
        },
    }


def every_state() -> Iterator[State]:
    """What can be seen and asked for, each with each: those that cannot happen too."""
    problems: tuple[Problem | None, ...] = (None, a_problem("Passing"), a_problem("Lasting", lasting=True))
    choices: dict[str, tuple[Any, ...]] = {
        "refusal": problems,
        "database": (*problems, a_problem("TableMissing")),
        "worker_problem": problems,
        "refresh_problem": problems,
        "tally": (None, a_tally(), a_tally(pending=3), a_tally(error=2)),
        "refresh": (None, a_refresh()),
        "generation": (1, 2),
        "upstream": (Upstream(), Upstream(busy=True)),
        "curing": (False, True),
    }
    for spec, before in itertools.product((SPEC, SUSPENDED, ONCE, ONCE_SUSPENDED), (None, *Outcome)):
        if before is None or spec.mode == "Once":
            for values in itertools.product(*choices.values()):
                yield State(spec, dict(zip(choices, values, strict=True)), before)

"""What the pipeline's code is asked for a PopulateJob, and what its workers are told: the same wherever they run."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from datetime import datetime

from populate_jobs import PopulateError, RetryPolicy, WorkerSettings
from populate_jobs.errors import ResolveRefused

from populate_operator.plan import Problem
from populate_operator.spec import Spec
from populate_operator.text import one_line

OF_THE_DATABASE = frozenset(
    {"DatabaseUnreachable", "LoginRefused", "Contended", "LockWaitedFor", "TookTooLong", "DatabaseError"}
)
"""Refusals that say nothing of the manifest or the code: the database may come back."""


def arguments(spec: Spec) -> list[str]:
    """Of `populate-worker resolve`."""
    words = [f"--table={spec.table}"]
    if spec.restriction:
        words.append(f"--restriction={spec.restriction}")
    if spec.restrict_by:
        words.append(f"--restrict-by={json.dumps([_plain(term) for term in spec.restrict_by])}")
    return words


def refusal(error: PopulateError, before: Problem | None, now: datetime) -> Problem:
    reason = error.reason if isinstance(error, ResolveRefused) else "ResolveFailed"
    times = before.times + 1 if before is not None and before.reason == reason else 1
    return Problem(reason, one_line(str(error)), now, times, lasting=reason not in OF_THE_DATABASE)


def worker_settings(spec: Spec) -> WorkerSettings:
    """The part of the spec that a worker follows."""
    return WorkerSettings(
        concurrency=spec.worker.concurrency,
        drain_seconds=spec.worker.drain_seconds,
        timeout_seconds=spec.timeout_seconds,
        on_empty=spec.on_empty,
        keep_completed=spec.keep_completed,
        make_kwargs=dict(spec.worker.make_kwargs),
        retry=retry_policy(spec),
    )


def retry_policy(spec: Spec) -> RetryPolicy:
    """When a failed key is tried again."""
    return RetryPolicy(**dataclasses.asdict(spec.retry))


def _plain(term: object) -> object:
    if isinstance(term, Mapping):
        return {name: _plain(value) for name, value in term.items()}
    return [_plain(item) for item in term] if isinstance(term, (list, tuple)) else term

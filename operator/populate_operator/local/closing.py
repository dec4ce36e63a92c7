"""The last words of a run: what was made, what failed and why, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from populate_jobs.errors import ResolveRefused

from populate_operator.display.numbers import Numbers, numbers
from populate_operator.plan.conditions import some

from .populating import Populating
from .run import Ending, trouble

MESSAGE_SHOWN = 200


def lines(jobs: Sequence[Populating], ending: Ending, left: str, flags: str) -> Iterator[str]:
    if ending is Ending.REFUSED:
        yield from _refusals(jobs)
    elif ending is Ending.GAVE_UP:
        yield from _given_up(jobs)
    elif ending is Ending.INTERRUPTED:
        yield "interrupted" if left else "interrupted; nothing stays reserved"
    else:
        yield from (f"{job.name}: {reason}" for job in jobs if (reason := _no_reason_to_work(job)))
    if left:
        yield left
    failed = [job for job in jobs if _counted(job).error]
    for job in failed:
        yield from _errors(job)
    if failed:
        yield from _way_out(flags)
    elif ending is Ending.FINISHED and not any(map(_is_at_rest, jobs)):
        yield f"all made: {some(sum(_counted(job).done for job in jobs), 'key')}"


def _refusals(jobs: Sequence[Populating]) -> Iterator[str]:
    for job in jobs:
        if job.refusal is not None:
            if isinstance(job.error, ResolveRefused) and job.error.traceback:
                yield job.error.traceback
            yield f"{job.name}: {job.refusal.reason}: {job.refusal.message}"


def _given_up(jobs: Sequence[Populating]) -> Iterator[str]:
    for job in jobs:
        problem = trouble(job) or job.crew.problem
        if problem is not None:
            yield f"{job.name}: gave up: {problem.reason}: {problem.message}"


def _no_reason_to_work(job: Populating) -> str:
    """Of one that is over: why it has made nothing; empty where it has."""
    spec = job.spec
    if _is_at_rest(job):
        return f"makes no key while {'spec.suspend is true' if spec.suspend else 'spec.scaling.maxWorkers is 0'}"
    if _counted(job).total != 0:
        return ""
    lack = "has none that fulfils the restriction" if spec.restriction or spec.restrict_by else "is empty"
    return f"no keys: its key_source {lack}"


def _is_at_rest(job: Populating) -> bool:
    return job.spec.suspend or job.spec.scaling.max_workers == 0


def _errors(job: Populating) -> Iterator[str]:
    assert job.plan is not None
    yield f"{job.name}: {some(_counted(job).error, 'key')} failed"
    for group in job.plan.status.get("topErrors", ()):
        key = ", ".join(f"{name}={value}" for name, value in group["sampleKey"].items())
        yield f"  {group['count']:>5} × {group['message'][:MESSAGE_SHOWN]}  (such as {key})"


def _way_out(flags: str) -> Iterator[str]:
    yield f"all errors:  populate errors {flags}"
    yield f"try again:   populate retry {flags} --all    then populate run again"


def _counted(job: Populating) -> Numbers:
    return numbers(job.plan.status if job.plan else {})

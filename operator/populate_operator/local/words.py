"""A PopulateJob's state in a few words."""

from __future__ import annotations

from populate_operator.text import printable

from .populating import Populating
from .run import trouble


def state(job: Populating) -> str:
    """What it is doing where no number says so; empty while keys are made."""
    if job.plan is None or (job.resolved is None and job.refusal is None):
        return "resolving" if job.is_resolving else "waiting"
    ready = next(c for c in job.plan.status["conditions"] if c["type"] == "Ready")
    return {"Populating": "", "UpToDate": "up to date", "KeysFailed": "failed"}.get(
        ready["reason"], str(ready["reason"]).lower() if ready["status"] == "True" else _spaced(ready["reason"])
    )


def complaint(job: Populating) -> str:
    """What is wrong now, else the latest kind of error, else nothing."""
    problem = trouble(job) or job.crew.problem
    if problem is not None:
        again = "" if problem.lasting else " (trying again)"
        return f"{problem.message}{again}"
    group = job.latest_error
    return f"{group.count} × {printable(group.message)}" if group else ""


def _spaced(reason: str) -> str:
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in reason).strip()

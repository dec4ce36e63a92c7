"""What became of a run of resolve in the worker's image: the document, or why there is none. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from populate_jobs import ResolveDocument
from populate_jobs.document import read_output
from populate_jobs.errors import DocumentError, ResolveRefused

from populate_operator.plan import Problem
from populate_operator.text import one_line

from .api import Object
from .containers import LONGEST, container, how_it_ended, obstacles, unfit
from .manifests.resolve import DEADLINE_SECONDS
from .pods import is_leaving, is_over


@dataclass(frozen=True)
class Ended:
    """Its log is to be read."""

    pod: str


def standing(job: Object, pods: list[Object], waited: Problem | None, now: datetime) -> Ended | ResolveRefused | None:
    """None while it runs; `pods` are this Kubernetes Job's, `waited` is what the last of them was seen to wait for."""
    failed = _condition(job, "Failed")
    for pod in pods:
        if _has_ended(pod, failed):
            return Ended(pod["metadata"]["name"])
        if refused := _refusal(pod, now):
            return refused
    if _condition(job, "Complete") and not pods:
        return ResolveRefused("ResolveFailed", "the resolve pod was gone before its answer was read")
    if failed is None:
        return None
    if failed.get("reason") == "DeadlineExceeded":
        message = f"no answer from the worker image within {DEADLINE_SECONDS} seconds"
        return ResolveRefused("ResolveTimedOut", message + (f": {waited.message}" if waited else ""))
    return ResolveRefused("ResolveFailed", f"the resolve pod failed: {failed.get('message', '')}")


def waits_for(pods: list[Object], now: datetime) -> Problem | None:
    """What keeps the pod from answering, and may pass."""
    found = (obstacle for pod in pods if not is_over(pod) for obstacle in obstacles(pod, now))
    obstacle = next((obstacle for obstacle in found if not obstacle.lasting), None)
    return Problem(obstacle.reason, f"resolve waits: {obstacle.message}", now) if obstacle else None


def _has_ended(pod: Object, failed: Object | None) -> bool:
    """Resolve, by itself: whether its pod is over is no matter, for a container of a service mesh beside it goes on.

    One that was told to go may have been so for the time it took, which the Kubernetes Job says in a moment.
    """
    ended = container(pod).get("state", {}).get("terminated")
    was_in_time = failed is not None and failed.get("reason") != "DeadlineExceeded"
    return bool(ended) and (was_in_time or not is_leaving(pod) or ended.get("exitCode") == 0)


def _refusal(pod: Object, now: datetime) -> ResolveRefused | None:
    """Why it will not answer."""
    waiting = container(pod).get("state", {}).get("waiting", {})
    if found := unfit(waiting.get("reason", ""), waiting.get("message", "")):
        return ResolveRefused(*_with_words(found, waiting))
    for obstacle in obstacles(pod, now):
        if obstacle.lasting:
            return ResolveRefused(obstacle.reason, obstacle.message)
        if obstacle.reason == "WorkersFailing" and is_over(pod) and not is_leaving(pod):
            return ResolveRefused("ResolveFailed", obstacle.message)
    return None


def answer(log: str, pod: Object) -> ResolveDocument | ResolveRefused:
    """What it said between the sentinels; what it died of where it said nothing."""
    try:
        return read_output(log)
    except ResolveRefused as refused:
        return refused
    except DocumentError as error:
        terminated = container(pod).get("state", {}).get("terminated", {})
        if terminated.get("exitCode") == 0:
            return ResolveRefused("WorkerTooOld", f"the image's resolve cannot be understood: {error}")
        if found := unfit(terminated.get("reason", ""), terminated.get("message", "")):
            return ResolveRefused(*_with_words(found, terminated))
        return ResolveRefused("ResolveFailed", how_it_ended(terminated, "resolve"))


def _with_words(found: tuple[str, str], state: Mapping[str, Any]) -> tuple[str, str]:
    """With those of the container runtime."""
    return found[0], f"{found[1]} ({one_line(state.get('message', ''))[-LONGEST:]})"


def _condition(job: Object, kind: str) -> Object | None:
    conditions = job.get("status", {}).get("conditions", [])
    return next((found for found in conditions if found["type"] == kind and found["status"] == "True"), None)

"""What became of a run of resolve in the worker's image: the document, or why there is none. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from populate_jobs import ResolveDocument
from populate_jobs.document import read_output
from populate_jobs.errors import DocumentError, ResolveRefused

from .api import Object
from .manifests.resolve import DEADLINE_SECONDS
from .pods import CONFIG_REASONS, IMAGE_REASONS, container, how_it_ended, is_over


@dataclass(frozen=True)
class Ended:
    """Its log is to be read."""

    pod: str


def standing(job: Object, pods: list[Object]) -> Ended | ResolveRefused | None:
    """None while it runs; `pods` are those of this Kubernetes Job."""
    for pod in pods:
        waiting = container(pod).get("state", {}).get("waiting", {})
        if waiting.get("reason") in IMAGE_REASONS:
            return ResolveRefused("ImagePullFailed", f"{waiting['reason']}: {waiting.get('message', '')}")
        if waiting.get("reason") in CONFIG_REASONS:
            return ResolveRefused("PodInvalid", f"{waiting['reason']}: {waiting.get('message', '')}")
        if is_over(pod) and container(pod).get("state", {}).get("terminated"):
            return Ended(pod["metadata"]["name"])
    failed = _condition(job, "Failed")
    if failed is None:
        return None
    if failed.get("reason") == "DeadlineExceeded":
        message = f"no answer from the worker image within {DEADLINE_SECONDS} seconds"
        return ResolveRefused("ResolveTimedOut", message + _why_not(pods))
    return ResolveRefused("ResolveFailed", f"the resolve pod failed: {failed.get('message', '')}")


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
        return ResolveRefused("ResolveFailed", how_it_ended(terminated).replace("the worker", "resolve", 1))


def _condition(job: Object, kind: str) -> Object | None:
    conditions = job.get("status", {}).get("conditions", [])
    return next((found for found in conditions if found["type"] == kind and found["status"] == "True"), None)


def _why_not(pods: list[Object]) -> str:
    for pod in pods:
        for condition in pod.get("status", {}).get("conditions", []):
            if condition["type"] == "PodScheduled" and condition["status"] == "False":
                return f": {condition.get('message', 'no node takes the pod')}"
    return ""

"""What pods tell: which workers there are, and what keeps them from coming up. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from populate_jobs.errors import PopulateError

from populate_operator.plan import Problem, Worker
from populate_operator.text import one_line

from .api import Object
from .claim import NameTaken
from .manifests import names
from .manifests.pod import CONTAINER

IMAGE_REASONS = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"}
)
CONFIG_REASONS = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
HOPELESS = frozenset({"ImagePullFailed", "PodInvalid", "WorkersFailing", "PodsRefused", "NameTaken"})
"""With these more workers would fare no better; without a node they may: something may be adding nodes."""
BUSY_COST = "100"
"""What it costs to delete a pod that holds keys: those without are deleted first."""
LONGEST = 400
"""Characters of a container's last words."""

# The worker's exit statuses that say the fault is not in one worker but in what all of them are given.
_SAYS_WHY = {2: "the assignment cannot be used", 3: "the database refuses the worker", 4: "the code cannot be run"}


def is_over(pod: Object) -> bool:
    """Nothing of it runs any more, whether it is still listed or not."""
    return pod.get("status", {}).get("phase") in ("Succeeded", "Failed")


def is_leaving(pod: Object) -> bool:
    return "deletionTimestamp" in pod["metadata"]


def is_ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def workers(pods: Iterable[Object], ours: str) -> tuple[Worker, ...]:
    return tuple(Worker(host(pod, ours), is_ready(pod), is_leaving(pod)) for pod in pods if not is_over(pod))


def host(pod: Object, ours: str) -> str:
    return str(pod["metadata"]["name"]) + ours


def is_crash_looping(pod: Object) -> bool:
    return bool(_waiting(pod).get("reason") == "CrashLoopBackOff")


def problem(
    pods: Iterable[Object],
    deployment: Object | None,
    refused: PopulateError | None,
    before: Problem | None,
    now: datetime,
) -> Problem | None:
    """What keeps workers from coming up, unless one of them is up; `refused` is why the Deployment was."""
    if refused is not None:
        reason = "NameTaken" if isinstance(refused, NameTaken) else "TemplateRefused"
        return _problem(reason, str(refused), True, before, now)
    living = [pod for pod in pods if not is_over(pod) and not is_leaving(pod)]
    if any(is_ready(pod) for pod in living):
        return None
    found = [problem for pod in living for problem in _obstacles(pod, before, now)]
    return next(iter([*found, *_not_made(deployment, before, now)]), None)


def bearable(replicas: int, problem: Problem | None, those: Iterable[Worker]) -> int:
    """Where workers do not come up, one is enough to show when they do."""
    if problem is None or problem.reason not in HOPELESS:
        return replicas
    return min(replicas, max(1, sum(worker.ready for worker in those)))


def costs(pods: Iterable[Object], busy: Container[str], ours: str) -> dict[str, str]:
    """What it is to cost to delete each pod, by name, where it does not say so yet."""
    wanted = [(pod, BUSY_COST if host(pod, ours) in busy else "0") for pod in pods]
    return {_name(pod): cost for pod, cost in wanted if _note(pod, names.DELETION_COST, "0") != cost}


def behind(pods: Iterable[Object], changed_at: str) -> list[str]:
    """Names of pods older than this assignment, to which the kubelet may not have brought it yet."""
    living = (pod for pod in pods if not is_over(pod) and pod["metadata"]["creationTimestamp"] <= changed_at)
    return [_name(pod) for pod in living if _note(pod, names.CHANGED_AT, "") != changed_at]


def _name(pod: Object) -> str:
    return str(pod["metadata"]["name"])


def _note(pod: Object, annotation: str, default: str) -> str:
    return str(pod["metadata"].get("annotations", {}).get(annotation, default))


def _obstacles(pod: Object, before: Problem | None, now: datetime) -> Iterator[Problem]:
    waiting = _waiting(pod)
    reason, message = waiting.get("reason", ""), waiting.get("message", "")
    if reason in IMAGE_REASONS:
        yield _problem("ImagePullFailed", f"{reason}: {message}", True, before, now)
    elif reason in CONFIG_REASONS:
        yield _problem("PodInvalid", f"{reason}: {message}", True, before, now)
    elif reason == "CrashLoopBackOff":
        ended = container(pod).get("lastState", {}).get("terminated", {})
        yield _problem("WorkersFailing", how_it_ended(ended), ended.get("exitCode") in _SAYS_WHY, before, now)
    for condition in pod.get("status", {}).get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            yield _problem("Unschedulable", condition.get("message", "no node takes the pod"), False, before, now)


def _not_made(deployment: Object | None, before: Problem | None, now: datetime) -> Iterator[Problem]:
    """Pods that a quota or the namespace's Pod Security Standard refuses."""
    for condition in (deployment or {}).get("status", {}).get("conditions", []):
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            yield _problem("PodsRefused", condition.get("message", ""), True, before, now)


def _waiting(pod: Object) -> Mapping[str, Any]:
    found: Mapping[str, Any] = container(pod).get("state", {}).get("waiting", {})
    return found


def container(pod: Object) -> Mapping[str, Any]:
    """The status of the container `worker`; empty before there is one."""
    found = pod.get("status", {}).get("containerStatuses", [])
    return next((status for status in found if status["name"] == CONTAINER), {})


def how_it_ended(terminated: Mapping[str, Any]) -> str:
    """`ended with status 3: the database refuses the worker: last words`."""
    code, reason = terminated.get("exitCode"), terminated.get("reason", "")
    how = reason if reason not in ("", "Error", "Completed") else f"ended with status {code}"
    said = one_line(terminated.get("message", ""))[-LONGEST:]
    return ": ".join(part for part in ("the worker " + how, _SAYS_WHY.get(code or 0, ""), said) if part)


def _problem(reason: str, message: str, lasting: bool, before: Problem | None, now: datetime) -> Problem:
    if before is not None and before.reason == reason:
        return Problem(reason, message, before.at, before.times, lasting)
    return Problem(reason, message, now, 1, lasting)

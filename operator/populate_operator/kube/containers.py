"""What the containers of a pod tell: what keeps them from starting, and how they ended. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from populate_operator.plan.metav1 import moment
from populate_operator.text import one_line

from .api import Object
from .manifests.pod import CONTAINER

IMAGE_REASONS = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"}
)
CONFIG_REASONS = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
NOT_RUN = frozenset({"StartError", "ContainerCannotRun", "RunContainerError"})
_ABSENT = re.compile(r"exec\S* .*populate-worker.*(not found|no such file or directory)", re.IGNORECASE)
"""Runtimes say the latter also of libraries, devices and mounts that are not there."""
LONGEST = 400
"""Characters of a container's last words."""
START_SECONDS = 60.0
"""On its node: volumes and a network take less where they are there."""

SAYS_WHY = {2: "the assignment cannot be used", 3: "the database refuses the worker", 4: "the code cannot be run"}
"""The worker's exit statuses that say the fault is not in one worker but in what all of them are given."""


@dataclass(frozen=True)
class Obstacle:
    """To a pod's coming up."""

    reason: str
    message: str
    lasting: bool = True


def container(pod: Object) -> Mapping[str, Any]:
    """The status of the container `worker`; empty before there is one."""
    found = pod.get("status", {}).get("containerStatuses", [])
    return next((status for status in found if status["name"] == CONTAINER), {})


def last_end(status: Mapping[str, Any]) -> Mapping[str, Any]:
    """How that container ended the last time; empty where it has not."""
    states = (status.get(state, {}).get("terminated") for state in ("state", "lastState"))
    return next((found for found in states if found), {})


def obstacles(pod: Object, now: datetime) -> Iterator[Obstacle]:
    """Of all its containers, but for how the worker itself ended; then of the pod as a whole."""
    for status in _statuses(pod, "initContainerStatuses"):
        yield from _of_container(status, "init container", is_failing=_never_got_through(status))
    for status in _statuses(pod, "containerStatuses"):
        yield from _of_container(status, "container", is_failing=_is_crash_looping(status))
    if scheduled := _condition(pod, "PodScheduled"):
        yield from _of_node(scheduled)
    yield from _unstarted(pod, now)


def _of_container(status: Mapping[str, Any], kind: str, *, is_failing: bool) -> Iterator[Obstacle]:
    waiting, is_worker = status.get("state", {}).get("waiting", {}), status["name"] == CONTAINER
    reason, who = waiting.get("reason", ""), f"{kind} {status['name']}"
    said = ("" if is_worker else f"{who}: ") + f"{reason}: {waiting.get('message', '')}"
    if reason in IMAGE_REASONS:
        yield Obstacle("ImagePullFailed", said)
    elif reason in CONFIG_REASONS:
        yield Obstacle("PodInvalid", said)
    elif is_failing and not is_worker:
        yield Obstacle("WorkersFailing", _ended(last_end(status), who), lasting=False)


def _of_node(scheduled: Mapping[str, Any]) -> Iterator[Obstacle]:
    if scheduled["status"] == "False":
        yield Obstacle("Unschedulable", scheduled.get("message", "no node takes the pod"), lasting=False)


def _unstarted(pod: Object, now: datetime) -> Iterator[Obstacle]:
    """No container says why: a volume or the network, which only events tell, and the operator may not read those."""
    scheduled, prepared = _condition(pod, "PodScheduled"), _condition(pod, "PodReadyToStartContainers")
    since = scheduled.get("lastTransitionTime") if scheduled.get("status") == "True" else None
    if since is None or prepared.get("status") == "True" or _has_started(pod):
        return  # once all is prepared, an image is on its way, however large it may be
    if (now - moment(since)).total_seconds() > START_SECONDS:
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        events = f"kubectl get events --namespace {namespace} --field-selector involvedObject.name={name}"
        said = f"pod {name} has a node, and no container started on it for {START_SECONDS:.0f} s"
        yield Obstacle("PodNotStarting", f"{said}, such as for want of a volume; {events} says why", lasting=False)


def _has_started(pod: Object) -> bool:
    every = (*_statuses(pod, "initContainerStatuses"), *_statuses(pod, "containerStatuses"))
    return any(last_end(status) or "running" in status.get("state", {}) for status in every)


def _never_got_through(init: Mapping[str, Any]) -> bool:
    """It failed before, whether it is tried again just now or waits for that."""
    return not init.get("ready") and last_end(init).get("exitCode", 0) != 0


def _is_crash_looping(status: Mapping[str, Any]) -> bool:
    return bool(status.get("state", {}).get("waiting", {}).get("reason") == "CrashLoopBackOff")


def _statuses(pod: Object, field: str) -> list[Mapping[str, Any]]:
    return list(pod.get("status", {}).get(field, []))


def _condition(pod: Object, kind: str) -> Mapping[str, Any]:
    conditions = pod.get("status", {}).get("conditions", [])
    return next((condition for condition in conditions if condition["type"] == kind), {})


def unfit(reason: str, message: str) -> tuple[str, str] | None:
    """A reason and what to do where the image has no worker, or is not for that node; None for all else."""
    if "exec format error" in message:
        words = "the image is for another kind of processor than the node's: build it for this one too, or choose nodes"
        return "WrongArchitecture", f"{words} by a nodeSelector in spec.worker.template"
    if reason in NOT_RUN and _ABSENT.search(one_line(message)):
        words = "the image has no populate-worker: build it FROM populate-worker"
        return "WorkerMissing", f"{words}, or install populate-operator[worker] in it"
    return None


def how_it_ended(terminated: Mapping[str, Any], who: str = "the worker") -> str:
    """Of the container `worker`: `the worker ended with status 3: the database refuses the worker: last words`."""
    if found := unfit(terminated.get("reason", ""), _last_words(terminated)):
        return f"{found[1]} ({_last_words(terminated)})"
    return _ended(terminated, who, SAYS_WHY.get(terminated.get("exitCode") or 0, ""))


def _ended(terminated: Mapping[str, Any], who: str, why: str = "") -> str:
    code, reason = terminated.get("exitCode"), terminated.get("reason", "")
    how = reason if reason not in ("", "Error", "Completed") else f"ended with status {code}"
    return ": ".join(part for part in (f"{who} {how}", why, _last_words(terminated)) if part)


def _last_words(terminated: Mapping[str, Any]) -> str:
    return one_line(terminated.get("message", ""))[-LONGEST:]

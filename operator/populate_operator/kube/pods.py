"""What pods tell: which workers there are, and what keeps them from coming up. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from populate_jobs.errors import PopulateError
from populate_jobs.types import WORKER_MARK

from populate_operator.plan import Problem, Rollout, Worker
from populate_operator.plan.metav1 import moment
from populate_operator.text import one_line

from .api import Object
from .claim import NameTaken
from .containers import SAYS_WHY, container, how_it_ended, obstacles
from .manifests import names
from .manifests.pod import CONTAINER
from .manifests.worker import HOST
from .store import ENDED

HOPELESS = frozenset({"ImagePullFailed", "PodInvalid", "WorkersFailing", "NameTaken", "PodRejected"})
"""With these more workers would fare no better; without a node they may: something may be adding nodes. Pods that are
refused are not there to fare badly, and others of the same size may have been admitted: a quota was not yet used up."""
FOR_WANT_OF_ROOM = frozenset({"Unschedulable", "PodsRefused", "PodNotStarting"})
"""Which workers that end will leave: a node's place, a quota, a volume."""
BUSY_COST = "100"
"""What it costs to delete a pod that holds keys: those without are deleted first."""
REJECTED_SECONDS = 120.0
REJECTED_KEPT = 3
REMOVED_AT_ONCE = 20
TRIAL_SECONDS = 60.0
"""After a worker has ended for a reason that all would have."""


def is_over(pod: Object) -> bool:
    """Nothing of it runs any more, whether it is still listed or not."""
    return pod.get("status", {}).get("phase") in ENDED


def is_leaving(pod: Object) -> bool:
    return "deletionTimestamp" in pod["metadata"]


def is_ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def workers(pods: Iterable[Object], ours: str) -> tuple[Worker, ...]:
    return tuple(Worker(host(pod, ours), is_ready(pod), is_leaving(pod)) for pod in pods if not is_over(pod))


def host(pod: Object, ours: str) -> str:
    """Under which its worker reserves, as its command says: an earlier operator may have said otherwise than this."""
    containers = [item for item in pod.get("spec", {}).get("containers", []) if item["name"] == CONTAINER]
    words = (word for item in containers for word in item.get("command", []) if word.startswith(HOST))
    return _name(pod) + next(words, HOST + ours).removeprefix(HOST)


def name(host: str, ours: str) -> str:
    """The pod's, of a host that ends with `ours`."""
    return host.removesuffix(ours).removesuffix(WORKER_MARK)


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
    pods = list(pods)
    living = _staying(pods)
    if any(is_ready(pod) and not _is_on_trial(pod, now) for pod in living):
        return None
    is_taken = any(pod.get("status", {}).get("containerStatuses") for pod in living)
    return _first(living, deployment, before, now) or (None if is_taken else _rejection(pods, before, now))


def _rejection(pods: Iterable[Object], before: Problem | None, now: datetime) -> Problem | None:
    """A node was found for the pod and did not take it: most often the next one fares as the last."""
    last = max(filter(was_rejected, pods), key=_created, default=None)
    if last is None or (now - moment(_created(last))).total_seconds() > REJECTED_SECONDS:
        return None
    status = last["status"]
    return _problem("PodRejected", one_line(f"{status['reason']}: {status.get('message', '')}"), True, before, now)


def was_rejected(pod: Object) -> bool:
    status = pod.get("status", {})
    return status.get("phase") == "Failed" and bool(status.get("reason")) and not status.get("containerStatuses")


def needless(pods: Iterable[Object]) -> list[Object]:
    """Of the rejected all but the last few, a handful at a time."""
    rejected = sorted(filter(was_rejected, pods), key=_created)
    return [pod for pod in rejected[:-REJECTED_KEPT] if not is_leaving(pod)][:REMOVED_AT_ONCE]


def competition(rival: str, installation: str, before: Problem | None, now: datetime) -> Problem:
    words = f"the operator of the installation {rival} makes these workers anew whenever this one, {installation}, has"
    words += ": have one of them watch other namespaces, or uninstall it, and restart the other"
    return _problem("InstallationsCompete", words, True, before, now)


def rollout(pods: Iterable[Object], deployment: Object | None, now: datetime) -> Rollout | None:
    """None where every worker is of the present template, as far as that shows.

    Of those that stay the Deployment says how many are not; of those that leave, they are like none that stays.
    """
    those, counts = list(pods), (deployment or {}).get("status", {})
    older, staying = counts.get("replicas", 0) - counts.get("updatedReplicas", 0), _staying(those)
    kept = {_template(pod) for pod in staying}
    leaving = [pod for pod in those if is_leaving(pod) and not is_over(pod) and kept and _template(pod) not in kept]
    if older <= 0 and not leaving:
        return None
    return Rollout(max(0, older), len(leaving), _first(staying, deployment, None, now))


def is_part_of(rollout: Rollout | None, problem: Problem | None) -> bool:
    """Whether the next workers wait for those that leave, which make keys meanwhile."""
    return _is_for_want_of_room(problem) and rollout is not None and rollout.leaving > 0


def missing(pods: Iterable[Object], replicas: int, rollout: Rollout | None, *, rolls: bool) -> int:
    """How many of so many workers do not run: as a roll begins, and where it goes on no more for want of room."""
    staying = _staying(pods)
    if rolls:
        return max(0, replicas - sum(map(is_ready, staying)))
    if rollout is None or rollout.leaving or not _is_for_want_of_room(rollout.hindrance):
        return 0
    return max(0, replicas - sum("nodeName" in pod.get("spec", {}) for pod in staying))


def _is_for_want_of_room(problem: Problem | None) -> bool:
    return problem is not None and problem.reason in FOR_WANT_OF_ROOM


def _first(
    living: Iterable[Object], deployment: Object | None, before: Problem | None, now: datetime
) -> Problem | None:
    """What keeps the first of them that does not from coming up."""
    found = [problem for pod in living for problem in _obstacles(pod, before, now)]
    return next(iter([*found, *_not_made(deployment, before, now)]), None)


def _staying(pods: Iterable[Object]) -> list[Object]:
    return [pod for pod in pods if not is_over(pod) and not is_leaving(pod)]


def _template(pod: Object) -> str:
    """Its digest, as the Deployment controller writes it."""
    return str(pod["metadata"].get("labels", {}).get("pod-template-hash", ""))


def bearable(replicas: int, problem: Problem | None, pods: Iterable[Object], busy: int) -> int:
    """Where workers do not come up, one is enough to show when they do; those that hold keys stay, ready or not."""
    if problem is None or problem.reason not in HOPELESS:
        return replicas
    return min(replicas, max(1, busy, sum(_works(pod) for pod in pods)))


def _works(pod: Object) -> bool:
    """Its worker does, whatever becomes of the containers beside it."""
    return not is_over(pod) and (is_ready(pod) or bool(container(pod).get("ready")))


def least(replicas: int, pods: Iterable[Object], busy: Container[str], ours: str) -> int:
    """How many must stay of them lest one that holds keys is stopped, where so many were to stay and none of those.

    Kubernetes stops those that are not ready first, whatever they cost: a worker that has just begun may not be yet.
    """
    staying = [(is_ready(pod), host(pod, ours) in busy) for pod in _staying(pods)]
    if (False, True) not in staying or replicas < sum(holds for _, holds in staying):
        return replicas
    return max(replicas, len(staying) - staying.count((False, False)))


def costs(pods: Iterable[Object], busy: Container[str], ours: str) -> dict[str, str]:
    """What it is to cost to delete each pod, by name, where it does not say so yet."""
    wanted = [(pod, BUSY_COST if host(pod, ours) in busy else "0") for pod in pods]
    return {_name(pod): cost for pod, cost in wanted if _note(pod, names.DELETION_COST, "0") != cost}


def behind(pods: Iterable[Object], changed_at: str) -> list[str]:
    """Names of pods older than this assignment, to which the kubelet may not have brought it yet."""
    living = (pod for pod in pods if not is_over(pod) and pod["metadata"]["creationTimestamp"] <= changed_at)
    return [_name(pod) for pod in living if _note(pod, names.CHANGED_AT, "") != changed_at]


def _created(pod: Object) -> str:
    return str(pod["metadata"]["creationTimestamp"])


def _name(pod: Object) -> str:
    return str(pod["metadata"]["name"])


def _note(pod: Object, annotation: str, default: str) -> str:
    return str(pod["metadata"].get("annotations", {}).get(annotation, default))


def _obstacles(pod: Object, before: Problem | None, now: datetime) -> Iterator[Problem]:
    if is_crash_looping(pod) or _is_on_trial(pod, now):
        ended = container(pod).get("lastState", {}).get("terminated", {})
        yield _problem("WorkersFailing", how_it_ended(ended), ended.get("exitCode") in SAYS_WHY, before, now)
    for found in obstacles(pod, now):
        yield _problem(found.reason, found.message, found.lasting, before, now)


def _not_made(deployment: Object | None, before: Problem | None, now: datetime) -> Iterator[Problem]:
    """Pods that a quota or the namespace's Pod Security Standard refuses."""
    for condition in (deployment or {}).get("status", {}).get("conditions", []):
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            yield _problem("PodsRefused", condition.get("message", ""), True, before, now)


def _is_on_trial(pod: Object, now: datetime) -> bool:
    """It runs again after it has said why it cannot, and has not run for long: it may say so again."""
    status = container(pod)
    running, ended = status.get("state", {}).get("running"), status.get("lastState", {}).get("terminated", {})
    if running is None or ended.get("exitCode") not in SAYS_WHY:
        return False
    return not is_ready(pod) or (now - moment(running["startedAt"])).total_seconds() < TRIAL_SECONDS


def _waiting(pod: Object) -> Mapping[str, Any]:
    found: Mapping[str, Any] = container(pod).get("state", {}).get("waiting", {})
    return found


def _problem(reason: str, message: str, lasting: bool, before: Problem | None, now: datetime) -> Problem:
    if before is not None and before.reason == reason:
        return Problem(reason, message, before.at, before.times, lasting)
    return Problem(reason, message, now, 1, lasting)

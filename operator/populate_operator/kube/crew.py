"""The worker pods of one PopulateJob: its Deployment as it should be, and the steps towards that."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from populate_operator.plan import Problem, Recovery, Rollout, Worker
from populate_operator.spec import PopulateJob

from . import claim, pods
from .api import ClusterError, Object
from .deaths import deaths, fallen
from .errands import Errands
from .manifests import names
from .manifests.worker import deployment, of_size, suffix
from .place import Place
from .rousing import rouse
from .silence import Silence
from .store import Owner

Change = Callable[[], Coroutine[Any, Any, Object]]
"""A request that changes the Deployment, and gives it as it is then."""


@dataclass
class Fall:
    """Of a worker whose pod stays, and will have another one: its rows are given back once."""

    of: tuple[str, int]
    """The pod's uid, and how often the worker had been started again before."""
    at: float
    """When it was noticed, by the monotonic clock."""
    settled: bool = False


class Crew:
    def __init__(self, owner: Owner, place: Place, errands: Errands) -> None:
        self._owner = owner
        self._place = place
        self._errands = errands
        self.ours = suffix(owner[0], place.installation)
        self.problem: Problem | None = None
        self.rollout: Rollout | None = None
        self.silent: list[Object] = []
        """Pods of which nobody hears any more."""
        self._silence = Silence()
        self._refused: tuple[str, ClusterError] | None = None
        """Which pod template the API server did not take, and why."""
        self._was_ours = False
        """The Deployment was made by this very operator, since it began."""
        self._wanted: tuple[PopulateJob, Object] | None = None
        """The Deployment of this spec."""
        self._falls: dict[str, Fall] = {}
        """By host. Kept of all pods, whether they hold keys or not: what a next worker reserves is later."""

    @property
    def pods(self) -> list[Object]:
        return self._place.store.of(self._owner, "Pod", names.WORKER)

    @property
    def workers(self) -> tuple[Worker, ...]:
        return pods.workers(self.pods, self.ours)

    @property
    def staying(self) -> int:
        return sum(not pods.is_leaving(pod) for pod in self._living)

    @property
    def leaving(self) -> int:
        """As far as anybody hears of them."""
        return sum(pods.is_leaving(pod) for pod in self._living)

    @property
    def _living(self) -> list[Object]:
        return [pod for pod in self.pods if not pods.is_over(pod) and pod not in self.silent]

    @property
    def replicas(self) -> int:
        """As the Deployment has it now."""
        found = self._deployment
        return int(found["spec"].get("replicas", 0)) if found else 0

    def look(self, now: datetime) -> None:
        """Who has fallen, what keeps workers from coming up, if anything does, and how far a roll is."""
        those = {pods.host(pod, self.ours): pod for pod in self.pods if not pods.is_over(pod)}
        self._falls = {host: fall for host, pod in those.items() if (fall := self._fall(host, pod))}
        refused = self._refused[1] if self._refused else None
        self.silent = self._silence.among(self.pods)
        self.rollout = pods.rollout(self._living, self._deployment, now)
        problem = pods.problem(self.pods, self._deployment, refused, self.problem, now)
        self.problem = None if pods.is_part_of(self.rollout, problem) else problem
        if self._rival:
            self.problem = pods.competition(self._rival, self._place.installation, self.problem, now)

    def alive(self, held: Iterable[str]) -> frozenset[str]:
        """Those of these hosts whose pod has not ended, but for those whose worker has fallen in it."""
        there = [host for host in held if (pod := self._pod(host)) and not pods.is_over(pod)]
        return frozenset(host for host in there if host not in self._falls or self._falls[host].settled)

    def deaths(self, held: Iterable[str]) -> dict[str, str | None]:
        return deaths([pod for host in held if (pod := self._pod(host))], self.ours)

    def _fall(self, host: str, pod: Object) -> Fall | None:
        restarts = fallen(pod)
        if restarts is None:
            return None
        known, of = self._falls.get(host), (pod["metadata"]["uid"], restarts)
        return known if known is not None and known.of == of else Fall(of, time.monotonic())

    def resize(self, job: PopulateJob, owner: Object, replicas: int, busy: frozenset[str], *, rolls: bool) -> None:
        """Towards a Deployment of so many; its pods become what the spec says where that `rolls` them."""
        if self._rival:
            return
        replicas = self.bearable(replicas, len(busy))
        if replicas < self.replicas:
            replicas = min(self.replicas, pods.least(replicas, self.pods, busy, self.ours))
        made = self._made(job, owner)
        rolls = rolls and self._is_other(made)
        wanted = of_size(made, replicas, self._missing(replicas, rolls=rolls))
        self._forget_refusal(wanted)
        costs = pods.costs(self.pods, busy, self.ours) if replicas < self.replicas else {}
        scaled = self._scaled(wanted)
        if scaled and self._refused:
            # A template that is not taken keeps no worker from being stopped.
            self._errands.run("scale", lambda: self._change(scaled, costs), self._place.store.put)
        elif change := self._made_anew(wanted) if rolls else scaled:
            failed = functools.partial(self._failed, _template(wanted))
            self._errands.run("deployment", lambda: self._change(change, costs), self._applied, failed)

    def bearable(self, replicas: int, busy: int) -> int:
        """As many of these as may do any good."""
        return pods.bearable(replicas, self.problem, self.pods, busy)

    def _missing(self, replicas: int, *, rolls: bool) -> int:
        if self._deployment is None:
            return 0
        return pods.missing(self._living, replicas, self.rollout, rolls=rolls)

    def _forget_refusal(self, wanted: Object) -> None:
        """Where another template is wanted than the one that was refused, or the wanted one is there."""
        is_there = self._deployment is not None and _is_as(self._deployment, wanted)
        if self._refused and (is_there or self._refused[0] != _template(wanted)):
            self._refused = None
            self._errands.forgive("deployment")

    def _is_other(self, wanted: Object) -> bool:
        return self._deployment is None or _template(self._deployment) != _template(wanted)

    def _made_anew(self, wanted: Object) -> Change:
        return functools.partial(claim.apply, self._place.cluster, self._place.store, wanted)

    def _scaled(self, wanted: Object) -> Change | None:
        """Its pods stay what they are: as before an edit without an answer, or as an earlier operator made them."""
        replicas, strategy = wanted["spec"]["replicas"], wanted["spec"]["strategy"]
        if self._deployment is None:
            return None
        widens = self.rollout is not None and _most_missing(self._deployment) < _most_missing(wanted)
        is_owned = _owners(wanted) <= _owners(self._deployment)
        if self.replicas == replicas and not widens and is_owned:
            return None
        namespace, name = self._owner
        # Not its PopulateJob's where an earlier one of this name was deleted without it.
        owner = {} if is_owned else {"metadata": {"ownerReferences": wanted["metadata"]["ownerReferences"]}}
        size = {"spec": {"replicas": replicas, "strategy": strategy}, **owner}
        where = "Deployment", namespace, names.deployment_name(name)
        return functools.partial(self._place.cluster.merge, *where, size)

    def _made(self, job: PopulateJob, owner: Object) -> Object:
        if self._wanted is None or self._wanted[0] is not job:
            self._wanted = (job, deployment(job, owner, self._place.installation, 0))
        return self._wanted[1]

    @property
    def _rival(self) -> str | None:
        """The installation of another operator that makes the same workers, each time that this one has."""
        found = self._deployment
        by = _installation(found) if found else ""
        return by if by and self._was_ours and by != self._place.installation else None

    def tidy(self) -> None:
        """Removes pods that nodes have not taken, of which a Deployment makes ever more; the last few show why."""
        for pod in pods.needless(self.pods):
            self._remove(pod)

    def nudge(self, changed_at: str) -> None:
        """Has the kubelets bring a new assignment to pods older than it: a pod that changed they look at once."""
        patch = {"metadata": {"annotations": {names.CHANGED_AT: changed_at}}}
        for name in pods.behind(self.pods, changed_at):
            merge = functools.partial(self._place.cluster.merge, "Pod", self._owner[0], name, patch)
            self._errands.run(f"nudge {name}", merge, self._place.store.put)

    def rouse(self, hosts: Iterable[str]) -> None:
        """Has these workers look at the queue. Where they cannot be reached they come to that by themselves."""
        for host in hosts:
            if pod := self._pod(host):
                self._errands.run(f"rouse {host}", functools.partial(rouse, pod["status"].get("podIP", "")))

    def try_again(self) -> None:
        """Pods that wait longer and longer before they start again are replaced: what stopped them was mended."""
        for pod in self.pods:
            if pods.is_crash_looping(pod):
                self._remove(pod)

    def _remove(self, pod: Object) -> None:
        name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
        delete = functools.partial(self._place.cluster.delete, "Pod", self._owner[0], name, uid)
        self._errands.run(f"remove {name}", delete)

    async def confirmed(self, recovery: Recovery) -> Recovery:
        """Without the hosts whose worker lives after all: what was watched may be behind, the API server is not."""
        gone, fallen_at = [], {}
        for host in recovery.hosts:
            pod = await self._place.cluster.find("Pod", self._owner[0], pods.name(host, self.ours))
            if pod is None or pods.is_over(pod):
                gone.append(host)
                continue
            known = self._falls.get(host)
            if known is not None and self._fall(host, pod) is known:
                gone.append(host)
                fallen_at[host] = known.at
            self._place.store.put(pod)
        return Recovery(tuple(gone), recovery.suspect, fallen_at)

    def settle(self, confirmed: Recovery) -> None:
        """The rows of these were given back: what their pods hold from now on is their next workers'."""
        for host, at in confirmed.dead_since.items():
            fall = self._falls.get(host)
            if fall is not None and fall.at == at:
                fall.settled = True

    @property
    def _deployment(self) -> Object | None:
        namespace, name = self._owner
        return self._place.store.get("Deployment", namespace, names.deployment_name(name))

    def _pod(self, host: str) -> Object | None:
        if not host.endswith(self.ours):
            return None
        return self._place.store.get("Pod", self._owner[0], pods.name(host, self.ours))

    async def _change(self, change: Change, costs: Mapping[str, str]) -> Object:
        """The costs are in place before the Deployment shrinks."""
        for name, cost in costs.items():
            patch = {"metadata": {"annotations": {names.DELETION_COST: cost}}}
            try:
                await self._place.cluster.merge("Pod", self._owner[0], name, patch)
            except ClusterError as error:
                if error.status != 404:
                    raise
        return await change()

    def _applied(self, found: Object) -> None:
        self._refused = None
        self._was_ours = self._was_ours or _installation(found) == self._place.installation
        self._place.store.put(found)

    def _failed(self, template: str, error: BaseException) -> None:
        if isinstance(error, ClusterError) and error.says_no:
            self._refused = template, error


def _template(deployment: Object) -> str:
    """Of which its pods are made."""
    return str(deployment["metadata"].get("annotations", {}).get(names.APPLIED, ""))


def _installation(deployment: Object) -> str:
    return str(deployment["metadata"].get("annotations", {}).get(names.INSTALLATION, ""))


def _owners(found: Object) -> set[str]:
    """Their uids."""
    return {owner["uid"] for owner in found["metadata"].get("ownerReferences", [])}


def _most_missing(deployment: Object) -> int:
    """While it rolls; as a number, as we write it."""
    allowed = deployment["spec"].get("strategy", {}).get("rollingUpdate", {}).get("maxUnavailable", 0)
    return allowed if isinstance(allowed, int) else 0


def _is_as(found: Object, wanted: Object) -> bool:
    same_pods = _template(found) == _template(wanted)
    return bool(same_pods and found["spec"].get("replicas") == wanted["spec"]["replicas"])

"""The loop over all PopulateJobs: see, plan, share, act. Level-triggered: whatever was missed, the next turn finds."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import heapq
import logging
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from populate_jobs.errors import PopulateError

from populate_operator.database import tasks
from populate_operator.plan.lineage import Lineage

from .api import CHILDREN, EVERYWHERE, Cluster, Object
from .capacity import Capacity
from .health import Pulse
from .listing import Listing
from .metrics import Metrics
from .place import Place
from .populating import Populating
from .secrets import Secrets
from .store import Owner, Store, is_in, owner_of, slim, version_of

T = TypeVar("T")

LEAST_SECONDS = 0.1
"""Between two turns of one PopulateJob."""
MOST_A_TURN = 50
"""PopulateJobs: what happens in the cluster meanwhile waits no longer than those take."""
TOGETHER_EVERY = 0.25
"""Seconds: those that look every now and then do so at the same times, and so by the same statements."""
TURN_EVERY = 10.0
"""Seconds, at least: that is how its health shows."""
AFTER_A_FAULT = 10.0
PUT_BACK_SECONDS = 60.0
"""A wall clock that is put back by more would have everything wait for what was planned by the later time."""
UNTIL_SEEN = 1.0
"""Should nobody ring when what was asked for has come."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    namespaces: tuple[str, ...]
    """None: all of them."""
    installation: str
    reporter: str
    max_workers_per_database: int | None = None


class Controller:
    def __init__(self, cluster: Cluster, options: Options, pulse: Pulse, metrics: Metrics) -> None:
        self._cluster = cluster
        self._options = options
        self._pulse = pulse
        self._metrics = metrics
        self._loop = asyncio.get_running_loop()
        self._woken = asyncio.Event()
        self._store = Store()
        secrets = Secrets(cluster, self._ring, self._secret_changed, metrics)
        own = options.installation, options.reporter
        self._place = Place(cluster, self._store, secrets, *own, self.wake, metrics)
        self._jobs: dict[Owner, Populating] = {}
        self._capacity = Capacity(options.max_workers_per_database)
        self._due: dict[Owner, float] = {}
        """Monotonic time of each PopulateJob's next turn."""
        self._turned: dict[Owner, float] = {}
        self._resources: dict[Owner, Object] = {}
        self._ended: dict[str, str] = {}
        """Namespaces by the uids of what was deleted since their listing began: a list may be older than that."""
        self._lineage: Lineage[Owner] = Lineage()
        self._next_round = math.inf
        self._last_turn = tasks.now()
        self._listings = [Listing(name, self._list) for name in options.namespaces or (EVERYWHERE,)]
        self._listed: set[str] = set()
        """Namespaces, once: before that, what is missing here may well be there."""

    # What is heard

    def saw_populatejob(self, kind: str | None, seen: Object) -> None:
        """`kind` is that of the watch event."""
        owner = (seen["metadata"]["namespace"], seen["metadata"]["name"])
        if kind == "DELETED":
            self._ended[seen["metadata"]["uid"]] = owner[0]
            self._forget(owner)
        else:
            self._update(owner, slim(seen))

    def saw_child(self, kind: str | None, seen: Object) -> None:
        if kind == "DELETED":
            self._store.drop(seen)
        else:
            self._store.put(seen)
        self._mark(owner_of(seen))

    def wake(self, owner: Owner) -> None:
        """From any thread."""
        self._loop.call_soon_threadsafe(self._mark, owner)

    async def run(self) -> None:
        """Until cancelled."""
        listing = asyncio.create_task(self._list_again_and_again())
        try:
            while not listing.done():
                with self._metrics.turn.time():
                    self._turn()
                if not all(listing.is_refused for listing in self._listings):
                    self._pulse.beat()
                await self._rest()
            listing.result()
        finally:
            listing.cancel()
            self._place.secrets.keep_only((), ())

    # What is done

    def _turn(self) -> None:
        clock, now = time.monotonic(), tasks.now()
        self._heed_clock(now)
        self._place.secrets.collect()
        waiting = [(at, owner) for owner, at in self._due.items() if at <= clock]
        due = [owner for _, owner in heapq.nsmallest(MOST_A_TURN, waiting)]
        for owner in due:
            del self._due[owner]
        jobs = [job for owner in due if (job := self._safely(owner, functools.partial(self._job, owner)))]
        ready = [job for job in jobs if self._safely(job.owner, functools.partial(self._see, job, now))]
        replicas = self._capacity.shared(self._jobs.values(), ready, now)
        for job in ready:
            self._safely(job.owner, functools.partial(self._act, job, replicas.get(job.owner), now))
        self._next_round = self._place.secrets.go(clock)

    def _heed_clock(self, now: datetime) -> None:
        put_back = (self._last_turn - now).total_seconds()
        if put_back > PUT_BACK_SECONDS:
            raise PopulateError(f"the clock was put back by {put_back:.0f} s: this operator ends, to begin anew")
        self._last_turn = now

    def _see(self, job: Populating, now: datetime) -> bool:
        """Whether there is a plan to act on."""
        before = job.relative.settled_at
        job.collect(now)
        self._lineage.put(job.owner, job.relative)
        if not job.sees():
            self._call_again(job.owner, UNTIL_SEEN)
            return False
        job.decide(self._lineage.upstream(job.owner), bool(self._lineage.below(job.owner)), now)
        self._lineage.put(job.owner, job.relative)
        if job.relative.settled_at != before:
            for below in self._lineage.below(job.owner):
                self._mark(below)
        return True

    def _act(self, job: Populating, replicas: int | None, now: datetime) -> None:
        assert job.plan is not None
        wanted = job.plan.replicas if replicas is None else replicas
        self._capacity.ask(job.owner, wanted)
        job.act(wanted, now)
        self._metrics.planned(job.owner, job.plan.status)
        self._call_again(job.owner, job.next_look)

    def _job(self, owner: Owner) -> Populating | None:
        """As the resource is now; a new one where it was made anew under its old name."""
        self._turned[owner] = time.monotonic()
        seen, job = self._resources.get(owner), self._jobs.get(owner)
        if seen is None:
            return None
        if job is None or job.seen["metadata"]["uid"] != seen["metadata"]["uid"]:
            job = self._jobs[owner] = Populating(seen, self._place)
            self._capacity.begin(owner)
        elif job.seen is not seen:
            job.update(seen)
        return job

    def _safely(self, owner: Owner, step: Callable[[], T]) -> T | None:
        """What the step gives; one PopulateJob's fault is no other's."""
        try:
            return step()
        except Exception:
            log.exception("%s/%s", *owner)
            self._metrics.fault()
            self._call_again(owner, AFTER_A_FAULT)
            return None

    # Waiting and waking

    async def _rest(self) -> None:
        """Until something is due, or somebody rings."""
        next_due = min([self._next_round, *self._due.values()])
        with contextlib.suppress(asyncio.TimeoutError):
            seconds = min(TURN_EVERY, next_due - time.monotonic())
            await asyncio.wait_for(self._woken.wait(), max(0.0, seconds))
        self._woken.clear()

    def _call_again(self, owner: Owner, seconds: float) -> None:
        at = time.monotonic() + seconds
        if seconds > TOGETHER_EVERY:
            at = math.ceil(at / TOGETHER_EVERY) * TOGETHER_EVERY
        self._due[owner] = min(at, self._due.get(owner, at))

    def _mark(self, owner: Owner) -> None:
        if owner in self._resources and not self._listed.isdisjoint((owner[0], EVERYWHERE)):
            soonest = self._turned.get(owner, 0.0) + LEAST_SECONDS
            self._due[owner] = min(self._due.get(owner, soonest), max(soonest, time.monotonic()))
            self._woken.set()

    def _ring(self) -> None:
        self._loop.call_soon_threadsafe(self._woken.set)

    def _secret_changed(self, namespace: str, name: str) -> None:
        for job in self._jobs.values():
            if job.secret == (namespace, name):
                self._mark(job.owner)

    def _update(self, owner: Owner, seen: Object) -> None:
        before = self._resources.get(owner)
        if seen["metadata"]["uid"] in self._ended or (before and version_of(seen) < version_of(before)):
            return
        self._resources[owner] = seen
        if before is None or _asks(before) != _asks(seen):
            self._mark(owner)

    def _forget(self, owner: Owner) -> None:
        if job := self._jobs.get(owner):
            self._capacity.end(job)
            job.forget()
        for known in (self._resources, self._jobs, self._due, self._turned):
            known.pop(owner, None)
        self._lineage.drop(owner)
        self._metrics.forget(owner)

    # Listing

    async def _list_again_and_again(self) -> None:
        await asyncio.gather(*(listing.run() for listing in self._listings))

    async def _list(self, namespace: str) -> None:
        """What is known of a namespace stays as it is where it cannot be listed."""
        self._store.begin_listing(namespace)
        self._ended = {uid: where for uid, where in self._ended.items() if not is_in(where, namespace)}
        for kind in CHILDREN:
            found = await self._cluster.children(kind, namespace)
            for changed in self._store.replace(kind, found, namespace):
                self._mark(owner_of(changed))
        known = self._owners_in(namespace)
        self._keep_only(known, await self._cluster.populatejobs(namespace))
        if namespace not in self._listed:
            self._listed.add(namespace)
            for owner in self._owners_in(namespace):
                self._mark(owner)
        self._forget_secrets()

    def _owners_in(self, namespace: str) -> set[Owner]:
        return {owner for owner in self._resources if is_in(owner[0], namespace)}

    def _forget_secrets(self) -> None:
        logins = [job.login for job in self._jobs.values() if job.login]
        self._place.secrets.keep_only({job.secret for job in self._jobs.values()}, logins)

    def _keep_only(self, known: Iterable[Owner], listed: Sequence[Object]) -> None:
        """`known` are those there were before the list was asked for: one that came since is not gone."""
        found = {(item["metadata"]["namespace"], item["metadata"]["name"]): item for item in listed}
        for owner in set(known) - set(found):
            self._forget(owner)
        for owner, item in found.items():
            self._update(owner, slim(item))


def _asks(seen: Object) -> tuple[object, ...]:
    """What of a resource is the user's: a status of our own wakes nobody."""
    metadata = seen["metadata"]
    theirs = (metadata.get(name) for name in ("generation", "annotations", "deletionTimestamp", "finalizers"))
    return metadata["uid"], *theirs

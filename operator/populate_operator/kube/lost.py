"""Workers on nodes of which nobody hears any more: told to go long ago, and listed still.

Nothing in the cluster says whether such a worker lives; the database does, as long as it sees a session of its.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable, Iterable

from populate_jobs import Recovered, ResolveDocument

from populate_operator.database import tasks
from populate_operator.database.keeper import Keeper

from . import pods
from .api import Object
from .crew import Crew
from .errands import Errands

MARGIN_SECONDS = 30.0
"""Beyond the time that a pod was given to go: a kubelet that can be asked has told of its end by then."""
ASK_EVERY = 10.0
NAME = "recover the unseen"


class Lost:
    def __init__(self, errands: Errands) -> None:
        self._errands = errands
        self._told: dict[str, float] = {}
        """Since when a pod, by its uid, was seen to be told to go: by our clock alone, for others may be wrong."""
        self._next_ask = 0.0

    def among(self, those: Iterable[Object]) -> list[Object]:
        """Pods whose time to go is over for long. To be called often, with all there are."""
        now = time.monotonic()
        leaving = {pod["metadata"]["uid"]: pod for pod in those if pods.is_leaving(pod) and not pods.is_over(pod)}
        self._told = {uid: self._told.get(uid, now) for uid in leaving}
        return [pod for uid, pod in leaving.items() if now > self._told[uid] + _grace(pod) + MARGIN_SECONDS]

    def give_back(self, crew: Crew, keeper: Keeper, document: ResolveDocument, released: Callable[[str], None]) -> None:
        """What they hold, unless the database sees them; `released` is told whose that was. To be called often."""
        lost = {pods.host(pod, crew.ours) for pod in self.among(crew.pods)}
        hosts = sorted(lost.intersection(keeper.queue.holders if keeper.queue else ()))

        async def recover() -> Recovered:
            task = functools.partial(tasks.recover_unseen, document=document, hosts=hosts)
            return await asyncio.wrap_future(keeper.login.observe.submit(task))

        def done(found: Recovered) -> None:
            if found != Recovered():
                keeper.look_at_once(fully=True)
                released(", ".join(hosts))

        if hosts and time.monotonic() >= self._next_ask:
            self._next_ask = time.monotonic() + ASK_EVERY
            self._errands.run(NAME, recover, done, keeper.failed)


def _grace(pod: Object) -> float:
    return float(pod["metadata"].get("deletionGracePeriodSeconds", 0))

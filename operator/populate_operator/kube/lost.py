"""What workers hold on nodes of which nobody hears any more.

Nothing in the cluster says whether such a worker lives; the database does, as long as it sees a session of its.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable

from populate_jobs import Recovered, ResolveDocument

from populate_operator.database import tasks
from populate_operator.database.keeper import Keeper

from . import pods
from .crew import Crew
from .errands import Errands

ASK_EVERY = 10.0
NAME = "recover the unseen"


class Lost:
    def __init__(self, errands: Errands) -> None:
        self._errands = errands
        self._next_ask = 0.0

    def give_back(self, crew: Crew, keeper: Keeper, document: ResolveDocument, released: Callable[[str], None]) -> None:
        """What they hold, unless the database sees them; `released` is told whose that was. To be called often."""
        lost = {pods.host(pod, crew.ours) for pod in crew.silent}
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

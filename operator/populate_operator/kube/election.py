"""Leads while it holds a Lease, so that of several operators one works and the others wait.

kubernetes.aio.leaderelection is not used: a request of its own may take five minutes, in which its leader leads on; an
API server that cannot be reached ends it; and it gives back nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from datetime import datetime, timezone

from .api import Cluster, ClusterError, Object
from .health import Pulse
from .lease import LEADS_SECONDS, RENEW_EVERY, Seen, Step, given_back, look, record, spec, step

ATTEMPT_SECONDS = 4.0
RELEASE_SECONDS = 5.0

log = logging.getLogger(__name__)


class Election:
    def __init__(self, cluster: Cluster, lease: tuple[str, str], me: str, pulse: Pulse) -> None:
        """`lease` is its namespace and name; `cluster` is used for nothing else: a renewal waits behind no request."""
        self._cluster = cluster
        self._lease = lease
        self._me = me
        self._pulse = pulse
        self._seen: Seen | None = None
        self._failed = ""
        """What was wrong the last time: it is said once."""
        self._renewed_at = float("-inf")
        """Monotonic time at which the last renewal was sent."""

    @property
    def leads(self) -> bool:
        """Whether nobody else can, whatever became of the last attempts."""
        return self._left > 0

    async def win(self) -> None:
        """Returns when this one leads."""
        log.info("%s waits for the Lease %s/%s", self._me, *self._lease)
        holder = ""
        while not await self._attempt(ATTEMPT_SECONDS):
            self._pulse.beat()
            if self._seen and self._seen.record.holder != holder:
                holder = self._seen.record.holder
                log.info("%s leads", holder)
            await asyncio.sleep(RENEW_EVERY)
        log.info("%s leads: that is this one", self._me)

    async def keep(self) -> None:
        """Returns when this one must not lead any more."""
        renewed: bool | None = True
        while renewed is not False and self.leads:
            await asyncio.sleep(min(RENEW_EVERY, self._left))
            renewed = await self._attempt(min(ATTEMPT_SECONDS, max(0.0, self._left)))

    async def release(self) -> None:
        """Lets another one begin at once; where that fails, it begins when the Lease has run out."""
        if self.leads:
            self._renewed_at = float("-inf")
            try:
                await asyncio.wait_for(self._give_back(), RELEASE_SECONDS)
            except (ClusterError, asyncio.TimeoutError) as error:
                log.info("the Lease cannot be given back: %s", error)

    @property
    def _left(self) -> float:
        """Seconds for which it leads unless it renews the Lease."""
        return self._renewed_at + LEADS_SECONDS - time.monotonic()

    async def _attempt(self, seconds: float) -> bool | None:
        """Whether this one holds the Lease from now on; None where that cannot be said."""
        failed, self._failed = self._failed, ""
        try:
            return await asyncio.wait_for(self._take_or_renew(), seconds)
        except (ClusterError, asyncio.TimeoutError) as error:
            self._failed = str(error) or "no answer in time"
            if self._failed != failed:
                log.warning("the Lease %s/%s: %s", *self._lease, self._failed)
            return None

    async def _take_or_renew(self) -> bool:
        lease = await self._cluster.find("Lease", *self._lease)
        asked_at = time.monotonic()
        self._seen = look(lease, self._seen, asked_at)
        if step(self._seen, self._me, asked_at) is Step.WAIT:
            return False
        await self._write(lease, spec(self._seen, self._me, datetime.now(timezone.utc)))
        self._renewed_at = asked_at
        return True

    async def _give_back(self) -> None:
        lease = await self._cluster.find("Lease", *self._lease)
        if lease is not None and record(lease).holder == self._me:
            await self._write(lease, given_back())

    async def _write(self, lease: Object | None, wanted: Mapping[str, object]) -> None:
        """Raises ClusterError where another one wrote since this one looked at it."""
        namespace, name = self._lease
        if lease is None:
            metadata = {"name": name, "namespace": namespace}
            wanted = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": wanted}
            await self._cluster.create(wanted)
        else:
            version = {"resourceVersion": lease["metadata"]["resourceVersion"]}
            await self._cluster.merge("Lease", namespace, name, {"metadata": version, "spec": wanted})

"""The process: it serves its health, waits until it may work where it is one of several, and works until it is told
to stop."""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import signal
import uuid
from argparse import Namespace
from collections.abc import Callable, Coroutine
from typing import Any

import kopf
from populate_jobs.errors import PopulateError

from . import handlers, metrics
from .api import Cluster, ClusterError, always, connect
from .controller import Controller, Options
from .election import Election
from .health import Pulse, served
from .metrics import Metrics

ID_CHARACTERS = 8
TRY_AGAIN_EVERY = 3.0
LOST_STATUS = 1

log = logging.getLogger(__name__)


async def run(args: Namespace) -> None:
    """Until SIGTERM or SIGINT; raises what went wrong for good."""
    stop, pulse = asyncio.Event(), Pulse()
    told = Metrics(pulse)
    _heed(stop)
    with metrics.served(args.metrics, told):
        async with served(args.liveness, pulse):
            if args.leader_election is None:
                await _first(stop.wait(), _work(args, stop, pulse, told, always))
            else:
                await _work_while_leading(args, stop, pulse, told)


def _heed(stop: asyncio.Event) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)


async def _work_while_leading(args: Namespace, stop: asyncio.Event, pulse: Pulse, told: Metrics) -> None:
    cluster = await connect()
    # A container that is started again in its pod goes on where the one before was: that one is dead.
    me = os.environ.get("POD_NAME") or f"{platform.node()}-{uuid.uuid4().hex[:8]}"
    election = Election(cluster, args.leader_election, me, pulse)
    try:
        await _first(stop.wait(), election.win())
        if election.leads:
            work = _work(args, stop, pulse, told, lambda: election.leads)
            await _first(stop.wait(), work, _end_when_lost(election))
    finally:
        await election.release()
        await cluster.close()


async def _end_when_lost(election: Election) -> None:
    """Ends the process there and then: another one may have begun."""
    await election.keep()
    log.error("the Lease could not be renewed in time: this operator ends")
    os._exit(LOST_STATUS)


async def _work(
    args: Namespace, stop: asyncio.Event, pulse: Pulse, told: Metrics, may_write: Callable[[], bool]
) -> None:
    told.leads()
    cluster = await connect(may_write=may_write)
    try:
        options = Options(
            namespaces=tuple(args.namespace),
            installation=args.installation or await _cluster_id(cluster, pulse),
            reporter=os.environ.get("POD_NAME") or platform.node(),
            max_workers_per_database=args.max_workers_per_database,
        )
        controller = Controller(cluster, options, pulse, told)
        await _first(controller.run(), _watch(controller, options, stop))
    finally:
        await cluster.close()


async def _watch(controller: Controller, options: Options, stop: asyncio.Event) -> None:
    others = asyncio.all_tasks()
    tasks = await kopf.spawn_tasks(
        registry=handlers.registry(controller),
        settings=handlers.settings(),
        standalone=True,
        clusterwide=not options.namespaces,
        namespaces=options.namespaces,
    )
    _heed(stop)  # kopf has put handlers of its own there, which let it wait for all that is going on
    await kopf.run_tasks(tasks, ignored=others)


async def _first(*coroutines: Coroutine[Any, Any, object]) -> None:
    """Returns, or raises, as the first of these does; the others are cancelled."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


async def _cluster_id(cluster: Cluster, pulse: Pulse) -> str:
    """The first characters of kube-system's uid: as lasting as the cluster, and no other's."""
    while True:
        try:
            found = await cluster.get("Namespace", "", "kube-system")
            return str(found["metadata"]["uid"])[:ID_CHARACTERS]
        except ClusterError as error:
            if error.says_no:
                raise PopulateError(f"--installation is needed where kube-system cannot be read: {error}") from error
            log.error("the cluster's id cannot be read, trying again: %s", error)
        pulse.beat()
        await asyncio.sleep(TRY_AGAIN_EVERY)

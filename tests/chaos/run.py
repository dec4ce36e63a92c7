"""One run: fill a table, let a storm loose on its workers until every key is made, and judge."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers import Server, serve
from tests.servers.host import wait_until

from .ledger import Ledger
from .populate import MODULE, Populate
from .proxy import Proxy
from .storm import Storm

ROOT = Path(__file__).parents[2]
SCHEMA = "chaos"
CALM_SECONDS = 120.0
"""After the storm the rest must be done within so long, and a second for every ten keys."""


@dataclass(frozen=True)
class Plan:
    engine: str
    seed: int
    workers: int
    keys: int
    storm_seconds: float
    """How long things are broken, if the keys last that long."""
    make_seconds: float = 0.05


@dataclass(frozen=True)
class Verdict:
    engine: str
    seed: int
    keys: int
    kills: int
    cuts: int
    restarts: int
    lost: int
    """Keys that are neither made nor in error."""
    twice: int
    """Keys with two answered commits, or in error without cause."""
    stuck: int
    """Rows left in the queue."""
    begun_again: int
    """Starts of make beyond the first of each key."""
    seconds: float

    @property
    def good(self) -> bool:
        return not (self.lost or self.twice or self.stuck)


def run(plan: Plan, folder: Path) -> Verdict:
    with (
        serve(plan.engine) as server,
        Proxy(server.host, server.port).running() as proxy,
        _populating(plan, folder, server, proxy) as populate,
    ):
        storm = Storm(populate, proxy, server, random.Random(plan.seed))
        began = time.monotonic()
        wait_until(lambda: any((folder / "ledger").iterdir()), "the first make", CALM_SECONDS)
        _rage(storm, time.monotonic() + plan.storm_seconds)
        _until_done(populate, time.monotonic() + CALM_SECONDS + plan.keys / 10)
        return _judge(plan, server, storm, folder, time.monotonic() - began)


@contextmanager
def _populating(plan: Plan, folder: Path, server: Server, proxy: Proxy) -> Iterator[Populate]:
    ledger = folder / "ledger"
    ledger.mkdir()
    path = os.pathsep.join(str(ROOT / part) for part in ("jobs", "worker", "operator", ""))
    chaos = {"CHAOS_SCHEMA": SCHEMA, "CHAOS_LEDGER": str(ledger), "CHAOS_MAKE_SECONDS": str(plan.make_seconds)}
    environment = {**os.environ, **server.environment(), **chaos, "PYTHONPATH": path, "XDG_STATE_HOME": str(folder)}
    declare = f"import {MODULE} as p; p.Made(); p.Item().insert((n,) for n in range({plan.keys}))"
    subprocess.run([sys.executable, "-c", declare], env=environment, check=True, capture_output=True)
    populate = Populate(folder, {**environment, "DJ_HOST": "127.0.0.1", "DJ_PORT": str(proxy.port)}, plan.workers)
    populate.start()
    try:
        yield populate
    finally:
        populate.end()


def _rage(storm: Storm, until: float) -> None:
    while time.monotonic() < until and storm.populate.exit_code is None:
        time.sleep(storm.pause)
        storm.blow()
    storm.calm()


def _until_done(populate: Populate, deadline: float) -> None:
    """`--once` ends by itself; where it does not, what is left tells why."""
    while populate.exit_code is None and time.monotonic() < deadline:
        time.sleep(0.2)


def _judge(plan: Plan, server: Server, storm: Storm, folder: Path, seconds: float) -> Verdict:
    quote = "`" if server.backend == "mysql" else '"'
    target, jobs = (f"{quote}{SCHEMA}{quote}.{quote}{name}{quote}" for name in ("__made", "~~made"))
    made = {item for (item,) in server.execute(f"SELECT item FROM {target}")}
    left = dict(server.execute(f"SELECT item, status FROM {jobs}"))
    failed = {item for item, status in left.items() if status == "error"}
    ledger = Ledger.read(folder / "ledger")
    committed_twice = {item for item, times in ledger.commits.items() if times > 1}
    return Verdict(
        engine=plan.engine,
        seed=plan.seed,
        keys=plan.keys,
        kills=storm.kills,
        cuts=storm.proxy.cuts,
        restarts=storm.restarts,
        lost=plan.keys - len(made | failed),
        twice=len(committed_twice | failed),
        stuck=len(left) - len(failed),
        begun_again=sum(ledger.starts.values()) - len(ledger.starts),
        seconds=round(seconds, 1),
    )

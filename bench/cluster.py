"""Keys made in pods of a real cluster, by our operator and by KEDA with DataJoint's populate: how soon keys are worked
on, and what a drain costs."""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Iterator

from tests.cluster import borrow
from tests.cluster.lab import Lab
from tests.cluster.progress import say
from tests.servers.host import Unavailable

from . import keda, site
from .keda_manifests import DEFAULTS, QUICK
from .laboratory import laboratory, operator
from .report import Figure, alone, beside
from .sides import Keda, Ours, Side

ROUNDS = 5
SIX = 6
LOOK_SECONDS = 0.02
DRAINED = ("sleep 20", "sleep 5") * 30
DRAINING = 5
AIMS = {
    "first_key_median_s": "<= 2.5",
    "first_key_longest_s": "<= 4",
    "six_workers_s": "<= 5",
    "drain_busy_pods_removed": "<= 0",
    "drain_keys_in_error": "<= 0",
    "drain_all_pods_gone_s": "<= 10",
}

Values = Iterator[tuple[str, int, float]]
"""Name, workers, value."""
_until = functools.partial(site.until, every=LOOK_SECONDS)


def run(engine: str, full: bool) -> Iterator[Figure]:
    """With `full` also the drain of a KEDA with its defaults, which takes eight minutes."""
    has_peer = _has_peer()
    with borrow() as cluster:
        ours = {}
        with laboratory(cluster, engine) as lab, operator(cluster, lab):
            for name, workers, value in _measure(lab, Ours(lab), drained=True):
                ours[name] = value
                yield alone(name, engine, workers, value, AIMS[name])
        for peer, pace, drained in (("keda", QUICK, True), ("keda_defaults", DEFAULTS, full)) if has_peer else ():
            with laboratory(cluster, engine) as lab, keda.running(cluster, lab.namespace):
                for name, workers, value in _measure(lab, Keda(lab, pace), drained):
                    yield beside(f"{name}_to_{peer}", engine, workers, ours[name], value, "<= 1")


def _has_peer() -> bool:
    try:
        keda.build()
    except Unavailable as reason:
        say(f"LEFT OUT KEDA beside the operator: {reason}")
        return False
    return True


def _measure(lab: Lab, side: Side, drained: bool) -> Values:
    yield from _cold_starts(lab, side)
    yield from _six_at_work(lab, side)
    if drained:
        yield from _drain(lab, side)


def _cold_starts(lab: Lab, side: Side) -> Values:
    """From a pending row, with no worker there, to that row reserved."""
    seconds = []
    with side.at_work("cold", SIX):
        for item in range(1, ROUNDS + 1):
            side.rest((item - 0.5) / ROUNDS)
            start = _queue(lab, item, "wait")
            _until(lambda: item in lab.hosts(), "the row is reserved")  # noqa: B023
            seconds.append(time.monotonic() - start)
            lab.let(item)
            _until(lambda: not lab.rows(), "the key is made")
    yield "first_key_median_s", 1, statistics.median(seconds)
    yield "first_key_longest_s", 1, max(seconds)


def _six_at_work(lab: Lab, side: Side) -> Values:
    """From six pending rows, with no worker there, to six workers that each make one."""
    first = 100
    with side.at_work("six", SIX):
        side.rest(0.5)
        start = _queue(lab, first, *["wait"] * SIX)
        _until(lambda: len(set(lab.hosts().values())) == SIX, "six workers hold a key each")
        seconds = time.monotonic() - start
        lab.let(*range(first, first + SIX))
        _until(lambda: not lab.rows(), "the keys are made")
    yield "six_workers_s", SIX, seconds


def _drain(lab: Lab, side: Side) -> Values:
    """Sixty keys of 20 s and of 5 s, twelve for a worker: makes that were cut short, keys that were not made, when all
    pods were gone."""
    first = 200
    items = set(range(first, first + len(DRAINED)))
    _queue(lab, first, *DRAINED)
    with side.at_work("drain", DRAINING, keys_per_worker=len(DRAINED) // DRAINING):
        _until(lambda: not _waited_for(lab, side, items), "all keys have ended")
        at_the_end = time.monotonic()
        # What a pod that is gone still holds is nobody's any more, and would be counted as work for ever.
        lab.execute(f"UPDATE {lab.name('~~made')} SET status = 'error' WHERE status = 'reserved'")
        made, begun = items & set(lab.made()), [item for item in lab.started() if item in items]
        _until(lambda: not side.pods(), "no pods left")
        seconds = time.monotonic() - at_the_end
    yield "drain_busy_pods_removed", DRAINING, len(begun) - len(made)
    yield "drain_keys_in_error", DRAINING, len(items - made)
    yield "drain_all_pods_gone_s", DRAINING, seconds


def _waited_for(lab: Lab, side: Side, items: set[int]) -> set[int]:
    """Those that are neither made, nor given up, nor held by a pod that is gone."""
    made, rows = set(lab.made()), lab.rows()
    left = {item for item in items - made if rows.get(item) != "error"}
    if any(rows.get(item) != "reserved" for item in left):
        return left
    hosts, pods = lab.hosts(), {pod["metadata"]["name"] for pod in side.pods()}
    return {item for item in left & hosts.keys() if hosts[item].partition(".")[0] in pods}


def _queue(lab: Lab, first: int, *behaviours: str) -> float:
    """Has rows for items that behave so wait in the queue; the moment before they were pending."""
    lab.add(*behaviours, first=first)
    rows = ", ".join(f"({item}, 'pending', 5)" for item in range(first, first + len(behaviours)))
    moment = time.monotonic()
    lab.execute(f"INSERT INTO {lab.name('~~made')} (item, status, priority) VALUES {rows}")
    return moment

"""How many workers: up at once, down after a lull, never below those that are busy."""

from __future__ import annotations

import itertools
import math
from collections.abc import Container, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from populate_operator.spec import Scaling

from .observation import Worker


@dataclass(frozen=True)
class Lull:
    """Since when fewer workers than there are would do, and the most that were wanted meanwhile."""

    since: datetime
    most: int


@dataclass(frozen=True)
class Load:
    keys: int
    """Ready, or held by workers that stay, under the restriction."""
    busy: int
    """Workers that stay and hold keys."""
    taken: int = 0
    """Those of them that hold none under the restriction: what they are at asks for nobody else, and they for none."""


@dataclass(frozen=True)
class Scale:
    replicas: int
    lull: Lull | None = None


def scale(scaling: Scaling, load: Load, rate: float | None, current: int, lull: Lull | None, now: datetime) -> Scale:
    """`rate` is keys a second one worker makes, where measured."""
    wanted = min(max(wanted_workers(scaling, load, rate), load.busy), scaling.max_workers)
    if wanted >= current:
        return Scale(wanted)
    lull = replace(lull, most=max(lull.most, wanted)) if lull else Lull(now, wanted)
    if (now - lull.since).total_seconds() < scaling.scale_down_delay_seconds:
        return Scale(min(current, scaling.max_workers), lull)
    return Scale(min(lull.most, scaling.max_workers))


def wanted_workers(scaling: Scaling, load: Load, rate: float | None) -> int:
    """Clamped to minWorkers and maxWorkers; maxWorkers wins."""
    shares = math.ceil(load.keys / keys_per_worker(scaling, rate))
    workers = (max(1, shares) if load.keys else 0) + load.taken
    return min(max(workers, scaling.min_workers), scaling.max_workers)


def keys_per_worker(scaling: Scaling, rate: float | None) -> float:
    """Keys that justify one worker: with a target, what it makes in that time, or all before anything is known."""
    if scaling.target_drain_seconds is None:
        return scaling.keys_per_worker
    return max(1.0, rate * scaling.target_drain_seconds) if rate else math.inf


def look_limit(scaling: Scaling, rate: float | None) -> int:
    """Ready rows beyond this number cannot change the answer: how far an observation needs to count."""
    share = keys_per_worker(scaling, rate)
    return math.ceil(share if share < math.inf else 1) * max(scaling.max_workers, 1)


def to_rouse(workers: Iterable[Worker], busy: Container[str], ready: int) -> tuple[str, ...]:
    """Hosts of idle workers for keys that are ready: left to themselves they look only now and then."""
    idle = (worker.host for worker in workers if worker.ready and not worker.draining and worker.host not in busy)
    return tuple(itertools.islice(idle, ready))


def pinned(busy: int, rate: float | None, concurrency: int, drain_seconds: float) -> int:
    """Busy workers whose keys would be lost by draining them: all, unless keys are known to end within the drain."""
    return 0 if rate and concurrency / rate <= drain_seconds else busy

"""Several processes that reserve at the same time, and how long each reserve took."""

from __future__ import annotations

import multiprocessing
import multiprocessing.synchronize
import random
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

from populate_jobs import DatabaseSettings, Holder, JobsTable, ResolveDocument, connect, probe, release, reserve

_CONTEXT = multiprocessing.get_context("spawn")


def measure(
    settings: DatabaseSettings,
    documents: Sequence[ResolveDocument],
    *,
    n: int,
    rounds: int | None = None,
    pause: float = 0.0,
    give_back: bool = False,
    during: Callable[[], Any] = lambda: None,
) -> list[float]:
    """Seconds of every reserve of `n` keys; one process for each document.

    For `rounds` each, or for as long as `during` takes; the processes start together, with about `pause`
    seconds between two reserves.
    """
    barrier = _CONTEXT.Barrier(len(documents) + 1)
    stop = _CONTEXT.Event()
    results: Any = _CONTEXT.Queue()
    arguments = (settings, n, rounds, pause, give_back, barrier, stop, results)
    processes = [
        _CONTEXT.Process(target=_reserver, args=(number, document.to_json(), *arguments), daemon=True)
        for number, document in enumerate(documents)
    ]
    for process in processes:
        process.start()
    barrier.wait(timeout=60)
    during()
    if rounds is None:
        stop.set()
    seconds = [second for _ in processes for second in results.get(timeout=600)]
    for process in processes:
        process.join()
    return seconds


def quantile(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def _reserver(
    number: int,
    document: str,
    settings: DatabaseSettings,
    n: int,
    rounds: int | None,
    pause: float,
    give_back: bool,
    barrier: multiprocessing.synchronize.Barrier,
    stop: multiprocessing.synchronize.Event,
    results: Any,
) -> None:
    jobs = JobsTable(connect(settings, name=f"reserver {number}"), ResolveDocument.from_json(document))
    probe(jobs)
    holder = Holder(f"reserver-{number}.bench", number)
    seconds: list[float] = []
    barrier.wait()
    while not stop.is_set() and len(seconds) != rounds:
        start = time.monotonic()
        reserved = reserve(jobs, holder, n)
        seconds.append(time.monotonic() - start)
        if give_back and reserved:
            release(jobs, reserved)
        time.sleep(pause * random.uniform(0.5, 1.5))
    results.put(seconds)

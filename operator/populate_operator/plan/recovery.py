"""Whose rows to give back: those of our workers that are gone."""

from __future__ import annotations

from .observation import Observation, Queue, Recovery


def recoveries(seen: Observation) -> tuple[Recovery, ...]:
    """Hosts that hold rows, are ours or proved gone, and do not live; by the reason of their death.

    A worker may be proved gone though its pod is there: whoever says that it lives nevertheless knows more.
    """
    if seen.queue is None:
        return ()
    alive = seen.alive | {worker.host for worker in seen.workers} - seen.deaths.keys()
    gone = [host for host in seen.queue.holders if host not in alive and _known(host, seen)]
    reasons = {seen.deaths.get(host) for host in gone}
    return tuple(
        Recovery(tuple(sorted(host for host in gone if seen.deaths.get(host) == reason)), reason)
        for reason in sorted(reasons, key=str)
    )


def foreign(seen: Observation) -> dict[str, int]:
    """Rows by host that neither our workers nor dead ones of ours hold."""
    held = seen.queue.held if seen.queue else {}
    return {host: rows for host, rows in held.items() if not _known(host, seen)}


def own(seen: Observation) -> dict[str, int]:
    """Rows by host of our workers that live, under the restriction or not."""
    queue = seen.queue or Queue(0)
    rows = {worker.host: queue.held.get(worker.host, 0) + queue.outside.get(worker.host, 0) for worker in seen.workers}
    return {host: held for host, held in rows.items() if held}


def staying(seen: Observation) -> dict[str, int]:
    """The same without those that were told to end: what they do not finish is pending again by itself."""
    leaving = {worker.host for worker in seen.workers if worker.draining}
    return {host: held for host, held in own(seen).items() if host not in leaving}


def _known(host: str, seen: Observation) -> bool:
    return host.endswith(seen.ours) or host in seen.deaths

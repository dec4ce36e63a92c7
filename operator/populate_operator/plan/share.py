"""Who gets the workers when together they want more than there may be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Claim:
    """One PopulateJob's claim, in slots: one slot runs one key at a time."""

    slots: int
    """Slots of one worker (its concurrency)."""
    busy: int
    wanted: int
    replicas: int
    """Workers to keep where nobody else wants the place: no fewer than wanted."""
    priority: int = 5


def share(capacity: int, claims: Sequence[Claim]) -> list[int]:
    """Replicas per claim, in their order: busy workers first, then one by one by priority, then those in a lull.

    A worker wider than the whole capacity still runs, alone.
    """
    order = sorted(range(len(claims)), key=lambda index: claims[index].priority)
    given = [min(claim.busy, claim.replicas) for claim in claims]
    for limit in ([claim.wanted for claim in claims], [claim.replicas for claim in claims]):
        while _deal_round(capacity, claims, order, given, limit):
            pass
    return given


def _deal_round(capacity: int, claims: Sequence[Claim], order: list[int], given: list[int], limit: list[int]) -> bool:
    """One more worker for everyone who wants one, while there is room; whether anyone got one."""
    dealt = False
    for index in order:
        used = sum(workers * claim.slots for workers, claim in zip(given, claims, strict=True))
        if given[index] < limit[index] and (used + claims[index].slots <= capacity or used == 0):
            given[index] += 1
            dealt = True
    return dealt

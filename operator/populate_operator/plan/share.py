"""Who gets the workers when together they want more than there may be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Claim:
    """One PopulateJob's claim. A slot runs one key at a time; a worker has as many as its concurrency."""

    slots: int
    replicas: int
    pinned: int = 0
    """Workers that would lose what they are at if they were stopped."""
    priority: int = 5


@dataclass(frozen=True)
class Present:
    """Workers of one PopulateJob in the cluster, and that came of what was asked for."""

    staying: int
    """As many as were asked for last."""
    there: int
    """With those that were told to go and have not gone."""


def share(capacity: int, claims: Sequence[Claim]) -> list[int]:
    """Replicas per claim, in their order: pinned workers stay, the rest is dealt one by one, by priority.

    A worker wider than the whole capacity still runs, alone.
    """
    order = sorted(range(len(claims)), key=lambda index: claims[index].priority)
    given = [min(claim.pinned, claim.replicas) for claim in claims]
    while _deal_round(capacity, claims, order, given):
        pass
    return given


def grown(capacity: int, claims: Sequence[Claim], given: Sequence[int], present: Sequence[Present]) -> list[int]:
    """These shares, as far as they may be had at once: a worker that was told to go has its slots until it is gone."""
    used = sum(claim.slots * those.there for claim, those in zip(claims, present, strict=True))
    now = [min(share, those.staying) for share, those in zip(given, present, strict=True)]
    for index in sorted(range(len(claims)), key=lambda index: claims[index].priority):
        slots = claims[index].slots
        while now[index] < given[index] and (used + slots <= capacity or used == 0):
            now[index] += 1
            used += slots
    return now


def _deal_round(capacity: int, claims: Sequence[Claim], order: list[int], given: list[int]) -> bool:
    """One more for each who has least of those that want more, while there is room; whether anyone got one."""
    hungry = [index for index in order if given[index] < claims[index].replicas]
    fewest = min((given[index] for index in hungry), default=0)
    used = sum(workers * claim.slots for workers, claim in zip(given, claims, strict=True))
    dealt = False
    for index in hungry:
        if given[index] == fewest and (used + claims[index].slots <= capacity or used == 0):
            given[index] += 1
            used += claims[index].slots
            dealt = True
    return dealt

"""Who leads, as a Lease tells it. Pure: the clock is the reader's own, for another machine's may be anything.

What a Lease says about times only shows that it was renewed: it holds for so many seconds after it was seen to change.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from .api import Object

HOLDS_SECONDS = 15.0
"""After its last renewal, for all others."""
LEADS_SECONDS = 10.0
"""After the last renewal, for the holder itself: it has stopped before anybody else begins."""
RENEW_EVERY = 2.0


@dataclass(frozen=True)
class Record:
    holder: str
    """Empty where it was given back."""
    seconds: float
    renewed: str
    """As it is written there: compared, never computed with."""
    transitions: int


@dataclass(frozen=True)
class Seen:
    record: Record
    at: float
    """Seconds on the own clock, when it was first seen to say this."""


class Step(enum.Enum):
    TAKE = "take it"
    RENEW = "renew it"
    WAIT = "wait"


def record(lease: Object) -> Record:
    spec = lease.get("spec", {})
    return Record(
        spec.get("holderIdentity") or "",
        float(spec.get("leaseDurationSeconds") or 0),
        spec.get("renewTime") or "",
        spec.get("leaseTransitions") or 0,
    )


def look(lease: Object | None, before: Seen | None, clock: float) -> Seen | None:
    """What is known of it after this look; None where there is no Lease."""
    if lease is None:
        return None
    found = record(lease)
    return before if before is not None and before.record == found else Seen(found, clock)


def step(seen: Seen | None, me: str, clock: float) -> Step:
    if seen is None or not seen.record.holder:
        return Step.TAKE
    if seen.record.holder == me:
        return Step.RENEW
    return Step.TAKE if clock - seen.at >= seen.record.seconds else Step.WAIT


def spec(seen: Seen | None, me: str, now: datetime) -> dict[str, Any]:
    """Of the Lease that `me` takes or renews."""
    time = now.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    renewed = {"holderIdentity": me, "leaseDurationSeconds": int(HOLDS_SECONDS), "renewTime": time}
    if seen is not None and seen.record.holder == me:
        return renewed
    return {**renewed, "acquireTime": time, "leaseTransitions": seen.record.transitions + 1 if seen else 0}


def given_back() -> dict[str, Any]:
    """The spec of a Lease that its holder leaves to whoever comes first."""
    return {"holderIdentity": None, "renewTime": None, "leaseDurationSeconds": 1}

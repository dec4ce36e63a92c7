"""What a status counts, in a few words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

MINUTE, HOUR, DAY = 60, 3600, 86400


@dataclass(frozen=True)
class Numbers:
    """Keys by what they wait for; total is None until the first refresh."""

    total: int | None
    done: int
    pending: int
    scheduled: int
    reserved: int
    error: int
    ignored: int

    @property
    def progress(self) -> str:
        return f"{self.done}/{self.total}" if self.total is not None else ""


def numbers(status: Mapping[str, Any]) -> Numbers:
    names = ("done", "pending", "scheduled", "reserved", "error", "ignored")
    return Numbers(status.get("total"), *(status.get(name, 0) for name in names))


def pace(status: Mapping[str, Any]) -> str:
    """`12/s` or `40/min`; empty where it is not known."""
    rate = status.get("throughputPerMinute")
    if not rate:
        return ""
    return f"{rate / MINUTE:.3g}/s" if rate >= MINUTE else f"{rate:.2g}/min"


def time_left(seconds: float | None) -> str:
    """`45 s`, `12 min`, `3 h 20 min`, `2 d`: as coarse as it is uncertain."""
    if seconds is None:
        return ""
    if seconds < 2 * MINUTE:
        return f"{max(1, round(seconds))} s"
    if seconds < 2 * HOUR:
        return f"{round(seconds / MINUTE)} min"
    if seconds < 2 * DAY:
        return f"{int(seconds // HOUR)} h {int(seconds % HOUR // MINUTE)} min"
    return f"{round(seconds / DAY)} d"


def clock(at: datetime) -> str:
    return at.replace(tzinfo=at.tzinfo or timezone.utc).astimezone().strftime("%H:%M:%S")

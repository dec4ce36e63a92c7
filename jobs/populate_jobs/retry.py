"""When a failed key is tried again, and how much later. Pure: attempts and chance are arguments."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .types import Failure, only_fields

KILLED = ("SIGKILL", "SIGTERM", "WorkerKilled")
"""Names for the end of a runner, and of a whole worker, that somebody killed: most often the kernel, for memory."""

DISK_FULL = ("(1021, ", "(1114, ", "could not extend file")
"""In the message: disk full and table full on MySQL and MariaDB, and PostgreSQL's words, whoever passes them on."""

TRANSIENT = (
    *KILLED,
    "LostConnectionError",
    "*(1205,*",
    "*(1213,*",
    "*(1020,*",
    "*(1412,*",
    "*(2006,*",
    "*(2013,*",
    "*(1290,*--read-only*",
    "*(1792,*",
    "*(1836,*",
    "*in a read-only transaction*",
    *(f"*{sign}*" for sign in DISK_FULL),
    "*deadlock*",
    "*Lock wait timeout*",
    "*due to lock timeout*",
    "*could not serialize access*",
    "*server closed the connection*",
    "*terminating connection due to*",
)
"""What is worth another try without anybody saying so: the database was busy or away, or memory was short just then."""


@dataclass(frozen=True)
class RetryPolicy:
    """`spec.retry`. Patterns are exception names or shell-style patterns on the message, case-insensitive."""

    limit: int = 3
    """Retries after the first attempt."""
    backoff_seconds: float = 10.0
    max_backoff_seconds: float = 600.0
    retry_on: tuple[str, ...] = ()
    """Besides transient database errors and killed workers; `*` is everything."""
    fail_on: tuple[str, ...] = ()
    """Never tried again, whatever retry_on says."""

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any]) -> RetryPolicy:
        lists = {name: tuple(data.get(name, ())) for name in ("retry_on", "fail_on")}
        return cls(**only_fields(cls, {**data, **lists}))


def worth_retrying(policy: RetryPolicy, failure: Failure) -> bool:
    if _matches(policy.fail_on, failure):
        return False
    return _matches(policy.retry_on + TRANSIENT, failure)


def backoff(policy: RetryPolicy, attempts: int, chance: float) -> float | None:
    """Seconds until the next try after `attempts` failed ones, or None where there is none left.

    Doubles from backoff_seconds to max_backoff_seconds; `chance` in [0, 1) takes up to half of it off.
    """
    if attempts > policy.limit:
        return None
    full = min(policy.max_backoff_seconds, policy.backoff_seconds * 2.0 ** (attempts - 1))
    return full * (1 - chance / 2)


def _matches(patterns: tuple[str, ...], failure: Failure) -> bool:
    message = failure.message.lower()
    return any(
        pattern.lower() == failure.exception.lower() or fnmatch.fnmatchcase(message, pattern.lower())
        for pattern in patterns
    )

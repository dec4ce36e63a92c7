"""The values that pass between the queue and those who use it."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

Key = Mapping[str, Any]
"""Attribute name to value, as the driver gives it (a uuid is `bytes` on MySQL), in primary-key order."""


WORKER_MARK = ".populate-worker"
"""Follows the worker's own name in the host under which it reserves: others see by it that it is one."""


def only_fields(cls: type, data: Mapping[str, Any]) -> dict[str, Any]:
    """Of a mapping from JSON what this version's dataclass knows of: a newer one may have written more."""
    return {field.name: data[field.name] for field in dataclasses.fields(cls) if field.name in data}


def worker_session(host: str) -> str:
    """The name of a worker's sessions, by which the statement held_by_unseen knows that it lives: of the 63 characters
    that PostgreSQL keeps, its own name has those that tell a pod from its siblings."""
    own, place, *_ = [*host.split(WORKER_MARK + "."), ""]
    return f"populate-worker {own[-30:]} {place[-16:]}"


@dataclass(frozen=True)
class Holder:
    """Who reserves: written to the row, and with `reserved_time` the fence of every later write to it."""

    host: str
    """Its own name, WORKER_MARK, and `.<namespace>.<installation id>` in a cluster, `.<host name>.<run id>` locally; at
    most 255 characters."""
    pid: int
    user: str = ""
    version: str = ""


@dataclass(frozen=True)
class Reservation:
    """One reserved row. host, pid, connection_id and reserved_time are the fence, exactly as written."""

    key: Key
    host: str
    pid: int
    connection_id: int
    reserved_time: datetime
    failed_before: bool = False
    """An earlier attempt left its message on the row."""
    suspect: bool = False
    """It was held by a worker that was killed: to be run while its worker holds nothing else."""


@dataclass(frozen=True)
class Failure:
    """Why a key was not made. `exception` is the class name, or what ended the runner (`SIGSEGV`, `TimeLimit`)."""

    exception: str
    message: str
    """As it will stand in error_message; DataJoint's form is `ValueError: too few beats`."""
    stack: str | None = None


class Outcome(enum.Enum):
    """What became of a reserved key."""

    MADE = "success"
    ERROR = "error"
    RETRY = "retry"
    """Pending again, after a back-off."""
    EMPTY = "ignore"
    """make inserted nothing."""
    VANISHED = "vanished"
    """The key has left key_source; the row is gone."""
    RELEASED = "released"
    LOST = "lost"
    """The row was no longer ours; nothing was changed."""


@dataclass(frozen=True)
class Refreshed:
    """What a refresh changed, in rows, and what it took, in seconds."""

    added: int = 0
    removed: int = 0
    re_pended: int = 0
    seconds: float = 0.0
    staged: bool = True
    """False where the right to make temporary tables was missing and keys went through the client."""


@dataclass(frozen=True)
class Recovered:
    """What became of the rows of workers that are gone."""

    released: int = 0
    completed: int = 0
    suspects: int = 0
    """Of the released: those to be made alone next."""
    ended: int = 0
    """Suspects that their worker died of while they were alone, once too often: now error."""


@dataclass(frozen=True)
class Counts:
    """Rows of the jobs table by what they wait for. `scheduled` rows are pending, but not yet due."""

    pending: int = 0
    scheduled: int = 0
    reserved: int = 0
    success: int = 0
    error: int = 0
    ignore: int = 0


@dataclass(frozen=True)
class Progress:
    """Keys of the restricted key_source, and how many of them the target has."""

    total: int
    done: int


@dataclass(frozen=True)
class ErrorGroup:
    """Error rows whose messages differ only in numbers, quoted text and the like."""

    signature: str
    count: int
    message: str
    """One of them, whole."""
    sample_key: Key


@dataclass(frozen=True)
class Server:
    """What probe found."""

    product: str
    """`MySQL`, `MariaDB` or `PostgreSQL`."""
    version: str
    connection_id: int

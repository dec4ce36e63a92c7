"""Which runs of `populate run` on this machine still live: one locked file each.

The kernel drops the lock when the last process of the run is gone, its workers included, so a file that can be locked
proves that nobody of that run can still be at work: its rows may be given back.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import secrets
from dataclasses import dataclass
from pathlib import Path

from populate_jobs.types import WORKER_MARK

_ID_BYTES = 5
_MARK = "run-"


def state_folder() -> Path:
    """Where this user's runs on this machine are known, whatever folder they were started in."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "populate" / "runs"


@dataclass(frozen=True)
class Run:
    """This run. Its workers inherit `lock`, a file descriptor."""

    id: str
    lock: int
    file: Path

    @property
    def suffix(self) -> str:
        """How the hosts of its workers end."""
        return f".{platform.node()}.{_MARK}{self.id}"

    def host(self, worker: str) -> str:
        return worker + WORKER_MARK + self.suffix

    def end(self) -> None:
        """Call once nothing is reserved any more: the proof is not needed then."""
        self.file.unlink(missing_ok=True)
        os.close(self.lock)


def begin(folder: Path) -> Run:
    folder.mkdir(parents=True, exist_ok=True)
    name = secrets.token_hex(_ID_BYTES)
    file = folder / name
    lock = os.open(file, os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return Run(name, lock, file)


def is_dead(folder: Path, host: str) -> bool:
    """Whether `host` is a worker of a run on this machine that is proved to be over."""
    rest, _, name = host.rpartition(f".{_MARK}")
    if not name.isalnum() or not rest.endswith(f".{platform.node()}"):
        return False
    with contextlib.suppress(OSError), (folder / name).open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False

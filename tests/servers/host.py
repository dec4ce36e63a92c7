"""What the machine gives: a cache folder, locks, free ports, Debian packages; and how its refusals are told."""

import contextlib
import fcntl
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

# Debian keeps servers there, and not everybody's path has it.
os.environ["PATH"] += f"{os.pathsep}/usr/sbin"

PATIENCE = 200.0
"""Seconds until something that is waited for counts as not coming, on a machine that is slow and busy."""

PORTS = range(15000, 30000)
"""Above them are those of Kubernetes' services, and those that the kernel gives to outgoing connections."""


class Unavailable(Exception):
    """A server cannot be had on this machine; `excused` where even CI must accept that."""

    def __init__(self, reason: str, *, excused: bool = False) -> None:
        super().__init__(reason)
        self.excused = excused


def say(message: str) -> None:
    print(f"servers: {message}", file=sys.stderr, flush=True)


def cache() -> Path:
    """Folder outside the checkout that keeps images, data and state between runs."""
    chosen = os.environ.get("POPULATE_CACHE")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = Path(chosen) if chosen else base / "populate-operator"
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve()


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """Keep other processes out for as long as the block runs; the lock dies with its process."""
    with open(cache() / f"{name}.lock", "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def free_port() -> int:
    """Given to nobody else until all the others were, so that it is still free when it is listened at."""
    with locked("port"):
        last = cache() / "port"
        given = int(last.read_text() or 0) if last.exists() else 0
        after = (given + 1) % len(PORTS)
        port: int = next(filter(_is_free, (*PORTS[after:], *PORTS[:after])))
        last.write_text(str(PORTS.index(port)))
    return port


def _is_free(port: int) -> bool:
    with socket.socket() as listener, contextlib.suppress(OSError):
        listener.bind(("", port))
        return True
    return False


def wait_until(condition: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    """Raise TimeoutError when `condition` is still false after so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.1)


def install(program: str, *packages: str) -> None:
    """Have `program`, from Debian packages where it is missing."""
    if shutil.which(program):
        return
    if not shutil.which("apt-get") or os.geteuid() != 0:
        raise Unavailable(f"{program} is not installed, and only root on Debian can install it here")
    say(f"installing {' '.join(packages)} with apt-get (about a minute)")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
        done = subprocess.run(["apt-get", "-qq", *arguments], env=quiet, capture_output=True, text=True)
        if done.returncode:
            raise Unavailable(f"apt-get {arguments[0]} failed: {done.stderr.strip()[-500:]}")
    if not shutil.which(program):
        raise Unavailable(f"{' '.join(packages)} brought no {program}")

"""The memory that this container may use, as its control group says, of version 1 or 2."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

UNLIMITED = 1 << 60
"""Version 1 knows no word for it."""
RAISE = "raise resources.limits.memory of the container `worker` in spec.worker.template"

_MOUNT = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")
_FILES = {1: ("memory.limit_in_bytes", "memory.oom_control"), 2: ("memory.max", "memory.events")}


@dataclass(frozen=True)
class Memory:
    """`kills` is how often the kernel has killed something here for want of it; None where nothing tells."""

    limit: int | None = None
    """Bytes."""
    kills: int | None = None

    def __str__(self) -> str:
        return "no limit" if self.limit is None else f"a limit of {self.limit / 2**20:.0f} MiB"


def look() -> Memory:
    """As it is now."""
    for version, folder in _folders():
        limit, events = (folder / name for name in _FILES[version])
        try:
            return Memory(_bytes(limit.read_text()), _kills(events.read_text()))
        except OSError:
            continue
    return Memory()


def killed(before: Memory, now: Memory) -> bool:
    """Whether the kernel has killed something in between, as far as can be told."""
    return now.kills is not None and now.kills > (before.kills or 0)


def _folders() -> list[tuple[int, Path]]:
    """Where the group may be seen: under its own name, or in a container that sees nothing above it."""
    try:
        lines = [line.split(":", 2) for line in _OWN.read_text().splitlines()]
    except OSError:
        return []
    paths = [(1, _MOUNT / "memory", path) for _, names, path in lines if "memory" in names.split(",")]
    paths += [(2, _MOUNT, path) for _, names, path in lines if not names]
    return [(version, folder) for version, mount, path in paths for folder in (mount / path.strip("/"), mount)]


def _bytes(text: str) -> int | None:
    limit = text.strip()
    return None if limit == "max" or int(limit) >= UNLIMITED else int(limit)


def _kills(text: str) -> int | None:
    counts = dict(line.split() for line in text.splitlines() if line)
    return int(counts["oom_kill"]) if "oom_kill" in counts else None

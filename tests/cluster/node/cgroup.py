"""The control group that holds the node's pods, in every hierarchy that the machine has."""

from pathlib import Path

from . import network

NAME = f"populate-operator-{network.NODE}"
_MOUNT = Path("/sys/fs/cgroup")


def create() -> None:
    if (_MOUNT / "cgroup.controllers").exists():
        offered = (_MOUNT / "cgroup.controllers").read_text().split()
        (_MOUNT / "cgroup.subtree_control").write_text(" ".join(f"+{controller}" for controller in offered))
    for hierarchy in _hierarchies():
        (hierarchy / NAME).mkdir(exist_ok=True)


def remove() -> None:
    """Remove it with all below it; no process may be left in them."""
    for hierarchy in _hierarchies():
        inner = [folder for folder in (hierarchy / NAME).rglob("*") if folder.is_dir()]
        for folder in [*sorted(inner, reverse=True), hierarchy / NAME]:
            if folder.exists():
                folder.rmdir()


def _hierarchies() -> list[Path]:
    """One with cgroup v2; with v1 one for each controller."""
    if (_MOUNT / "cgroup.controllers").exists():
        return [_MOUNT]
    return [folder for folder in _MOUNT.iterdir() if folder.is_dir() and not folder.is_symlink()]

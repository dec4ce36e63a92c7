"""Debian's packages, without a registry: root file systems by mmdebstrap."""

import subprocess
from pathlib import Path

from .host import Unavailable, install


def base(suite: str, archive: Path, *options: str) -> None:
    """Write a minimal root file system as a tar; `options` are mmdebstrap's. Raises Unavailable."""
    _mmdebstrap(suite, archive, "--variant=minbase", *options)


def unpack(suite: str, package: str, folder: Path) -> None:
    """Unpack one package and what it depends on, without configuring anything. Raises Unavailable."""
    _mmdebstrap(suite, folder, "--variant=extract", f"--include={package}")


def _mmdebstrap(suite: str, target: Path, *options: str) -> None:
    install("mmdebstrap", "mmdebstrap")
    partial = target.with_name(f"partial-{target.name}")
    # Unstable's package list may be past its date.
    late = '--aptopt=Acquire::Check-Valid-Until "false"'
    command = ["mmdebstrap", "--quiet", *options, late, suite, str(partial)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise Unavailable(f"mmdebstrap cannot make Debian {suite}: {done.stderr[-500:]}", excused=suite != "bookworm")
    partial.rename(target)

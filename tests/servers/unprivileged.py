"""Commands that must not run as root: database servers and their tools."""

import os
import shutil
import subprocess
from pathlib import Path

from .host import Unavailable

# `nobody` reads the binaries in root's cache by this one capability.
_NOBODY = (
    "setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups",
    "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search",
)  # fmt: skip


def command(*words: str) -> list[str]:
    """The command as this user or, where that is root, as nobody."""
    return [*(_NOBODY if os.geteuid() == 0 else ()), *words]


def run(*words: str) -> None:
    """Run to the end; raise Unavailable with what was said when it fails."""
    done = subprocess.run(command(*words), stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise Unavailable(f"{Path(words[0]).name} failed: {(done.stderr or done.stdout)[-1500:]}")


def make_folder(folder: Path) -> None:
    folder.mkdir(parents=True)
    if os.geteuid() == 0:
        shutil.chown(folder, "nobody", "nogroup")

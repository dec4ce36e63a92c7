"""Commands that must not run as root: database servers and their tools."""

import functools
import os
import shutil
import subprocess
from pathlib import Path

from .host import Unavailable

# Root by another name: a user namespace shows root's own files as those of `nobody`, who is refused nothing.
_RENAMED = ("unshare", "--user", "--map-user=65534", "--map-group=65534")
# Where namespaces are forbidden, `nobody` in earnest; the cache must then be somewhere that all may enter.
_NOBODY = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")


@functools.cache
def _disguise() -> tuple[str, ...]:
    if os.geteuid() != 0:
        return ()
    namespaces = subprocess.run([*_RENAMED, "true"], capture_output=True).returncode == 0
    return _RENAMED if namespaces else _NOBODY


def command(*words: str) -> list[str]:
    """The command as this user or, where that is root, as somebody else."""
    return [*_disguise(), *words]


def run(*words: str) -> None:
    """Run to the end; raise Unavailable with what was said when it fails."""
    done = subprocess.run(command(*words), stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        where = "; set POPULATE_CACHE to a folder that user nobody can enter" if _disguise() == _NOBODY else ""
        raise Unavailable(f"{Path(words[0]).name} failed{where}: {(done.stderr or done.stdout)[-1500:]}")


def make_folder(folder: Path) -> None:
    folder.mkdir(parents=True)
    if _disguise() == _NOBODY:
        shutil.chown(folder, "nobody", "nogroup")

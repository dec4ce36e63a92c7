"""Child processes that never outlive us: workers, and runs of resolve."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from populate_jobs import tied

LARGEST_LOG = 10 * 2**20
"""Bytes; what is older is kept in one file beside it, `NAME.1`."""
TAIL_BYTES = 4096


class Process:
    """A command with its output in a file, or on our own stderr, and a session of its own: Ctrl-C reaches us alone."""

    def __init__(self, command: list[str], environment: Mapping[str, str], output: Path | None, keep_open: int) -> None:
        """`keep_open` is a file descriptor that the process inherits."""
        self.output = output
        lifeline, self._lifeline = os.pipe()
        with contextlib.ExitStack() as stack:
            stack.callback(os.close, lifeline)
            to = stack.enter_context(output.open("ab")) if output else sys.stderr
            self._popen = subprocess.Popen(
                [sys.executable, "-I", "-S", tied.__file__, str(lifeline), *command],
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=to,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(keep_open, lifeline),
            )

    @property
    def pid(self) -> int:
        return self._popen.pid

    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while it lives."""
        status = self._popen.poll()
        if status is not None and self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1
        return status

    def terminate(self) -> None:
        self._popen.terminate()

    def kill(self) -> None:
        self._popen.kill()


def died_of(status: int) -> str | None:
    """The name of the signal that ended a process, from its exit status."""
    if status >= 0:
        return None
    with contextlib.suppress(ValueError):
        return signal.Signals(-status).name
    return f"signal {-status}"


def last_line(output: Path | None) -> str:
    """The last line of a log that says something; empty where there is none."""
    if output is None:
        return ""
    with contextlib.suppress(OSError), output.open("rb") as file:
        file.seek(max(0, output.stat().st_size - TAIL_BYTES))
        lines = file.read().decode(errors="replace").splitlines()
        return next((line.strip() for line in reversed(lines) if line.strip()), "")
    return ""


def keep_small(output: Path) -> None:
    """Empties a log that has grown large: its writers append, so they go on at its new end."""
    with contextlib.suppress(OSError):
        if output.stat().st_size > LARGEST_LOG:
            shutil.copyfile(output, f"{output}.1")
            os.truncate(output, 0)

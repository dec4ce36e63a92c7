"""Why a key was not made, in words: an exception, the death of the runner, the time limit."""

from __future__ import annotations

import signal
import traceback

from populate_jobs import Failure
from populate_jobs.retry import DISK_FULL

MESSAGE_LENGTH = 4000
STACK_LENGTH = 30_000
"""Characters of a message's start and of a traceback's end that leave the runner: a message may hold a whole array."""


def of_exception(error: BaseException) -> Failure:
    """In DataJoint's form."""
    name, text = type(error).__name__, _encodable(_text(error)[:MESSAGE_LENGTH])
    stack = "".join(traceback.format_exception(error))[-STACK_LENGTH:]
    return Failure(name, f"{name}: {text}" if text else name, _encodable(stack))


def is_full_disk(failure: Failure) -> bool:
    """The server has no room for what any make inserts; a full disk of the worker's own is another matter."""
    return failure.exception == "DiskFull" or any(sign in failure.message for sign in DISK_FULL)


def of_death(exit_code: int, memory: str | None = None) -> Failure:
    """`exit_code` as subprocess gives it: negative is a signal; `memory` is what there was of it, where it ran out."""
    if exit_code >= 0:
        return Failure("RunnerExit", f"Runner exited with code {exit_code} in make (os._exit, or a fatal error)")
    name = signal_name(-exit_code)
    if memory is not None and name == "SIGKILL":
        return Failure(name, f"OOMKilled: make needs more memory than there is, {memory}")
    hint = ", likely out of memory: raise the worker's memory limit" if name == "SIGKILL" else ""
    return Failure(name, f"Runner killed by {name}{hint}")


def of_time_limit(seconds: float) -> Failure:
    return Failure("TimeLimit", f"TimeLimit: make ran longer than {seconds:g} s (spec.timeoutSeconds)")


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 the lab's own __str__
        return "(its text could not be had)"


def _encodable(text: str) -> str:
    """File names may hold what no database takes."""
    return text.encode(errors="backslashreplace").decode()


def signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"

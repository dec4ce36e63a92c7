"""What becomes of the key that a make was given, whether make returned, raised, or took its process with it. Pure."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from enum import Enum, auto

from populate_jobs import Failure

from populate_worker import failures

from .drain import Stage

_BY_OTHERS = (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT)
_BY_SIGNAL = ("Terminated", "KeyboardInterrupt", "SystemExit")


class Fate(Enum):
    MADE = auto()
    FAILED = auto()
    GIVEN_BACK = auto()
    STRUCK = auto()
    """The same, for somebody sent SIGTERM: to all processes, it may be. Who is struck again draws it."""
    POSTPONED = auto()
    """Given back, for no key can be made now."""
    SUSPECTED = auto()
    """To be made again while its worker holds nothing else, to see whether it was at fault."""


@dataclass(frozen=True)
class Circumstances:
    stage: Stage = Stage.WORK
    terminated: bool = False
    """We ended the runner."""
    verdict: Failure | None = None
    """And why, where that is the key's fault."""
    memory: str | None = None
    """How much there is, where the kernel has just killed for want of it."""
    excused: bool = True
    """It may be postponed for a full disk: others cannot be made either."""
    struck: bool = False
    """Somebody ended the runner when it made that key before."""
    in_company: bool = False
    """Other keys were being made in the same memory."""


def after_make(failure: Failure | None, seen: Circumstances) -> tuple[Fate, Failure | None]:
    """A shutdown is never the key's fault."""
    if failure is None:
        return Fate.MADE, None
    if seen.terminated:
        return (Fate.FAILED, seen.verdict) if seen.verdict else (Fate.GIVEN_BACK, None)
    if seen.stage > Stage.WORK and failure.exception in _BY_SIGNAL:
        return Fate.GIVEN_BACK, None
    if failure.exception == "Terminated":
        return (Fate.FAILED, failures.of_death(-signal.SIGTERM)) if seen.struck else (Fate.STRUCK, None)
    if seen.excused and failures.is_full_disk(failure):
        return Fate.POSTPONED, failure
    return Fate.FAILED, failure


def after_death(exit_code: int, seen: Circumstances) -> tuple[Fate, Failure | None]:
    """The kernel kills what uses most memory, which need not be what made it scarce."""
    if seen.terminated:
        return (Fate.FAILED, seen.verdict) if seen.verdict else (Fate.GIVEN_BACK, None)
    if seen.stage > Stage.WORK and exit_code in _BY_OTHERS:
        return Fate.GIVEN_BACK, None
    failure = failures.of_death(exit_code, seen.memory)
    if exit_code == -signal.SIGKILL and seen.in_company:
        return Fate.SUSPECTED, failure
    return Fate.FAILED, failure

"""A runner as its supervisor sees it: a process, a socket, a pipe, and the keys it was given."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from populate_jobs import Assignment, Failure, Reservation

from populate_worker import messages
from populate_worker.messages import Channel, Make, Message, Stop

from .output import Tagger, new_marker

OUTPUT_CHUNK = 64 * 1024

_HAS_ENDED = (ProcessLookupError, PermissionError)
"""The latter is what macOS says of a process that has ended and is not reaped yet."""


@dataclass(frozen=True)
class Running:
    """A key that a make has begun."""

    number: int
    reservation: Reservation
    since: float


class RunnerProcess:
    """Started at once. `ready` and `running` are kept by the caller, as the runner reports."""

    def __init__(self, assignment: Assignment, environment: Mapping[str, str]) -> None:
        self.ready = False
        self.running: Running | None = None
        self.retired = False
        """Told to end when it has nothing left to make."""
        self.condemned: int | None = None
        self.verdict: Failure | None = None
        """The key for which we ended it, and why; it may have gone on to the next before we did."""
        self.terminated_at: float | None = None
        self.fed: dict[int, tuple[Reservation, float]] = {}
        """What it was given and has not begun, by number, and when it was reserved."""
        self._numbers = itertools.count(1)
        ours, theirs = messages.pair()
        ours.setblocking(False)
        self.channel, self._unread = Channel(ours), Channel(theirs)
        self.output, write_end = os.pipe()
        os.set_blocking(self.output, False)
        lifeline, self._lifeline = os.pipe()
        marker = new_marker()
        try:
            self.channel.send(_begin(assignment, marker))
            self._process = _spawn((theirs.fileno(), lifeline), write_end, environment)
        except OSError:
            self.close()
            raise
        finally:
            os.close(write_end)
            os.close(lifeline)
        self._tagger = Tagger(marker, f"runner {self.pid}")

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def idle(self) -> bool:
        return self.running is None and not self.fed

    def feed(self, reservation: Reservation, since: float) -> bool:
        """Whether the key is now the runner's to begin; not where it cannot take any more."""
        number = next(self._numbers)
        try:
            self.channel.send(Make(number, dict(reservation.key)))
        except OSError:
            return False
        self.fed[number] = reservation, since
        return True

    def begin(self, number: int, now: float) -> None:
        reservation, _ = self.fed.pop(number)
        self.running = Running(number, reservation, now)

    def take_back(self) -> list[tuple[Reservation, float]]:
        """What it has not read yet, and now never will."""
        if not self.fed:  # what it has not read then is what it begins with, or a Stop
            return []
        unread = list(self._unread.waiting())
        if any(isinstance(message, Stop) for message in unread):
            self._tell_to_stop()
        return [self.fed.pop(message.number) for message in unread if isinstance(message, Make)]

    def retire(self) -> None:
        """It ends by itself once it has made what it has; take_back() first leaves it only the key it is at."""
        if not self.retired:
            self.retired = True
            self._tell_to_stop()

    def _tell_to_stop(self) -> None:
        with contextlib.suppress(OSError):
            self.channel.send(Stop())

    def messages(self) -> Iterator[Message]:
        return self.channel.waiting()

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def lines(self) -> Iterator[str]:
        """Lines of output that are there, a chunk at most."""
        with contextlib.suppress(BlockingIOError):
            yield from self._tagger.feed(os.read(self.output, OUTPUT_CHUNK))

    def last_lines(self) -> Iterator[str]:
        """Of a process that has ended."""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self.output, OUTPUT_CHUNK):
                yield from self._tagger.feed(data)
        yield from self._tagger.end()

    def signal(self, number: int) -> None:
        with contextlib.suppress(*_HAS_ENDED):
            os.kill(self.pid, number)

    def kill(self) -> None:
        """With all that it started and that stayed in its session."""
        with contextlib.suppress(*_HAS_ENDED):
            os.killpg(self.pid, signal.SIGKILL)

    def bury(self) -> int:
        """The exit code of a process that has ended (negative is a signal); what it left behind ends too."""
        self.kill()
        return self._process.wait()

    def close(self) -> None:
        self.channel.close()
        self._unread.close()
        os.close(self.output)
        os.close(self._lifeline)


def _spawn(ends: tuple[int, int], output: int, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "populate_worker.runner", *map(str, ends)],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        pass_fds=ends,
        env=dict(environment),
        start_new_session=True,
    )


def _begin(assignment: Assignment, marker: bytes) -> messages.Begin:
    document = assignment.document
    uuids = tuple(attribute.name for attribute in document.primary_key if attribute.type == "uuid")
    return messages.Begin(document.table, uuids, dict(assignment.settings.make_kwargs), marker)

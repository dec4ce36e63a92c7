"""The process that runs the lab's code: imports the class once, then makes the keys that its supervisor sends.

`python -m populate_worker.runner FD LIFELINE`: FD is its end of a socket (see messages), LIFELINE of a pipe that is
open while its supervisor lives. It leads a session of its own, so that Ctrl-C and SIGTERM reach the supervisor alone,
and dies with its supervisor.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import signal
import socket
import sys
import time
from typing import TYPE_CHECKING, Any

from populate_jobs import tied

from populate_worker import failures, waiting
from populate_worker.messages import Begin, Broken, Channel, Ended, Make, Message, Ready, Report, describe

if TYPE_CHECKING:
    from populate_worker.datajoint_adapter import AutoPopulated

PR_SET_PDEATHSIG = 1

LONG_IDLE_SECONDS = 10.0
"""After so long the connection is looked at before the next key, which else would be the one to find it gone."""


class Terminated(SystemExit):
    """The supervisor ends this process; raised in make, so that what make opened is closed."""


class Output:
    """Standard output and error: a marker line tells which key wrote what follows it."""

    def __init__(self, marker: bytes) -> None:
        self._marker = marker
        self._libc = ctypes.CDLL(None)
        self._descriptor = os.dup(1)
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]

    def belongs_to(self, tag: str) -> None:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):  # make may have put anything in their place
                stream.flush()
        self._libc.fflush(None)
        os.write(self._descriptor, self._marker + tag.encode("utf-8", "backslashreplace") + b"\n")


class Runner:
    def __init__(self, channel: Channel, table: AutoPopulated, output: Output) -> None:
        self._channel = channel
        self._table = table
        self._output = output
        self._ended: Ended | None = None

    def serve(self) -> None:
        """Makes keys until told to stop; raises EOFError when the supervisor is gone."""
        self._ready()
        while isinstance(work := self._next(), Make):
            self._report(work.number, describe(work.key))
            self._ended = self._make(work)

    def _next(self) -> Message | None:
        if self._ended and self._ended.failure:
            self._report(None)
            self._ready()
        work = self._channel.receive(wait=False)
        if self._ended and not isinstance(work, Make):
            self._report(None)
        return self._wait() if work is None else work

    def _wait(self) -> Message | None:
        since = time.monotonic()
        work = self._channel.receive(wait=True)
        if time.monotonic() - since > LONG_IDLE_SECONDS:
            self._restore()
        return work

    def _make(self, work: Make) -> Ended:
        started, process = time.monotonic(), os.getpid()
        try:
            return Ended(work.number, self._table.make(work.key), None)
        except Terminated as error:
            if os.getpid() != process:
                raise
            self._ended = Ended(work.number, time.monotonic() - started, failures.of_exception(error))
            self._report(None)
            raise
        except BaseException as error:  # noqa: BLE001 sys.exit() in make is that key's failure, not our end
            failure = self._table.failure(error)
            print(failure.stack, file=sys.stderr)
            return Ended(work.number, time.monotonic() - started, failure)
        finally:
            if os.getpid() != process:  # forked in make, it is no runner
                os._exit(1)

    def _report(self, started: int | None, tag: str = "") -> None:
        self._output.belongs_to(tag)
        self._channel.send(Report(self._ended, started))
        self._ended = None

    def _ready(self) -> None:
        self._restore()
        self._channel.send(Ready(self._table.version))

    def _restore(self) -> None:
        """Comes back with a connection that works, however long that takes."""
        waiting.until(self._table.restore)


def main(arguments: list[str]) -> int:
    _die_with_supervisor(int(arguments[1]))
    signal.signal(signal.SIGTERM, _terminate)
    faulthandler.enable()
    channel = Channel(socket.socket(fileno=int(arguments[0])))
    try:
        begin = channel.receive(wait=True)
        assert isinstance(begin, Begin)
        output = Output(begin.marker)
        table = _table(begin, channel)
        if table is None:
            return 1
        Runner(channel, table, output).serve()
    except (EOFError, BrokenPipeError):
        print("the supervisor is gone", file=sys.stderr)
        return 1
    except Terminated:
        return 1
    return 0


def _die_with_supervisor(lifeline: int) -> None:
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    else:  # Linux alone has it
        tied.guard(lifeline, signal.SIGKILL)
    os.close(lifeline)


def _table(begin: Begin, channel: Channel) -> AutoPopulated | None:
    try:
        from populate_worker.datajoint_adapter import AutoPopulated

        return AutoPopulated(begin.table, begin.make_kwargs, begin.uuid_attributes)
    except Terminated:
        raise
    except BaseException as error:  # noqa: BLE001 whatever the lab's module does when imported
        channel.send(Broken(failures.of_exception(error)))
        return None


def _terminate(signum: int, frame: Any) -> None:  # noqa: ARG001
    raise Terminated(f"runner terminated by {failures.signal_name(signum)}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Ends a process when the one that started it is gone, however it went: nobody keeps open the other end of a pipe then.

`python tied.py LIFELINE COMMAND [ARGUMENT ...]` becomes a command that gets SIGTERM, once; LIFELINE is the reading end
of a pipe whose other end only the starting process holds. Linux sends the signal when that end is closed, and keeps
the wish across exec, so nothing stays in between. (PR_SET_PDEATHSIG would come once for every thread of the dying
process, and twice means hurry.) Elsewhere it takes a guard.
"""

import contextlib
import fcntl
import os
import select
import signal
import sys


def main(lifeline: int, command: list[str]) -> None:
    if hasattr(fcntl, "F_SETSIG"):
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGTERM)
        fcntl.fcntl(lifeline, fcntl.F_SETFL, os.O_ASYNC)
    else:
        guard(lifeline, signal.SIGTERM)
    if select.select([lifeline], [], [], 0)[0]:
        sys.exit("the process that started this one is gone")
    os.execv(command[0], command)  # noqa: S606 there is no shell to want


def guard(lifeline: int, number: signal.Signals) -> None:
    """Leaves a process behind that signals our process group when the other end of `lifeline` is closed.

    A process, for the code that it guards may be anything, also exec, or C that holds Python's lock for hours. It is
    nobody's child, for that code may wait for all of its children.
    """
    if child := os.fork():
        os.waitpid(child, 0)
        return
    try:
        if os.fork() == 0:
            _watch(lifeline, number)
    finally:
        os._exit(0)


def _watch(lifeline: int, number: signal.Signals) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    for descriptor in map(int, os.listdir("/dev/fd")):
        if descriptor != lifeline:
            with contextlib.suppress(OSError):
                os.close(descriptor)
    select.select([lifeline], [], [])
    os.killpg(0, number)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])

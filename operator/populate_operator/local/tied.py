"""Runs a command that gets SIGTERM, once, when the process that started it is gone, however it went.

`python tied.py LIFELINE COMMAND [ARGUMENT ...]`, where LIFELINE is the reading end of a pipe whose other end only the
starting process holds. Linux sends the signal when that end is closed, and keeps the wish across exec, so nothing stays
in between. (PR_SET_PDEATHSIG would come once for every thread of the dying process, and twice means hurry.)
"""

import fcntl
import os
import select
import signal
import sys


def main(lifeline: int, command: list[str]) -> None:
    if sys.platform == "linux":
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGTERM)
        fcntl.fcntl(lifeline, fcntl.F_SETFL, os.O_ASYNC)
    if select.select([lifeline], [], [], 0)[0]:
        sys.exit("the process that started this one is gone")
    os.execv(command[0], command)  # noqa: S606 there is no shell to want


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])

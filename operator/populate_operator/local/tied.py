"""Runs a command that gets SIGTERM when the process that started it dies, however it dies.

`python tied.py PARENT_PID COMMAND [ARGUMENT ...]`. The kernel keeps the wish across exec, so nothing stays in between;
asked for here rather than between fork and exec, where a process with threads must not run Python.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM))
    if os.getppid() != parent:
        sys.exit(f"{parent} ended before its worker began")
    os.execv(command[0], command)  # noqa: S606 there is no shell to want


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])

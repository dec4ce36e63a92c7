"""A fake of macOS: every Python that finds this on its path lacks what macOS lacks and workers would use."""

import ctypes
import errno
import os
import socket

_look_up = ctypes.CDLL.__getattr__
_socketpair = socket.socketpair
_killpg = os.killpg


def _look_up_elsewhere(library, name):
    if name == "prctl":
        raise AttributeError(name)
    return _look_up(library, name)


def _socketpair_elsewhere(family=socket.AF_UNIX, type=socket.SOCK_STREAM, proto=0):
    if type == socket.SOCK_SEQPACKET:
        raise OSError(errno.EPROTONOSUPPORT, os.strerror(errno.EPROTONOSUPPORT))
    return _socketpair(family, type, proto)


def _killpg_elsewhere(group, number):
    """Others of the group get the signal all the same."""
    with open(f"/proc/{group or os.getpgrp()}/stat") as leader:
        is_zombie = leader.read().rpartition(")")[2].split()[0] == "Z"
    _killpg(group, number)
    if is_zombie:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))


ctypes.CDLL.__getattr__ = _look_up_elsewhere
socket.socketpair = _socketpair_elsewhere
if os.environ["ELSEWHERE"] == "before Python 3.13":
    del os.waitid
else:
    os.killpg = _killpg_elsewhere

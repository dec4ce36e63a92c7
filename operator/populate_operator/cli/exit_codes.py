"""What `populate` exits with."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    DONE = 0
    LEFT_OVER = 1
    """Keys with errors remain, or the database or the workers could not be had."""
    BAD_INPUT = 2
    """The command line, the manifest or what it asks for is wrong."""
    INTERRUPTED = 130


EXPLAINED = """\
exit codes:
  0    done: all keys were made
  1    keys with errors remain; or the database, or the workers, could not be had
  2    bad input: the command line, the manifest, or what resolve refuses
  130  interrupted
"""

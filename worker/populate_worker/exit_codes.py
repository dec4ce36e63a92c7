"""What `populate-worker run` exits with."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    DONE = 0
    """Told to stop, and stopped: nothing stays reserved."""
    USAGE = 2
    """The command line, the assignment or the database settings cannot be used."""
    REFUSED = 3
    """The server cannot hold a queue, or refuses the login or what the worker needs to do."""
    RUNNER_BROKEN = 4
    """The class could not be imported, several times over; its keys were given back."""
    LEFT_RESERVED = 5
    """Told to stop while the database was away: what was held stays reserved until it is recovered."""

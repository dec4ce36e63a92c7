"""One process at a time: what a server does to a schema is for nobody else to see half done."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from .connection import connect
from .errors import PopulateError
from .settings import DatabaseSettings

TURN_SECONDS = 60
"""Who waits for longer goes on: a process that hangs must not stop everybody."""


@contextlib.contextmanager
def turn(settings: DatabaseSettings) -> Iterator[None]:
    """Waits for its turn among all that use this on the server (PostgreSQL: in the database).

    A session of its own holds it, whose end gives it back however the process ends; where the server gives none, the
    work goes on without.
    """
    with contextlib.ExitStack() as held:
        with contextlib.suppress(PopulateError):
            connection = connect(settings, name="populate turn", lock_seconds=TURN_SECONDS)
            held.callback(connection.close)
            connection.execute("BEGIN")  # a pooler shares sessions, but no transaction
            connection.execute(connection.statements["take_turn"])
        yield

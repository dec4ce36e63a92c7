"""What an error of PostgreSQL means, whichever driver it comes through."""

from __future__ import annotations

import re

from .errors import (
    Contended,
    DatabaseError,
    DatabaseUnreachable,
    Duplicate,
    LockWaitedFor,
    LoginRefused,
    MissingGrant,
    TableMissing,
    TookTooLong,
    Unrepresentable,
)

# By SQLSTATE, or by its class of two characters.
_KINDS: dict[str, type[DatabaseError]] = {
    "08": DatabaseUnreachable,
    "57P": DatabaseUnreachable,
    "25P03": DatabaseUnreachable,  # idle in a transaction for too long
    "25P04": DatabaseUnreachable,  # in a transaction for too long
    "53100": DatabaseUnreachable,  # disk full
    "53300": DatabaseUnreachable,  # too many connections
    "25006": DatabaseUnreachable,  # read-only
    "28": LoginRefused,
    "3D000": LoginRefused,  # no such database
    "42501": MissingGrant,
    "42P01": TableMissing,
    "42P07": Duplicate,  # a table
    "42703": TableMissing,
    "3F000": TableMissing,
    "23505": Duplicate,
    "22P05": Unrepresentable,
    "57014": TookTooLong,  # statement_timeout
    "40001": Contended,
    "40P01": Contended,
    "55P03": LockWaitedFor,
}
_LOGIN = re.compile(
    r"password authentication failed|no password supplied|pg_hba\.conf"
    r'|(database|role) ".*" does not exist|role ".*" is not permitted to log in|permission denied for database'
)
"""What libpq says of a login that is refused: it has no SQLSTATE for what happens while it connects."""


def meaning(state: str | None, text: str, *, of_connection: bool) -> DatabaseError:
    """The project's error for one with this SQLSTATE; where it has none, `of_connection` is whether its class is one of
    those for what happens to the connection."""
    if state is not None:
        kinds = (_KINDS.get(state[:length]) for length in (5, 3, 2))
        kind = next((kind for kind in kinds if kind), DatabaseError)
        return kind(f"{text} ({state})", code=state)
    if _LOGIN.search(text):
        return LoginRefused(text)
    return DatabaseUnreachable(text) if of_connection else DatabaseError(text)

"""Every error the project raises on purpose. One root, messages that say what to do next."""

from __future__ import annotations

LONGEST_TEXT = 4000
"""Characters of what a server says: it may say as many as it likes."""


class PopulateError(Exception):
    """Root of all errors raised on purpose by this project."""


class SettingsError(PopulateError):
    """A database setting is missing or has a value that cannot be used."""


class DocumentError(PopulateError):
    """A resolve document or an assignment cannot be read or speaks another protocol."""


class DatabaseError(PopulateError):
    """The database refused or lost a statement; `__cause__` is the driver's own error.

    `code` is the server's error number (MySQL, MariaDB) or SQLSTATE (PostgreSQL), where there was one.
    """

    def __init__(self, message: str, *, code: int | str | None = None) -> None:
        super().__init__(message[:LONGEST_TEXT])
        self.code = code


class DatabaseUnreachable(DatabaseError):
    """No connection could be made, or the one there was is gone."""


class LoginRefused(DatabaseError):
    """The server does not accept this user and password, or not for this database."""


class MissingGrant(DatabaseError):
    """The user may not do what the statement needs."""


class TableMissing(DatabaseError):
    """The target, its jobs table or a column of them does not exist (any more)."""


class Duplicate(DatabaseError):
    """A row with this key is there already."""


class Contended(DatabaseError):
    """Deadlock, lock wait or serialization failure, still there after the retries."""


class LockWaitedFor(Contended):
    """Somebody held a row or a table for longer than the session waits."""


class Unrepresentable(DatabaseError):
    """A text has characters that the column's character set does not."""


class TookTooLong(DatabaseError):
    """It was ended, for it took more time than it may."""


class ServerUnsuitable(DatabaseError):
    """The server cannot hold a queue: no SKIP LOCKED, or a binary log that forbids READ COMMITTED."""


class ResolveRefused(PopulateError):
    """What a PopulateJob asks for cannot be done; `reason` is a CamelCase word for a condition."""

    def __init__(self, reason: str, message: str, *, traceback: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.traceback = traceback

"""Errors as a reason and a message that says what to do. Without DataJoint, whose absence is one of them."""

from __future__ import annotations

import traceback

from populate_jobs.errors import PopulateError, ResolveRefused, SettingsError

TRACEBACK_LINES = 20


def as_refusal(error: PopulateError) -> ResolveRefused:
    """Any error of resolve or of the queue; its reason is the error's name where it brings none."""
    reason = getattr(error, "reason", "") or _REASONS.get(type(error), type(error).__name__)
    advice = f"; {_ADVICE[reason]}" if reason in _ADVICE else ""
    return ResolveRefused(reason, f"{error}{advice}", traceback=getattr(error, "traceback", ""))


def end_of_traceback(error: BaseException) -> str:
    lines = "".join(traceback.format_exception(type(error), error, error.__traceback__)).splitlines()
    return "\n".join(lines[-TRACEBACK_LINES:])


_REASONS: dict[type[PopulateError], str] = {SettingsError: "DatabaseSettingsInvalid"}
_ADVICE = {
    "DatabaseUnreachable": "check host, port and tls, and that the server takes connections from here",
    "LoginRefused": "check user, password and, on PostgreSQL, database",
    "MissingGrant": (
        "grant the user SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX and REFERENCES on the schema (MySQL, "
        "MariaDB), or USAGE and CREATE on it and all rights on its tables (PostgreSQL); and SELECT on what "
        "key_source and the restriction read"
    ),
}

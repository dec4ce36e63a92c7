"""What a database error means for a PopulateJob: the reason of a condition, and whether waiting can help."""

from __future__ import annotations

from datetime import datetime

from populate_jobs import PopulateError
from populate_jobs.errors import (
    Contended,
    DatabaseUnreachable,
    DocumentError,
    LoginRefused,
    MissingGrant,
    ServerUnsuitable,
    SettingsError,
    TableMissing,
    TookTooLong,
)

from populate_operator.plan import Problem
from populate_operator.plan.conditions import TABLE_MISSING
from populate_operator.text import one_line

_REASONS: dict[type[PopulateError], tuple[str, bool]] = {
    DatabaseUnreachable: ("DatabaseUnreachable", False),
    LoginRefused: ("LoginRefused", True),
    MissingGrant: ("MissingGrant", True),
    TableMissing: (TABLE_MISSING, False),
    Contended: ("Contended", False),
    TookTooLong: ("TookTooLong", False),
    ServerUnsuitable: ("ServerUnsuitable", True),
    SettingsError: ("SettingsInvalid", True),
    DocumentError: ("DocumentInvalid", False),
}
_OTHER = ("StatementFailed", False)


def problem(error: BaseException, before: Problem | None, now: datetime) -> Problem:
    """`before` is the problem there was until now: the same one again counts up."""
    reason, lasting = next((found for kind, found in _REASONS.items() if isinstance(error, kind)), _OTHER)
    times = before.times + 1 if before is not None and before.reason == reason else 1
    return Problem(reason, one_line(str(error)) or type(error).__name__, now, times, lasting)

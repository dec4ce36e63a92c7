"""The queue over DataJoint's own jobs tables: SQL by dialect, one protocol. Needs a database driver, no more."""

from .assignment import Assignment, WorkerSettings
from .blob import pack_text
from .connection import Connection, connect, end_session
from .curate import ignore, ignore_errors, remove_pending, reprioritize, retry_errors
from .document import Attribute, ResolveDocument, ServerIdentity
from .errors import PopulateError
from .finish import complete, fail, release
from .observe import error_groups, holds_rows, progress
from .probe import install, probe
from .recover import recover, recover_orphans, recover_unseen
from .refresh import refresh
from .reserve import due, reserve
from .retry import RetryPolicy
from .settings import DatabaseSettings
from .table import JobsTable
from .together import Changes, Check, Look, Sight, check, counts, look
from .turns import turn
from .types import (
    Counts,
    ErrorGroup,
    Failure,
    Holder,
    Key,
    Outcome,
    Progress,
    Recovered,
    Refreshed,
    Reservation,
    Server,
)

__all__ = [
    "Assignment",
    "Attribute",
    "Changes",
    "Check",
    "Connection",
    "Counts",
    "DatabaseSettings",
    "ErrorGroup",
    "Failure",
    "Holder",
    "JobsTable",
    "Key",
    "Look",
    "Outcome",
    "PopulateError",
    "Progress",
    "Recovered",
    "Refreshed",
    "Reservation",
    "ResolveDocument",
    "RetryPolicy",
    "Server",
    "ServerIdentity",
    "Sight",
    "WorkerSettings",
    "check",
    "complete",
    "connect",
    "counts",
    "due",
    "end_session",
    "error_groups",
    "fail",
    "holds_rows",
    "ignore",
    "ignore_errors",
    "install",
    "look",
    "pack_text",
    "probe",
    "progress",
    "recover",
    "recover_orphans",
    "recover_unseen",
    "refresh",
    "release",
    "remove_pending",
    "reprioritize",
    "reserve",
    "retry_errors",
    "turn",
]

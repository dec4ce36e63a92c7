"""Errors as a reason and a message that says what to do. Without DataJoint, whose absence is one of them."""

from __future__ import annotations

import importlib
import traceback
from pathlib import Path
from types import TracebackType

from populate_jobs.errors import PopulateError, ResolveRefused, SettingsError

TRACEBACK_LINES = 20
_IMPORTING = (str(Path(__file__).parents[1]), str(Path(importlib.__file__).parent), "<frozen importlib")
"""How the names of files begin in which the lab's code is imported: our own, and Python's."""


def as_refusal(error: PopulateError) -> ResolveRefused:
    """Any error of resolve or of the queue; its reason is the error's name where it brings none."""
    reason = getattr(error, "reason", "") or _REASONS.get(type(error), type(error).__name__)
    advice = f"; {_ADVICE[reason]}" if reason in _ADVICE else ""
    return ResolveRefused(reason, f"{error}{advice}", traceback=getattr(error, "traceback", ""))


def end_of_traceback(error: BaseException) -> str:
    """From where the lab's code begins; a module that Python cannot read has no frame of its own."""
    theirs = _beyond_the_import(error.__traceback__)
    begin = theirs if theirs or isinstance(error, SyntaxError) else error.__traceback__
    lines = "".join(traceback.format_exception(type(error), error, begin)).splitlines()
    return "\n".join(lines[-TRACEBACK_LINES:])


def _beyond_the_import(frames: TracebackType | None) -> TracebackType | None:
    while frames and frames.tb_frame.f_code.co_filename.startswith(_IMPORTING):
        frames = frames.tb_next
    return frames


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

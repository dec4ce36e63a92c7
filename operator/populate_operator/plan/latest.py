"""Which of the errors is the news."""

from __future__ import annotations

from populate_jobs import ErrorGroup

from .observation import Tally


def latest(before: Tally | None, now: Tally) -> ErrorGroup | None:
    """The kind of error with more keys than `before`, the largest of several; None where none has grown."""
    counts = {group.signature: group.count for group in before.errors} if before else {}
    return next((group for group in now.errors if group.count > counts.get(group.signature, 0)), None)

"""The file that says what to do, read again when it changes."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from populate_jobs import Assignment, PopulateError

log = logging.getLogger(__name__)


def same_runners(one: Assignment, other: Assignment) -> bool:
    """Whether runners that were started for the one can serve the other."""
    return _of_runners(one) == _of_runners(other)


def _of_runners(assignment: Assignment) -> tuple[object, ...]:
    document = assignment.document
    made = (document.table, document.backend, document.target, document.jobs, document.primary_key)
    return *made, dict(assignment.settings.make_kwargs)


class AssignmentFile:
    """A mounted ConfigMap is changed by putting another file in its place, so identity counts as well as time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = self._state()

    def read(self) -> Assignment:
        """Raises DocumentError where it cannot be used."""
        return Assignment.read(self._path)

    def changed(self) -> Assignment | None:
        """The new assignment, once; a file that cannot be used is reported and changes nothing."""
        state = self._state()
        if state is None or state == self._seen:
            return None
        self._seen = state
        try:
            return self.read()
        except PopulateError as error:
            log.warning("going on as before: %s", error)
            return None

    def _state(self) -> tuple[int, int, int] | None:
        try:
            found = os.stat(self._path)
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

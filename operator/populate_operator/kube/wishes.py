"""What annotations ask for: each value is acted on once, and the status says which was the last."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from populate_jobs import ResolveDocument

from populate_operator.database import tasks
from populate_operator.database.flight import Flight
from populate_operator.database.keeper import Keeper
from populate_operator.spec import PopulateJob

from .manifests import names

HANDLED = {
    names.REFRESH: "lastHandledRefresh",
    names.RETRY_ERRORS: "lastHandledRetryErrors",
    names.IGNORE_ERRORS: "lastHandledIgnoreErrors",
}
"""Annotation to the field of the status that answers it."""


def due(annotations: Mapping[str, str], handled: Mapping[str, str]) -> dict[str, str]:
    """Annotations whose value was not acted on yet."""
    asked = {name: annotations.get(name, "") for name in HANDLED}
    return {name: value for name, value in asked.items() if value and value != handled.get(name)}


class Wishes:
    def __init__(self, written: Mapping[str, Any], flight: Flight) -> None:
        self._flight = flight
        self._handled = {name: written[field] for name, field in HANDLED.items() if field in written}
        self._refreshing: tuple[str, datetime] | None = None
        """Value, and when it was begun."""

    @property
    def answered(self) -> dict[str, str]:
        """Fields of the status."""
        return {HANDLED[name]: value for name, value in self._handled.items()}

    def grant(self, job: PopulateJob, keeper: Keeper, document: ResolveDocument, now: datetime) -> None:
        wishes = due(job.annotations, self._handled)
        if (value := wishes.get(names.REFRESH)) is not None:
            self._refresh(value, job, keeper, document, now)
        if keeper.database is not None:
            return
        match = job.annotations.get(names.MATCH)
        for name, task in ((names.RETRY_ERRORS, tasks.retry_errors), (names.IGNORE_ERRORS, tasks.ignore_errors)):
            if name in wishes:
                bound = functools.partial(task, document=document, match=match)
                submit = functools.partial(keeper.login.slow.submit, bound)
                done = functools.partial(self._done, name, wishes[name], keeper)
                self._flight.start(name, submit, done, keeper.failed)

    def _refresh(self, value: str, job: PopulateJob, keeper: Keeper, document: ResolveDocument, now: datetime) -> None:
        """Granted by a refresh that began after it was asked for: one that is under way may have passed by the keys."""
        begun = self._refreshing
        if begun is None or begun[0] != value:
            if not self._flight.is_out("refresh"):
                self._refreshing = (value, now)
                keeper.refresh(document, job.spec)
        elif keeper.refreshed is not None and keeper.refreshed.started >= begun[1]:
            self._handled[names.REFRESH] = value

    def _done(self, name: str, value: str, keeper: Keeper, _: int) -> None:
        self._handled[name] = value
        keeper.look_at_once(fully=True)

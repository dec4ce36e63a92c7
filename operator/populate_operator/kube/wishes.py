"""What annotations ask for: each value is acted on once, and the status says which was the last."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from populate_jobs import ResolveDocument

from populate_operator.database import tasks
from populate_operator.database.flight import Flight
from populate_operator.database.keeper import Keeper
from populate_operator.plan import Tally
from populate_operator.plan.events import Event
from populate_operator.spec import PopulateJob

from .manifests import names

_TASKS = {
    names.RETRY_ERRORS: (tasks.retry_errors, "ErrorsRetried", "keys with errors are queued again"),
    names.IGNORE_ERRORS: (tasks.ignore_errors, "ErrorsIgnored", "keys with errors are set aside"),
}
"""What becomes of keys with errors, and how that is told."""


def due(annotations: Mapping[str, str], handled: Mapping[str, str]) -> dict[str, str]:
    """Annotations whose value was not acted on yet."""
    asked = {name: annotations.get(name, "") for name in names.HANDLED}
    return {name: value for name, value in asked.items() if value and value != handled.get(name)}


def limit(value: str) -> str | None:
    """What messages are to contain, such as `deadlock` for `{"at": "1", "match": "deadlock"}`; None is all errors.

    Each value says for itself what it is about: nothing of an earlier one is left to limit it. Raises ValueError.
    """
    if not value.lstrip().startswith("{"):
        return None
    match = json.loads(value).get("match")
    if not isinstance(match, str) or not match:
        raise ValueError("there is no text under match")
    return match


class Wishes:
    def __init__(self, written: Mapping[str, Any], flight: Flight, tell: Callable[[Event], None]) -> None:
        self._flight = flight
        self._tell = tell
        self._handled = {name: written[field] for name, field in names.HANDLED.items() if field in written}
        self._refreshing: tuple[str, datetime] | None = None
        """Value, and when it was begun."""
        self._granted: dict[str, tuple[str, datetime]] = {}
        """The value and when that was: answered once the rows are counted anew."""

    @property
    def answered(self) -> dict[str, str]:
        """Fields of the status."""
        return {names.HANDLED[name]: value for name, value in self._handled.items()}

    def curing(self, annotations: Mapping[str, str]) -> bool:
        """Whether what is known of the errors is no longer what there is, or is to be."""
        return bool(due(annotations, self._handled).keys() & _TASKS.keys())

    def settle(self, tally: Tally | None) -> None:
        """What was granted before these rows were counted is answered."""
        if tally is None:
            return
        counted = {name: value for name, (value, at) in self._granted.items() if at <= tally.at}
        self._handled |= counted
        self._granted = {name: granted for name, granted in self._granted.items() if name not in counted}

    def grant(self, job: PopulateJob, keeper: Keeper, document: ResolveDocument, now: datetime) -> None:
        wishes = due(job.annotations, self._handled)
        if (value := wishes.get(names.REFRESH)) is not None:
            self._refresh(value, job, keeper, document, now)
        if keeper.database is not None:
            return
        for name in _TASKS.keys() & wishes.keys():
            if self._granted.get(name, ("",))[0] != wishes[name]:
                self._curate(name, wishes[name], keeper, document)

    def _curate(self, name: str, value: str, keeper: Keeper, document: ResolveDocument) -> None:
        try:
            match = limit(value)
        except ValueError as error:
            self._handled[name] = value
            self._tell(Event("Warning", "WishNotUnderstood", f"{name}: nothing was done for {value}: {error}"))
            return
        bound = functools.partial(_TASKS[name][0], document=document, match=match)
        submit = functools.partial(keeper.login.slow.submit, bound)
        self._flight.start(name, submit, functools.partial(self._done, name, value, keeper), keeper.failed)

    def _refresh(self, value: str, job: PopulateJob, keeper: Keeper, document: ResolveDocument, now: datetime) -> None:
        """Granted by a refresh that began after it was asked for: one that is under way may have passed by the keys."""
        begun = self._refreshing
        if begun is None or begun[0] != value:
            if not self._flight.is_out("refresh"):
                self._refreshing = (value, now)
                keeper.refresh(document, job.spec)
        elif keeper.refreshed is not None and keeper.refreshed.started >= begun[1]:
            self._handled[names.REFRESH] = value

    def _done(self, name: str, value: str, keeper: Keeper, keys: int) -> None:
        self._granted[name] = (value, tasks.now())
        _, reason, what = _TASKS[name]
        self._tell(Event("Normal", reason, f"{keys} {what}"))
        keeper.look_at_once(fully=True)

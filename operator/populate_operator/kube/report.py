"""The status of one PopulateJob in the cluster: what is written there, and what is to be."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from .api import ClusterError, Object
from .errands import Errands
from .place import Place
from .statuses import difference
from .store import Owner, version_of

STATUS_EVERY = 1.0
"""Least seconds between two writes."""


class Report:
    def __init__(self, owner: Owner, place: Place, errands: Errands, seen: Object) -> None:
        self._owner = owner
        self._place = place
        self._errands = errands
        self.written: Mapping[str, Any] = seen.get("status", {})
        """What is there, as far as we know; what we wrote, where the server keeps less of it."""
        self._kept = self.written
        """What the server made of it, and at which version."""
        self._version = version_of(seen)
        self._is_out = False
        self._uncertain: frozenset[str] = frozenset()
        """Fields of writes that were not answered: they may have been done, or be done yet."""
        self._wrote_at = 0.0

    def saw(self, seen: Object) -> None:
        """The resource as it is now: what others did to the status is set right."""
        if self._is_out or version_of(seen) <= self._version:
            return
        self._version = version_of(seen)
        if seen.get("status", {}) != self._kept:
            self.written = self._kept = seen.get("status", {})

    def unwritten(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        uncertain = {name: wanted.get(name) for name in self._uncertain}
        return {**difference(self.written, wanted), **uncertain}

    def write(self, wanted: Mapping[str, Any]) -> None:
        """All that changed, in one write."""
        changed = self.unwritten(wanted)
        if not changed or time.monotonic() - self._wrote_at < STATUS_EVERY:
            return
        self._wrote_at = time.monotonic()
        patch, wanted = {"status": changed}, dict(wanted)
        merge = functools.partial(self._place.cluster.merge, "PopulateJob", *self._owner, patch, "status")

        def done(found: Object) -> None:
            self._is_out, self._uncertain = False, frozenset()
            self.written, self._kept, self._version = wanted, found.get("status", {}), version_of(found)
            self._place.metrics.wrote_status(self._owner)

        def failed(error: BaseException) -> None:
            self._is_out = False
            if not (isinstance(error, ClusterError) and error.says_no):
                self._uncertain |= changed.keys()

        if self._errands.run("status", merge, done, failed):
            self._is_out = True

    def outlived(self, ttl: int | None, now: datetime) -> bool:
        """Whether what is written says that it ended at least so many seconds ago."""
        ended = self.written.get("completionTime")
        if ttl is None or ended is None:
            return False
        return now >= datetime.fromisoformat(ended.replace("Z", "+00:00")) + timedelta(seconds=ttl)

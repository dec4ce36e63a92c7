"""The status of one PopulateJob in the cluster: what is written there, and what is to be."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from .errands import Errands
from .place import Place
from .statuses import difference
from .store import Owner

STATUS_EVERY = 1.0
"""Least seconds between two writes."""


class Report:
    def __init__(self, owner: Owner, place: Place, errands: Errands, written: Mapping[str, Any]) -> None:
        self._owner = owner
        self._place = place
        self._errands = errands
        self.written = dict(written)
        self._wrote_at = 0.0

    def unwritten(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        return difference(self.written, wanted)

    def write(self, wanted: Mapping[str, Any]) -> None:
        """All that changed, in one write."""
        changed = self.unwritten(wanted)
        if not changed or time.monotonic() - self._wrote_at < STATUS_EVERY:
            return
        self._wrote_at = time.monotonic()
        patch, wanted = {"status": changed}, dict(wanted)
        merge = functools.partial(self._place.cluster.merge, "PopulateJob", *self._owner, patch, "status")

        def done(_: object) -> None:
            self.written = wanted
            self._place.metrics.wrote_status(self._owner)

        self._errands.run("status", merge, done)

    def outlived(self, ttl: int | None, now: datetime) -> bool:
        """Whether what is written says that it ended at least so many seconds ago."""
        ended = self.written.get("completionTime")
        if ttl is None or ended is None:
            return False
        return now >= datetime.fromisoformat(ended.replace("Z", "+00:00")) + timedelta(seconds=ttl)

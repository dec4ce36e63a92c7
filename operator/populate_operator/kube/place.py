"""What every PopulateJob of this operator shares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .api import Cluster
from .metrics import Metrics
from .secrets import Secrets
from .store import Owner, Store


@dataclass(frozen=True)
class Place:
    cluster: Cluster
    store: Store
    secrets: Secrets
    installation: str
    """Part of the names under which workers reserve: no other operator recovers what they hold."""
    reporter: str
    """Who the events are from: this pod's name."""
    wake: Callable[[Owner], None]
    """Callable from any thread: this PopulateJob has something to collect."""
    metrics: Metrics

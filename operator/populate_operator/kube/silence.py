"""Pods on nodes of which nobody hears any more: told to go long ago, and listed still."""

from __future__ import annotations

import time
from collections.abc import Iterable

from . import pods
from .api import Object

MARGIN_SECONDS = 30.0
"""Beyond the time that a pod was given to go: a kubelet that can be asked has told of its end by then."""


class Silence:
    def __init__(self) -> None:
        self._told: dict[str, float] = {}
        """Since when a pod, by its uid, was seen to be told to go: by our clock alone, for others may be wrong."""

    def among(self, those: Iterable[Object]) -> list[Object]:
        """Pods whose time to go is over for long. To be called often, with all there are."""
        now = time.monotonic()
        leaving = {pod["metadata"]["uid"]: pod for pod in those if pods.is_leaving(pod) and not pods.is_over(pod)}
        self._told = {uid: self._told.get(uid, now) for uid in leaving}
        return [pod for uid, pod in leaving.items() if now > self._told[uid] + _grace(pod) + MARGIN_SECONDS]


def _grace(pod: Object) -> float:
    return float(pod["metadata"].get("deletionGracePeriodSeconds", 0))

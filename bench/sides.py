"""Who makes the lab's keys in pods: our operator and its workers, or KEDA and DataJoint's populate."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from tests.cluster.api import Object
from tests.cluster.lab import Applied, Lab

from . import keda_manifests as manifests
from .site import until


class Side(Protocol):
    def at_work(self, name: str, workers: int, keys_per_worker: int = 1) -> AbstractContextManager[None]:
        """While the block runs there are pods for the keys there are, as many as the keys ask for, and no more than
        `workers`."""

    def pods(self) -> list[Object]: ...

    def rest(self, moment: float) -> None:
        """Returns when there is no pod, at that part, 0 to 1, of the time between two looks at the database."""


class Ours:
    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    @contextmanager
    def at_work(self, name: str, workers: int, keys_per_worker: int = 1) -> Iterator[None]:
        job = populatejob(self._lab, name, scaling={"maxWorkers": workers, "keysPerWorker": keys_per_worker})
        yield
        job.delete()
        until(lambda: not self.pods(), "no pods left")

    def pods(self) -> list[Object]:
        return self._lab.owned("pods")

    def rest(self, moment: float) -> None:  # noqa: ARG002 - it looks every second: a part of that makes no difference
        until(lambda: not self.pods(), "no pods left")


class Keda:
    """Needs a KEDA that watches the lab's namespace."""

    def __init__(self, lab: Lab, pace: manifests.Pace) -> None:
        self._lab = lab
        self._pace = pace
        self._scaled: Object = {}

    @contextmanager
    def at_work(self, name: str, workers: int, keys_per_worker: int = 1) -> Iterator[None]:  # noqa: ARG002
        self._scaled = manifests.scaled(self._lab, self._pace, workers, keys_per_worker)
        self._lab.kubectl.apply(manifests.authentication(self._lab), manifests.worker(self._lab))
        self._scale()
        try:
            yield
        finally:
            self._stop()
            # By KEDA's finalizer it would outlast the KEDA that is there, and hold its definition.
            self._kubectl("delete", f"triggerauthentication/{manifests.NAME}", "--timeout=240s")

    def pods(self) -> list[Object]:
        return self._lab.api.every("pods", self._lab.namespace, f"app={manifests.NAME}")

    def rest(self, moment: float) -> None:
        """Its looks begin anew, so that it is known when they are."""
        self._stop()
        self._scale()
        time.sleep(moment * self._pace.polling)

    def _scale(self) -> None:
        self._lab.kubectl.apply(self._scaled)
        self._kubectl("wait", f"scaledobject/{manifests.NAME}", "--for=condition=Ready", "--timeout=240s")

    def _stop(self) -> None:
        self._kubectl("delete", f"scaledobject/{manifests.NAME}", "--timeout=240s")
        self._kubectl("scale", f"deployment/{manifests.NAME}", "--replicas=0")
        until(lambda: not self.pods(), "no pods left")

    def _kubectl(self, *arguments: str) -> None:
        self._lab.kubectl(*arguments, f"--namespace={self._lab.namespace}")


def populatejob(lab: Lab, name: str, **spec: Any) -> Applied:
    """A PopulateJob with what the definition has for defaults, resolved and with its queue known."""
    defaults = {"refresh": {}, "retry": {}, "worker": {"drainSeconds": 30}}
    job = lab.apply(name, **{**defaults, **spec})
    until(lambda: job.condition("Ready").get("status") == "True", f"{name} is ready")
    return job

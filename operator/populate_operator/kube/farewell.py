"""What becomes of the queue when a PopulateJob is deleted: nothing, or, with RemovePending, what waits goes with it.

That takes a finalizer. No PopulateJob waits for it longer than LONGEST_SECONDS while the operator runs.
"""

from __future__ import annotations

import enum
import functools
import time

from populate_jobs import ResolveDocument

from populate_operator.database import tasks
from populate_operator.database.flight import Flight
from populate_operator.database.keeper import Keeper
from populate_operator.spec import PopulateJob

from .api import Object
from .errands import Errands
from .manifests.names import GROUP
from .place import Place

FINALIZER = f"{GROUP}/remove-pending"
LONGEST_SECONDS = 30.0
WORKERS_SECONDS = 15.0
"""For workers to give back what they hold, which is then removed too."""


def is_leaving(seen: Object) -> bool:
    return "deletionTimestamp" in seen["metadata"]


class Step(enum.Enum):
    WAIT = "wait"
    REMOVE = "remove"
    LET_GO = "let go"


def step(done: bool, workers: int, waited: float) -> Step:
    """What is next: `done` where nothing is left to remove, or nothing can be; `waited` in seconds."""
    if done or waited > LONGEST_SECONDS:
        return Step.LET_GO
    return Step.REMOVE if not workers or waited > WORKERS_SECONDS else Step.WAIT


class Farewell:
    def __init__(self, place: Place, errands: Errands, flight: Flight) -> None:
        self._place = place
        self._errands = errands
        self._flight = flight
        self._removed = False
        self._since: float | None = None
        """When it was first seen that it is to go: by our clock alone, for the API server's may be wrong."""

    def prepare(self, job: PopulateJob, seen: Object) -> None:
        """The finalizer is there while it is needed, and only then."""
        if _is_held(seen) != (job.spec.deletion_policy == "RemovePending"):
            self._hold(seen, job.spec.deletion_policy == "RemovePending")

    def take(self, seen: Object, keeper: Keeper | None, document: ResolveDocument | None, workers: int) -> None:
        """Once the workers have given back what they held, or could not in time. To be called often."""
        if not _is_held(seen):
            return
        self._since = time.monotonic() if self._since is None else self._since
        waited = time.monotonic() - self._since
        due = step(self._removed or document is None or keeper is None, workers, waited)
        if due is Step.LET_GO or document is None or keeper is None:
            self._hold(seen, False)
        elif due is Step.REMOVE:
            task = functools.partial(tasks.remove_pending, document=document)
            submit = functools.partial(keeper.login.slow.submit, task)
            self._flight.start("remove pending", submit, self._done, keeper.failed)

    def _done(self, _: int) -> None:
        self._removed = True

    def _hold(self, seen: Object, held: bool) -> None:
        metadata = seen["metadata"]
        others = [name for name in metadata.get("finalizers", []) if name != FINALIZER]
        # With its version, so that nobody else's finalizer is undone.
        wanted = {
            "finalizers": [*others, *([FINALIZER] if held else [])],
            "resourceVersion": metadata["resourceVersion"],
        }
        merge = functools.partial(
            self._place.cluster.merge, "PopulateJob", metadata["namespace"], metadata["name"], {"metadata": wanted}
        )
        self._errands.run("finalizer", merge)


def _is_held(seen: Object) -> bool:
    return FINALIZER in seen["metadata"].get("finalizers", [])

"""Hands what kopf watches to the controller: plain event handlers, which leave no trace on any resource."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import kopf

from .api import CHILDREN, REQUEST_SECONDS, Object
from .controller import Controller
from .manifests.names import COMPONENT, GROUP

PLURALS = {"Pod": ("", "v1", "pods"), "ConfigMap": ("", "v1", "configmaps")}
PLURALS |= {"Deployment": ("apps", "v1", "deployments"), "Job": ("batch", "v1", "jobs")}

CONNECT_SECONDS = 10.0
TRY_AGAIN_EVERY = 3.0
SOON_TIMES = 20
SELDOM_EVERY = 30.0
"""Seconds, after so many times: a namespace that was deleted refuses for good, and each time is logged."""


class Backoffs:
    """Of one watch, for ever: one that gave up would end the operator, and the API server is back at some time."""

    def __iter__(self) -> Iterator[float]:
        return itertools.chain(itertools.repeat(TRY_AGAIN_EVERY, SOON_TIMES), itertools.repeat(SELDOM_EVERY))


class NoDiffs(kopf.DiffBaseStorage):
    """kopf copies every object that it sees, to compare it with the one before, also where no handler asks for that."""

    def build(self, **_: Any) -> Any:
        return {}

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        """Nothing is kept."""


def registry(controller: Controller) -> kopf.OperatorRegistry:
    found = kopf.OperatorRegistry()
    kopf.on.login(registry=found)(kopf.login_via_client)
    kopf.on.event(GROUP, "v1alpha1", "populatejobs", id="populatejob", registry=found)(
        functools.partial(_hand_on, controller.saw_populatejob)
    )
    for kind in CHILDREN:
        kopf.on.event(*PLURALS[kind], id=kind.lower(), registry=found)(
            functools.partial(_hand_on, controller.saw_child)
        )
    return found


def settings() -> kopf.OperatorSettings:
    found = kopf.OperatorSettings()
    found.posting.enabled = False
    found.peering.standalone = True
    found.persistence.diffbase_storage = NoDiffs()
    # Which kinds and namespaces there are is known; looking takes rights that a service account need not have.
    found.scanning.disabled = True
    # A watch on which nothing comes, not even the server's bookmarks, kopf itself begins anew after 70 s.
    found.networking.request_timeout = REQUEST_SECONDS
    found.networking.connect_timeout = CONNECT_SECONDS
    found.networking.error_backoffs = Backoffs()
    for kind in CHILDREN:
        found.watching.label_selectors[PLURALS[kind]] = COMPONENT
    return found


async def _hand_on(to: Callable[[str | None, Object], None], event: Any, **_: Any) -> None:
    """Waits for nothing, and is a coroutine all the same: kopf calls any other function in a thread of its own."""
    to(event["type"], event["object"])

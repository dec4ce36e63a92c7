"""What the loop knows of PopulateJobs, with a fake API server whose list is older than what is watched meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from populate_jobs.errors import PopulateError
from populate_operator.database import tasks
from populate_operator.kube.api import EVERYWHERE, Cluster
from populate_operator.kube.controller import Controller, Options
from populate_operator.kube.health import Pulse
from populate_operator.kube.metrics import Metrics

from tests.unit.kube import resource

OWNER = ("lab", "heart-rate")


def seen(version: int, **spec: Any) -> dict[str, Any]:
    found = resource(**spec)
    return {**found, "metadata": {**found["metadata"], "resourceVersion": str(version)}}


class Late(Cluster):
    """Lists this, and then something else happens before the list arrives."""

    def __init__(self, *listed: dict[str, Any]) -> None:
        self.listed = listed
        self.meanwhile: Callable[[], None] = lambda: None

    async def children(self, kind: str, namespace: str = EVERYWHERE) -> list[dict[str, Any]]:
        return []

    async def populatejobs(self, namespace: str = EVERYWHERE) -> Sequence[dict[str, Any]]:
        self.meanwhile()
        return self.listed


def known_after(cluster: Late, *events: tuple[str, dict[str, Any]]) -> dict[str, Any] | None:
    """What is known of the PopulateJob when the list has arrived, these events before it."""

    async def scenario() -> dict[str, Any] | None:
        pulse = Pulse()
        controller = Controller(cluster, Options((), "here", "me"), pulse, Metrics(pulse))
        controller.saw_populatejob("ADDED", seen(100))
        cluster.meanwhile = lambda: [controller.saw_populatejob(*event) for event in events] and None
        await controller._list(EVERYWHERE)
        return controller._resources.get(OWNER)

    return asyncio.run(scenario())


def test_an_edit_is_not_undone_by_a_list_that_is_older() -> None:
    known = known_after(Late(seen(100)), ("MODIFIED", seen(101, suspend=True)))
    assert known is not None
    assert known["spec"]["suspend"]


def test_a_deleted_one_is_not_brought_back_by_a_list_that_is_older() -> None:
    assert known_after(Late(seen(100)), ("DELETED", seen(101))) is None


def test_one_that_is_made_anew_is_known() -> None:
    anew = seen(102)
    anew["metadata"]["uid"] = "u-2"
    known = known_after(Late(seen(100)), ("DELETED", seen(101)), ("ADDED", anew))
    assert known is not None
    assert known["metadata"]["uid"] == "u-2"


@pytest.mark.parametrize(("seconds", "ends"), [(-3600.0, False), (30.0, False), (3600.0, True)])
def test_an_operator_whose_clock_is_put_back_begins_anew(
    monkeypatch: pytest.MonkeyPatch, seconds: float, ends: bool
) -> None:
    async def scenario() -> None:
        pulse = Pulse()
        controller = Controller(Late(), Options((), "here", "me"), pulse, Metrics(pulse))
        controller._turn()
        monkeypatch.setattr(tasks, "now", lambda: datetime.now(timezone.utc) - timedelta(seconds=seconds))
        controller._turn()

    if ends:
        with pytest.raises(PopulateError, match="the clock was put back by 3600 s"):
            asyncio.run(scenario())
    else:
        asyncio.run(scenario())

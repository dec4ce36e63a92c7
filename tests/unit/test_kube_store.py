from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from populate_jobs import Counts, Progress
from populate_operator.kube.statuses import difference, remembered
from populate_operator.kube.store import Store

from tests.unit.kube import pod
from tests.unit.planning import NOW

OWNER = ("lab", "heart-rate")


def version(number: int, name: str = "a") -> dict[str, Any]:
    found = pod(name)
    found["metadata"]["resourceVersion"] = str(number)
    return found


def test_a_late_message_does_not_undo_what_was_seen_since() -> None:
    store = Store()
    store.put(version(10))
    store.put(version(9))
    assert store.get("Pod", "lab", "a") == version(10)


def test_an_answer_that_comes_after_the_deletion_brings_nothing_back() -> None:
    store = Store()
    store.put(version(1))
    store.drop(version(2))
    store.put(version(1))
    assert store.get("Pod", "lab", "a") is None


def test_what_a_listing_lacks_is_gone() -> None:
    store = Store()
    store.put(version(1, "a"))
    store.put(version(1, "b"))
    store.begin_listing()
    assert store.replace("Pod", [version(1, "a")]) == [version(1, "b")]
    assert store.of(OWNER, "Pod", "worker") == [version(1, "a")]


def test_what_was_seen_after_a_listing_began_stays() -> None:
    store = Store()
    store.put(version(1, "gone"))
    store.begin_listing()
    store.put(version(5, "new"))
    store.drop(version(1, "gone"))
    assert store.replace("Pod", [version(1, "gone")]) == []
    assert store.of(OWNER, "Pod", "worker") == [version(5, "new")]


def test_of_pods_that_are_over_only_what_tells_whose_rows_they_held_is_kept() -> None:
    worker = {"name": "worker", "command": ["populate-worker"], "resources": {"limits": {"memory": "1Gi"}}}
    spec = {"containers": [{**worker, "env": [{"name": "N", "value": "x" * 10_000}]}], "volumes": [{"name": "v"}]}
    store = Store()
    store.put({**version(1), "spec": spec, "status": {"phase": "Failed", "reason": "OutOfcpu"}})
    found = store.get("Pod", "lab", "a")
    assert found is not None
    assert found["spec"] == {"containers": [worker]}
    assert found["status"]["reason"] == "OutOfcpu"
    store.put({**version(2, "b"), "spec": spec})
    assert (store.get("Pod", "lab", "b") or {})["spec"] == spec


def test_a_status_is_written_as_what_changed() -> None:
    before = {"pending": 3, "error": 0, "estimatedCompletionTime": "soon"}
    assert difference(before, {"pending": 2, "error": 0}) == {"pending": 2, "estimatedCompletionTime": None}
    assert difference(before, before) == {}


@pytest.mark.parametrize(("minute", "written"), [("00:01", False), ("10:01", True)])
def test_that_a_refresh_found_nothing_is_written_only_now_and_then(minute: str, written: bool) -> None:
    before = {"pending": 0, "lastRefreshTime": "2026-03-01T12:00:00Z", "lastRefreshSeconds": 0.1}
    after = {"pending": 0, "lastRefreshTime": f"2026-03-01T12:{minute}Z", "lastRefreshSeconds": 0.2}
    assert bool(difference(before, after)) == written
    assert difference(before, {**after, "pending": 1})["lastRefreshTime"] == after["lastRefreshTime"]


def test_an_operator_that_begins_anew_knows_the_queue_from_the_status() -> None:
    status = {
        "total": 9,
        "done": 4,
        "pending": 3,
        "error": 1,
        "ignored": 1,
        "lastRefreshTime": "2026-03-01T12:00:00Z",
        "lastRefreshSeconds": 0.5,
    }
    found = remembered(status, NOW)
    assert found is not None
    assert (found.progress, found.counts) == (Progress(9, 4), Counts(pending=3, error=1, ignore=1))
    assert (found.ended, found.seconds) == (NOW, 0.5)
    assert remembered({}, NOW) is None
    assert remembered(status, NOW - timedelta(minutes=1)) is None, "of a clock that was put back since"


def test_what_nobody_reads_is_not_kept() -> None:
    deployment = {**pod("a"), "kind": "Deployment", "spec": {"replicas": 3, "strategy": {}, "template": {"spec": {}}}}
    deployment["metadata"]["managedFields"] = [{"manager": "kubelet"}]
    store = Store()
    store.put(deployment)
    kept = store.get("Deployment", "lab", "a")
    assert kept is not None
    assert (kept["spec"], "managedFields" in kept["metadata"]) == ({"replicas": 3, "strategy": {}}, False)
    assert store.replace("Deployment", [deployment]) == []

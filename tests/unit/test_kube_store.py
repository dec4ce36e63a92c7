from __future__ import annotations

from typing import Any

from populate_operator.kube.statuses import difference
from populate_operator.kube.store import Store

from tests.unit.kube import pod

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


def test_a_status_is_written_as_what_changed() -> None:
    before = {"pending": 3, "error": 0, "estimatedCompletionTime": "soon"}
    assert difference(before, {"pending": 2, "error": 0}) == {"pending": 2, "estimatedCompletionTime": None}
    assert difference(before, before) == {}

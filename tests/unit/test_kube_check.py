"""What `helm test` runs: when an operator counts as ready, and what it has the API server judge."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from populate_operator.kube.check import is_held, is_ready, populatejob
from populate_operator.kube.lease import Record

from tests.unit.manifest_text import problems, read

READY = {"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1}


def deployment(asked: int = 1, **status: Any) -> dict[str, Any]:
    return {"metadata": {"generation": 2}, "spec": {"replicas": asked}, "status": status}


def test_an_operator_is_ready_when_every_pod_of_it_is_as_asked_and_ready() -> None:
    assert is_ready(deployment(**READY))


@pytest.mark.parametrize(
    "found",
    [
        deployment(),
        deployment(**READY | {"observedGeneration": 1}),
        deployment(**READY | {"updatedReplicas": 0}),
        deployment(**READY | {"readyReplicas": 0}),
        deployment(**READY | {"replicas": 2}),
        deployment(2, **READY),
        deployment(0, observedGeneration=2),
    ],
    ids=[
        "nothing known",
        "edited since",
        "pod of before",
        "not ready",
        "one too many",
        "one too few",
        "scaled to none",
    ],
)
def test_an_operator_is_not_ready(found: dict[str, Any]) -> None:
    assert not is_ready(found)


HELD = Record("a", 15.0, "12:00:00", 0)


@pytest.mark.parametrize(
    ("now", "first", "held"),
    [
        (replace(HELD, renewed="12:00:02"), HELD, True),
        (replace(HELD, holder="b", renewed="12:00:02"), HELD, True),
        (HELD, None, False),
        (HELD, HELD, False),
        (replace(HELD, holder="", renewed=""), HELD, False),
    ],
    ids=["renewed", "taken by another one", "first seen", "renewed by nobody", "given back"],
)
def test_a_lease_is_held_when_it_is_seen_to_be_renewed(now: Record, first: Record | None, held: bool) -> None:
    assert is_held(now, first) == held


def test_the_populatejob_that_is_tried_is_one_that_would_be_taken_but_for_its_table(tmp_path: Path) -> None:
    taken, refused = populatejob("lab"), populatejob("lab", table="not a table")
    for job in taken, refused:
        job["metadata"]["name"] = job["metadata"].pop("generateName") + "1"
    assert read(tmp_path, yaml.safe_dump(taken)).jobs
    (problem,) = problems(tmp_path, yaml.safe_dump(refused))
    assert "must be the import path of a class" in problem

from __future__ import annotations

from typing import Any

import pytest
from populate_jobs.document import BEGIN, END, refusal_to_json
from populate_jobs.errors import ResolveRefused
from populate_operator.kube import pods, resolving
from populate_operator.kube.resolving import Ended
from populate_operator.plan import Worker

from tests.unit.kube import OURS, ended, pod, ready, waiting
from tests.unit.planning import DOCUMENT, NOW, after


def problem_of(*those: dict[str, Any], deployment: dict[str, Any] | None = None) -> str | None:
    found = pods.problem(those, deployment, None, None, NOW)
    return found.reason if found else None


def test_workers_are_the_pods_that_have_not_ended() -> None:
    leaving = ready("b")
    leaving["metadata"]["deletionTimestamp"] = "2026-03-01T12:00:00Z"
    found = pods.workers([ready("a"), leaving, pod("c"), pod("d", phase="Failed")], OURS)
    assert found == (Worker("a" + OURS), Worker("b" + OURS, True, True), Worker("c" + OURS, False))


@pytest.mark.parametrize(
    ("those", "expected"),
    [
        ([], None),
        ([pod()], None),
        ([pod(container=waiting("ContainerCreating"))], None),
        ([pod(container=waiting("ImagePullBackOff"))], "ImagePullFailed"),
        ([pod(container=waiting("CreateContainerConfigError"))], "PodInvalid"),
        ([pod(container=waiting("CrashLoopBackOff"))], "WorkersFailing"),
        ([pod(conditions=[{"type": "PodScheduled", "status": "False"}])], "Unschedulable"),
        ([ready(), pod(container=waiting("ImagePullBackOff"))], None),
        ([pod(phase="Failed", container=waiting("ImagePullBackOff"))], None),
    ],
)
def test_what_keeps_workers_from_coming_up(those: list[dict[str, Any]], expected: str | None) -> None:
    assert problem_of(*those) == expected


def test_pods_that_the_cluster_refuses_are_told_by_the_deployment() -> None:
    conditions = [{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}]
    assert problem_of(deployment={"status": {"conditions": conditions}}) == "PodsRefused"


def test_a_crash_loop_is_told_with_the_workers_last_words() -> None:
    last = {"terminated": {"exitCode": 3, "reason": "Error", "message": "login refused\nfor u"}}
    found = pods.problem([pod(container=waiting("CrashLoopBackOff", lastState=last))], None, None, None, NOW)
    assert found is not None
    assert found.message == "the worker ended with status 3: the database refuses the worker: login refused for u"
    assert found.lasting


def test_the_same_problem_keeps_its_time() -> None:
    failing = [pod(container=waiting("CrashLoopBackOff"))]
    first = pods.problem(failing, None, None, None, NOW)
    again = pods.problem(failing, None, None, first, after(60))
    assert first is not None
    assert again is not None
    assert again.at == first.at


def reason_of(job: dict[str, Any], *those: dict[str, Any]) -> object:
    found = resolving.standing(job, list(those))
    return found.reason if isinstance(found, ResolveRefused) else found


def failed(reason: str) -> dict[str, Any]:
    return {"status": {"conditions": [{"type": "Failed", "status": "True", "reason": reason, "message": "so it is"}]}}


@pytest.mark.parametrize(
    ("job", "those", "expected"),
    [
        ({}, [], None),
        ({}, [pod(container=waiting("ContainerCreating"))], None),
        ({}, [pod(container=waiting("ErrImagePull"))], "ImagePullFailed"),
        ({}, [pod(container=waiting("CreateContainerConfigError"))], "PodInvalid"),
        ({}, [pod("r", phase="Succeeded", container=ended(0, "Completed"))], Ended("r")),
        ({}, [pod("r", phase="Failed", container=ended(3))], Ended("r")),
        (failed("DeadlineExceeded"), [], "ResolveTimedOut"),
        (failed("BackoffLimitExceeded"), [], "ResolveFailed"),
    ],
)
def test_standing_of_resolve(job: dict[str, Any], those: list[dict[str, Any]], expected: object) -> None:
    assert reason_of(job, *those) == expected


def said(text: str) -> str:
    return f"Hello from the lab\n{BEGIN}\n{text}\n{END}\n"


def test_answers_are_told_apart() -> None:
    fine, crashed = pod(container=ended(0, "Completed")), pod(container=ended(137, "OOMKilled", "loading"))
    refused = said(refusal_to_json(ResolveRefused("TableNotFound", "no such class")))

    assert resolving.answer(said(DOCUMENT.to_json()), fine) == DOCUMENT
    assert told(resolving.answer(refused, fine)) == ("TableNotFound", "no such class")
    assert told(resolving.answer("", crashed)) == ("ResolveFailed", "resolve OOMKilled: loading")
    assert told(resolving.answer(said('{"protocol": 99}'), fine))[0] == "WorkerTooOld"


def told(answer: object) -> tuple[str, str]:
    assert isinstance(answer, ResolveRefused)
    return answer.reason, str(answer)

from __future__ import annotations

from typing import Any

import pytest
from populate_jobs.document import BEGIN, END, refusal_to_json
from populate_jobs.errors import ResolveRefused
from populate_jobs.types import WORKER_MARK
from populate_operator.kube import pods, resolving
from populate_operator.kube.manifests.worker import HOST, deployment
from populate_operator.kube.resolving import Ended
from populate_operator.plan import Rollout, Worker
from populate_operator.plan.metav1 import timestamp

from tests.unit.kube import OURS, ended, job, pod, ready, resource, waiting
from tests.unit.planning import DOCUMENT, NOW, a_problem, after, before

UNSCHEDULABLE = [{"type": "PodScheduled", "status": "False"}]
READY = {"type": "Ready", "status": "True"}
NOT_FOUND = 'failed to create containerd task: exec: "populate-worker": executable file not found in $PATH'
NO_FILE = "exec: populate-worker: stat populate-worker: no such file or directory"
OF_CRIO = "container create failed: executable file `populate-worker` not found in $PATH: No such file or directory"
NO_DRIVER = (
    "failed to create containerd task: runc create failed: error running hook #0: nvidia-container-cli: "
    "load library failed: libnvidia-ml.so.1: cannot open shared object file: no such file or directory"
)
FORMAT = "exec /usr/local/bin/populate-worker: exec format error"


RAN = pod(container=ended(143))["status"]


def problem_of(*those: dict[str, Any], deployment: dict[str, Any] | None = None) -> str | None:
    found = pods.problem(those, deployment, None, None, NOW)
    return found.reason if found else None


def beside(status: dict[str, Any]) -> dict[str, Any]:
    """A pod whose worker is being made, and whose container `proxy` has this status."""
    worker = {"name": "worker", **waiting("ContainerCreating")}
    return pod(containerStatuses=[worker, {"name": "proxy", **status}])


def before_it(status: dict[str, Any]) -> dict[str, Any]:
    """The same of its init container `fetch`."""
    found = [{"name": "fetch", **status}]
    return pod(container=waiting("PodInitializing"), initContainerStatuses=found)


def unstarted(ago: float, *prepared: str, scheduled: str = "True", **status: Any) -> dict[str, Any]:
    """A pod that was given a node some time ago, and says no more than whether it is prepared."""
    conditions = [{"type": "PodScheduled", "status": scheduled, "lastTransitionTime": timestamp(before(ago))}]
    conditions += [{"type": "PodReadyToStartContainers", "status": each} for each in prepared]
    return pod(
        "p", **{"phase": "Pending", "container": waiting("ContainerCreating"), "conditions": conditions, **status}
    )


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (unstarted(61), "PodNotStarting"),
        (unstarted(61, "False"), "PodNotStarting"),
        (unstarted(61, container=None), "PodNotStarting"),
        (unstarted(59), None),
        (pod(phase="Pending", conditions=[{"type": "PodScheduled", "status": "True"}]), None),
        (unstarted(3600, "True"), None),
        (unstarted(3600, container={"state": {"running": {}}}), None),
        (unstarted(3600, initContainerStatuses=[{"name": "fetch", **ended(0, "Completed")}]), None),
        (unstarted(3600, scheduled="False"), "Unschedulable"),
        (unstarted(3600, container=waiting("ErrImagePull")), "ImagePullFailed"),
    ],
    ids=[
        "no word",
        "no volume",
        "kubelet silent",
        "not yet",
        "who knows since when",
        "pulls",
        "runs",
        "gets there",
        "no node",
        "says why",
    ],
)
def test_a_pod_of_which_nothing_starts_on_its_node_is_told_once_that_takes_long(
    found: dict[str, Any], expected: str | None
) -> None:
    assert problem_of(found) == expected


def test_what_the_way_to_the_reason_is_where_only_events_tell_it() -> None:
    found = pods.problem([unstarted(61)], None, None, None, NOW)
    assert found is not None
    assert "kubectl get events --namespace lab --field-selector involvedObject.name=p" in found.message
    assert not found.lasting


def test_a_container_that_is_not_the_worker_is_named_with_its_own_last_words() -> None:
    looping = waiting("CrashLoopBackOff", lastState=ended(2, message="no such bucket")["state"])
    found = pods.problem([before_it(looping)], None, None, None, NOW)
    assert found is not None
    assert found.message == "init container fetch ended with status 2: no such bucket"
    assert not found.lasting


def test_workers_are_the_pods_that_have_not_ended() -> None:
    leaving = ready("b")
    leaving["metadata"]["deletionTimestamp"] = "2026-03-01T12:00:00Z"
    found = pods.workers([ready("a"), leaving, pod("c"), pod("d", phase="Failed")], OURS)
    assert found == (Worker("a" + OURS), Worker("b" + OURS, True, True), Worker("c" + OURS, False))


@pytest.mark.parametrize("middle", ["", WORKER_MARK], ids=["of the operator before", "of this one"])
def test_a_worker_reserves_under_what_its_command_says_and_is_found_by_it(middle: str) -> None:
    started = {**pod("a"), "spec": {"containers": [{"name": "worker", "command": ["run", HOST + middle + OURS]}]}}
    reserves_under = "a" + middle + OURS
    assert pods.host(started, OURS) == reserves_under
    assert pods.name(reserves_under, OURS) == "a"


def test_the_host_of_a_worker_fits_its_column() -> None:
    template = deployment(job(), resource(), "0" * 36, 1)["spec"]["template"]
    started = {**pod("p" * 63), "spec": template["spec"]}
    assert pods.host(started, OURS).startswith("p" * 63 + WORKER_MARK + ".lab.0")
    assert len(pods.host(started, OURS)) + len("n" * 63) - len("lab") <= 255


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
        ([beside(waiting("ErrImagePull"))], "ImagePullFailed"),
        ([beside(waiting("CreateContainerConfigError"))], "PodInvalid"),
        ([beside(waiting("CrashLoopBackOff"))], "WorkersFailing"),
        ([before_it(waiting("ImagePullBackOff"))], "ImagePullFailed"),
        ([before_it(waiting("CrashLoopBackOff", lastState=ended(1)["state"]))], "WorkersFailing"),
        ([before_it(ended(1))], "WorkersFailing"),
        ([before_it({"state": {"running": {}}, "lastState": ended(1)["state"]})], "WorkersFailing"),
        ([before_it({"state": {"running": {}}, "lastState": ended(1)["state"], "ready": True})], None),
        ([before_it({"state": {"running": {}}})], None),
        ([before_it(ended(0, "Completed"))], None),
        ([ready(), beside(waiting("ErrImagePull"))], None),
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


def again(code: int, ago: float, *conditions: dict[str, str]) -> dict[str, Any]:
    """A pod whose worker runs again after it ended with this status."""
    state = {"running": {"startedAt": timestamp(before(ago))}}
    last = {"terminated": {"exitCode": code, "reason": "Error"}}
    return pod("again", container={"state": state, "lastState": last, "restartCount": 7}, conditions=conditions)


@pytest.mark.parametrize(
    ("those", "expected"),
    [
        ([again(4, 5)], "WorkersFailing"),
        ([again(4, 3600)], "WorkersFailing"),
        ([again(3, 5, READY)], "WorkersFailing"),
        ([again(3, 120, READY)], None),
        ([again(3, 5, READY), ready()], None),
        ([again(137, 5)], None),
        ([again(3, 5, READY), pod(container=waiting("CrashLoopBackOff"))], "WorkersFailing"),
    ],
    ids=["starts", "starts slowly", "was ready before", "stays ready", "has a healthy one beside", "was killed", "two"],
)
def test_a_worker_that_runs_again_after_it_said_why_it_cannot_is_on_trial(
    those: list[dict[str, Any]], expected: str | None
) -> None:
    assert problem_of(*those) == expected


def of_template(digest: str, *, leaves: bool = False, **status: Any) -> dict[str, Any]:
    found = pod(digest, **status)
    found["metadata"]["labels"]["pod-template-hash"] = digest
    if leaves:
        found["metadata"]["deletionTimestamp"] = "2026-03-01T12:00:00Z"
    return found


OLD, NEW, LEAVES = of_template("old"), of_template("new"), of_template("old", leaves=True)
STUCK = of_template("new", conditions=UNSCHEDULABLE)


@pytest.mark.parametrize(
    ("those", "counts", "expected"),
    [
        ([OLD], {"replicas": 1, "updatedReplicas": 1}, None),
        ([OLD, OLD], {"replicas": 2}, (2, 0, None)),
        ([OLD, NEW], {"replicas": 2, "updatedReplicas": 1}, (1, 0, None)),
        ([NEW, LEAVES, LEAVES], {"replicas": 1, "updatedReplicas": 1}, (0, 2, None)),
        ([OLD, STUCK], {"replicas": 2, "updatedReplicas": 1}, (1, 0, "Unschedulable")),
        ([NEW, of_template("new", leaves=True)], {"replicas": 1, "updatedReplicas": 1}, None),
        ([NEW, of_template("old", leaves=True, phase="Failed")], {"replicas": 1, "updatedReplicas": 1}, None),
        ([LEAVES], {}, None),
        ([NEW], {"replicas": 1, "updatedReplicas": 2}, None),
    ],
    ids=["before", "begun", "half", "drain", "no room", "shrinks", "drained", "stopped", "counted late"],
)
def test_how_many_workers_of_an_earlier_template_run(
    those: list[dict[str, Any]], counts: dict[str, int], expected: tuple[int, int, str | None] | None
) -> None:
    found = pods.rollout(those, {"status": counts}, NOW)
    assert (found and (found.older, found.leaving, found.hindrance and found.hindrance.reason)) == expected


@pytest.mark.parametrize(
    ("leaving", "reason", "expected"),
    [(1, "Unschedulable", True), (1, "PodsRefused", True), (0, "Unschedulable", False), (1, "ImagePullFailed", False)],
)
def test_a_roll_in_which_new_workers_wait_for_the_room_of_leaving_ones_is_no_problem(
    leaving: int, reason: str, expected: bool
) -> None:
    assert pods.is_part_of(Rollout(0, leaving), a_problem(reason)) == expected
    assert not pods.is_part_of(None, a_problem(reason))
    assert not pods.is_part_of(Rollout(0, leaving), None)


def rejected(name: str, ago: float, reason: str = "OutOfcpu") -> dict[str, Any]:
    found = pod(name, phase="Failed", reason=reason, message="Node didn't have enough resource: cpu")
    found["metadata"]["creationTimestamp"] = timestamp(before(ago))
    return found


def test_a_pod_that_its_node_did_not_take_is_told_while_others_fare_as_it_did() -> None:
    found = pods.problem([rejected("a", 500), rejected("b", 5)], None, None, None, NOW)
    assert found is not None
    assert (found.reason, found.message) == ("PodRejected", "OutOfcpu: Node didn't have enough resource: cpu")
    assert problem_of(rejected("a", 500)) is None
    assert problem_of(rejected("a", 5), ready()) is None
    assert problem_of(rejected("a", 5), pod(container=waiting("ContainerCreating"))) is None
    assert problem_of({**rejected("a", 5), "status": {"phase": "Failed", "reason": "Evicted", **RAN}}) is None
    assert pods.bearable(10, found, [], busy=0) == 1


def test_of_pods_that_nodes_did_not_take_the_last_few_stay() -> None:
    those = [rejected(f"p{number:02}", 100 - number) for number in range(10)]
    needless = [item["metadata"]["name"] for item in pods.needless([ready(), *reversed(those)])]
    assert needless == [f"p{number:02}" for number in range(7)]
    assert len(pods.needless([rejected(f"p{number:02}", 100) for number in range(90)])) == 20
    assert pods.needless(those[:3]) == []


def test_where_there_is_no_deployment_nothing_rolls() -> None:
    assert pods.rollout([LEAVES], None, NOW) is None


def test_the_same_problem_keeps_its_time() -> None:
    failing = [pod(container=waiting("CrashLoopBackOff"))]
    first = pods.problem(failing, None, None, None, NOW)
    again = pods.problem(failing, None, None, first, after(60))
    assert first is not None
    assert again is not None
    assert again.at == first.at


def reason_of(job: dict[str, Any], *those: dict[str, Any]) -> object:
    found = resolving.standing(job, list(those), None, NOW)
    return found.reason if isinstance(found, ResolveRefused) else found


def leaving(**status: Any) -> dict[str, Any]:
    """A pod of resolve that was told to end, and has."""
    found = pod(phase="Failed", **status)
    found["metadata"]["deletionTimestamp"] = "2026-03-01T12:00:00Z"
    return found


def test_what_resolve_waits_for_is_told_meanwhile_and_by_its_time_out() -> None:
    waited = resolving.waits_for([unstarted(61)], NOW)
    assert waited is not None
    assert (waited.reason, waited.lasting) == ("PodNotStarting", False)
    refused = resolving.standing(failed("DeadlineExceeded"), [], waited, NOW)
    assert told(refused)[0] == "ResolveTimedOut"
    assert "involvedObject.name=p" in told(refused)[1]


@pytest.mark.parametrize("found", [pod(), unstarted(59), before_it(waiting("ErrImagePull")), leaving()])
def test_resolve_waits_for_nothing_where_it_runs_or_has_a_reason(found: dict[str, Any]) -> None:
    assert resolving.waits_for([found], NOW) is None


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
        ({}, [pod("r", phase="Running", container=ended(0, "Completed"))], Ended("r")),
        ({}, [pod(container=waiting("RunContainerError", NOT_FOUND))], "WorkerMissing"),
        ({}, [before_it(waiting("ErrImagePull"))], "ImagePullFailed"),
        ({}, [before_it(waiting("CreateContainerConfigError"))], "PodInvalid"),
        (
            {},
            [{**before_it(ended(1)), "status": {**before_it(ended(1))["status"], "phase": "Failed"}}],
            "ResolveFailed",
        ),
        ({}, [unstarted(61)], None),
        (failed("DeadlineExceeded"), [], "ResolveTimedOut"),
        (failed("DeadlineExceeded"), [leaving(container=ended(143))], "ResolveTimedOut"),
        ({}, [leaving(container=ended(143))], None),
        (failed("BackoffLimitExceeded"), [leaving(container=ended(143))], Ended(pod()["metadata"]["name"])),
        ({}, [leaving(container=ended(0, "Completed"))], Ended(pod()["metadata"]["name"])),
        (failed("DeadlineExceeded"), [leaving(initContainerStatuses=[{"name": "i", **ended(143)}])], "ResolveTimedOut"),
        (failed("BackoffLimitExceeded"), [], "ResolveFailed"),
    ],
)
def test_standing_of_resolve(job: dict[str, Any], those: list[dict[str, Any]], expected: object) -> None:
    assert reason_of(job, *those) == expected


@pytest.mark.parametrize(
    ("reason", "message", "expected"),
    [
        ("StartError", NOT_FOUND, "WorkerMissing"),
        ("ContainerCannotRun", NO_FILE, "WorkerMissing"),
        ("StartError", OF_CRIO, "WorkerMissing"),
        ("StartError", NO_DRIVER, "ResolveFailed"),
        ("Error", FORMAT, "WrongArchitecture"),
        ("StartError", FORMAT, "WrongArchitecture"),
        ("Error", "FileNotFoundError: no such file or directory", "ResolveFailed"),
    ],
)
def test_an_image_that_cannot_be_started_is_told_in_our_words_and_in_the_runtime_s(
    reason: str, message: str, expected: str
) -> None:
    found = told(resolving.answer("", pod(container=ended(128, reason, message))))
    assert found[0] == expected
    assert message in found[1]


def test_a_worker_on_a_node_of_another_kind_is_told_so() -> None:
    looping = waiting("CrashLoopBackOff", lastState=ended(255, "Error", FORMAT)["state"])
    found = pods.problem([pod(container=looping)], None, None, None, NOW)
    assert found is not None
    assert "another kind of processor" in found.message


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

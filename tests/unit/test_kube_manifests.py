"""What the operator asks of the cluster, whole, in golden/: what changes there holds from the next edit on."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml
from populate_operator.kube.manifests import worker as workers
from populate_operator.kube.manifests.assignment import Answer, assignment, read
from populate_operator.kube.manifests.merge import merged
from populate_operator.kube.manifests.names import APPLIED, resolve_name
from populate_operator.kube.manifests.resolve import resolve_job
from populate_operator.kube.manifests.worker import deployment, of_size

from tests.documentation.blocks import ROOT, blocks
from tests.unit.kube import job, resource
from tests.unit.planning import DOCUMENT, NOW, after

GOLDEN = Path(__file__).parent / "golden"
GPU = {
    "metadata": {"labels": {"cost-centre": "neuro"}},
    "spec": {
        "nodeSelector": {"accelerator": "a100"},
        "priorityClassName": "batch",
        "securityContext": {"fsGroup": 2000},
        "terminationGracePeriodSeconds": 600,
        "containers": [
            {"name": "proxy", "image": "proxy:1"},
            {
                "name": "worker",
                "resources": {"limits": {"nvidia.com/gpu": 1}},
                "env": [{"name": "OMP_NUM_THREADS", "value": "1"}],
                "volumeMounts": [{"name": "raw", "mountPath": "/raw"}],
                "securityContext": {"readOnlyRootFilesystem": False},
            },
        ],
        "volumes": [{"name": "raw", "persistentVolumeClaim": {"claimName": "raw"}}],
    },
}


def of_deployment(**spec: Any) -> dict[str, Any]:
    return deployment(job(**spec), resource(**spec), "1a2b3c4d", 3)


@pytest.mark.parametrize(("replicas", "unavailable"), [(0, 1), (1, 1), (3, 1), (4, 1), (7, 1), (8, 2), (100, 25)])
def test_a_roll_may_take_a_quarter_of_the_workers_and_one_at_least(replicas: int, unavailable: int) -> None:
    """Else one that has the only GPU would never make room for the next."""
    rolling = of_size(of_deployment(), replicas)["spec"]["strategy"]["rollingUpdate"]
    assert rolling == {"maxSurge": "25%", "maxUnavailable": unavailable}


def worker_of(made: dict[str, Any]) -> dict[str, Any]:
    containers = made["spec"]["template"]["spec"]["containers"]
    return next(container for container in containers if container["name"] == "worker")


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("deployment", of_deployment()),
        ("deployment-with-template", of_deployment(worker={"template": GPU})),
        (
            "resolve",
            resolve_job(job(restriction="note = '$5' AND id < 9"), resource(), "q-1"),
        ),
    ],
)
def test_golden(name: str, made: dict[str, Any]) -> None:
    assert made == yaml.safe_load((GOLDEN / f"{name}.yaml").read_text())


@pytest.mark.parametrize(
    "spec",
    [
        {"priority": 1},
        {"restriction": "subject_id < 3"},
        {"retry": {"limit": 9}},
        {"timeoutSeconds": 5},
        {"scaling": {"maxWorkers": 3}},
        {"worker": {"concurrency": 4, "makeKwargs": {"threshold": 2}}},
    ],
)
def test_an_edit_outside_the_pod_template_rolls_no_pod(spec: dict[str, Any]) -> None:
    assert of_deployment(**spec) == of_deployment()


@pytest.mark.parametrize(
    "spec",
    [
        {"worker": {"image": "registry.example/cardio:1.5"}},
        {"worker": {"drainSeconds": 300}},
        {"worker": {"template": GPU}},
        {"worker": {"template": {"metadata": {"labels": {"cost": "a"}}}}},
        {"database": {"secretRef": {"name": "other"}}},
    ],
)
def test_an_edit_of_the_pod_template_is_applied(spec: dict[str, Any]) -> None:
    edited, plain = (made["metadata"]["annotations"] for made in (of_deployment(**spec), of_deployment()))
    assert edited[APPLIED] != plain[APPLIED]


def test_what_an_operator_makes_otherwise_replaces_no_worker_unless_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    before = of_deployment()
    monkeypatch.setattr(workers, "PORT", 9090)
    later = of_deployment()
    monkeypatch.setattr(workers, "EDITION", workers.EDITION + 1)
    told = of_deployment()
    assert before["spec"]["template"] != later["spec"]["template"]
    assert applied(before) == applied(later) != applied(told)


def test_another_installation_replaces_workers_for_those_under_the_earlier_name_are_nobodys() -> None:
    here, there = (workers.deployment(job(), resource(), installation, 1) for installation in ("here", "there"))
    assert applied(here) != applied(there)


def applied(deployment: dict[str, Any]) -> str:
    return str(deployment["metadata"]["annotations"][APPLIED])


def told_on_the_page_about_images() -> list[dict[str, Any]]:
    """What pods are made of the parts of a manifest there: of none, then of each in turn."""
    page = ROOT / "docs" / "how-to" / "own-image.md"
    specs = [yaml.safe_load(block.text)["spec"] for block in blocks(page) if block.kind == "yaml"]
    return [made["spec"]["template"]["spec"] for made in (of_deployment(**spec) for spec in ({}, *specs))]


def test_a_pod_may_do_what_the_page_about_images_says() -> None:
    plain, with_folders, as_another, as_it_is = told_on_the_page_about_images()
    worker, more, _, unlocked = (pod["containers"][0] for pod in (plain, with_folders, as_another, as_it_is))
    assert {"name": "HOME", "value": "/tmp"} in worker["env"]
    writable = {mount["mountPath"] for mount in worker["volumeMounts"] if not mount["mountPath"].startswith("/etc/")}
    assert writable == {"/tmp"}
    added = {mount["mountPath"] for mount in more["volumeMounts"]} - {
        mount["mountPath"] for mount in worker["volumeMounts"]
    }
    assert added == {"/opt/tracking/cache", "/dev/shm"}
    assert plain["securityContext"]["runAsNonRoot"]
    assert as_another["securityContext"] == {**plain["securityContext"], "runAsUser": 65532}
    assert as_it_is["securityContext"] == {**plain["securityContext"], "runAsNonRoot": False}
    assert unlocked["securityContext"] == {**worker["securityContext"], "readOnlyRootFilesystem": False}


def test_the_grace_period_lets_running_keys_end() -> None:
    grace = of_deployment(worker={"drainSeconds": 300})["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert grace > 300


def test_resolve_runs_without_the_users_other_containers_which_would_keep_it_from_ending() -> None:
    made = resolve_job(job(worker={"template": GPU}), resource(), "q-1")
    assert [container["name"] for container in made["spec"]["template"]["spec"]["containers"]] == ["worker"]


def test_resolve_has_the_workers_nodes_and_not_their_wish_for_other_company() -> None:
    nodes: dict[str, Any] = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}
    spread = [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}]
    apart: dict[str, Any] = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": []}}
    for affinity, kept in ({"nodeAffinity": nodes, **apart}, {"nodeAffinity": nodes}), (apart, None), (None, None):
        template = {"spec": {"affinity": affinity, "topologySpreadConstraints": spread}}
        made = resolve_job(job(worker={"template": template}), resource(), "q-1")["spec"]["template"]["spec"]
        assert (made.get("affinity"), "topologySpreadConstraints" in made) == (kept, False)


@pytest.mark.parametrize(
    "spec",
    [
        {"containers": [{"resources": {}}]},
        {"containers": ["worker"]},
        {"containers": {"name": "worker"}},
        {"containers": [{"name": ["worker"]}]},
        {"containers": [{"name": "worker", "env": [{"value": "1"}], "volumeMounts": [{"name": "raw"}]}]},
        {"containers": [{"name": "worker", "env": "A=1", "volumeMounts": None}]},
        {"volumes": [{"emptyDir": {}}]},
        {"affinity": "gpu"},
        {"terminationGracePeriodSeconds": "600"},
    ],
)
def test_what_a_template_must_not_say_is_passed_on_for_the_api_server_to_refuse(spec: dict[str, Any]) -> None:
    pods = resolve_job(job(worker={"template": {"spec": spec}}), resource(), "q")["spec"]["template"]["spec"]
    of_deployment(worker={"template": {"spec": spec}})
    for field, value in spec.items():
        if field in ("volumes", "affinity", "terminationGracePeriodSeconds"):
            assert value == pods[field] or value[0] in pods[field]


def test_a_container_without_a_name_is_passed_on_beside_the_workers() -> None:
    nameless = {"resources": {"limits": {"memory": "1Gi"}}}
    template = {"spec": {"containers": [nameless]}}
    for made in (
        resolve_job(job(worker={"template": template}), resource(), "q"),
        of_deployment(worker={"template": template}),
    ):
        assert nameless in made["spec"]["template"]["spec"]["containers"]


def test_names_of_resolve_jobs_fit_a_label_and_differ_by_populatejob_and_question() -> None:
    name = "a" * 52
    found = {resolve_name(name, uid, question) for uid in ("u-1", "u-2") for question in ("q-1", "q-2")}
    assert len(found) == 4
    assert all(len(one) <= 63 for one in found)


def test_an_assignment_is_read_back_as_it_was_answered() -> None:
    answer = Answer(DOCUMENT, "q-1", NOW)
    assert read(assignment(job(), resource(), answer, after(5))) == answer
    assert read(assignment(job(), resource(), answer, after(5), paused=True)) == answer


def test_an_assignment_that_says_the_same_is_not_applied_again() -> None:
    answer = Answer(DOCUMENT, "q-1", NOW)
    one, later = (assignment(job(), resource(), answer, at)["metadata"]["annotations"] for at in (NOW, after(60)))
    edited = assignment(job(timeoutSeconds=5), resource(), answer, NOW)["metadata"]["annotations"]
    paused = assignment(job(), resource(), answer, NOW, paused=True)["metadata"]["annotations"]
    assert one[APPLIED] == later[APPLIED]
    assert len({one[APPLIED], edited[APPLIED], paused[APPLIED]}) == 3


def test_an_assignment_of_another_protocol_is_not_used() -> None:
    answer = Answer(dataclasses.replace(DOCUMENT, protocol=99), "q-1", NOW)
    assert read(assignment(job(), resource(), answer, NOW)) is None


@pytest.mark.parametrize(
    ("under", "over", "expected"),
    [
        ({"a": {"b": 1}}, {"a": {"c": 2}}, {"a": {"b": 1, "c": 2}}),
        ({"a": [1]}, {"a": [2]}, {"a": [2]}),
        ({"a": 1, "b": 2}, {"a": None}, {"b": 2}),
        ({"env": [{"name": "A", "x": 1}]}, {"env": [{"name": "A", "x": 2}]}, {"env": [{"name": "A", "x": 2}]}),
        ({"env": [{"name": "A"}]}, {"env": [{"name": "B"}]}, {"env": [{"name": "A"}, {"name": "B"}]}),
        (
            {"volumeMounts": [{"name": "x", "mountPath": "/tmp"}]},
            {"volumeMounts": [{"name": "y", "mountPath": "/tmp"}]},
            {"volumeMounts": [{"name": "y", "mountPath": "/tmp"}]},
        ),
        ({"tolerations": [{"key": "a"}]}, {"tolerations": [{"key": "b"}]}, {"tolerations": [{"key": "b"}]}),
    ],
)  # fmt: skip
def test_merge(under: dict[str, Any], over: dict[str, Any], expected: dict[str, Any]) -> None:
    assert merged(under, over) == expected

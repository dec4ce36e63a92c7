"""A PopulateJob that Git has: applied over and over, as Argo CD and Flux do it, while the operator works on it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from populate_operator.kube.farewell import FINALIZER

from tests.servers.host import wait_until

from . import Refused, argocd, generated
from .api import Object
from .beside import Beside
from .conftest import one_engine
from .installation import ROOT
from .kubectl import Kubectl
from .lab import Applied, Lab

MANAGERS = ["argocd-controller", "kustomize-controller"]
"""The names under which Argo CD and Flux apply."""
SERVERS_OWN = ("managedFields", "resourceVersion", "generation", "creationTimestamp", "uid")
TIMES = 20
Verdict = tuple[str, str]
"""Flux's and Argo CD's."""


class FromGit(Applied):
    """Applied on the server's side, by force, as both tools do."""

    def __init__(self, lab: Lab, manager: str, **spec: Any) -> None:
        super().__init__(lab, f"job-{lab.id}", lab.namespace)
        self._manager = manager
        self.commit(**spec)

    def commit(self, annotations: dict[str, str] | None = None, **spec: Any) -> None:
        """Git has this from now on, and it is applied."""
        metadata = {"name": self.name, "namespace": self.namespace, "annotations": annotations or {}}
        head = {"apiVersion": "datajoint.io/v1alpha1", "kind": "PopulateJob", "metadata": metadata}
        self._manifest = {**head, "spec": self.lab.spec(**spec)}
        self.sync()

    def sync(self, *options: str) -> Object:
        """What there is then, or would be then."""
        forced = ("--server-side", "--force-conflicts", f"--field-manager={self._manager}", "--output=json")
        found: Object = json.loads(self.lab.kubectl.apply(self._manifest, options=(*forced, *options)))
        return found

    def is_out_of_sync(self) -> bool:
        """Whether an apply would change anything: both tools ask so, and leave the status aside."""
        return compared(self.sync("--dry-run=server")) != compared(self.seen)

    def managed(self) -> dict[tuple[str, str], set[str]]:
        """Fields, as paths, by manager and subresource."""
        entries = self.lab.api.get("populatejobs", self.namespace, self.name)["metadata"]["managedFields"]
        return {(of["manager"], of.get("subresource", "")): set(leaves(of["fieldsV1"])) for of in entries}


def compared(found: Object) -> Object:
    metadata = {name: value for name, value in found["metadata"].items() if name not in SERVERS_OWN}
    return {"metadata": metadata, "spec": found["spec"]}


def leaves(fields: Object, path: str = "") -> Iterator[str]:
    for name, inner in fields.items():
        if inner:
            yield from leaves(inner, f"{path}.{name.removeprefix('f:')}")
        elif name != ".":
            yield f"{path}.{name.removeprefix('f:')}"


@one_engine
@pytest.mark.parametrize("manager", MANAGERS)
def test_applied_again_and_again_while_keys_are_made_nothing_differs_and_no_field_has_two_owners(
    lab: Lab, manager: str
) -> None:
    lab.add("fail", "wait", *["nap"] * 6)
    job = FromGit(lab, manager, deletionPolicy="RemovePending", scaling={"maxWorkers": 2})
    lab.until_in_make(2)
    for item in range(TIMES):
        lab.add("insert", first=100 + item)  # so that the status has news
        job.sync()
        assert not job.is_out_of_sync()
    lab.let(2)
    wait_until(lambda: len(lab.made()) == 7 + TIMES, "all made but the one that fails")
    job.until(error=1, progress=f"{7 + TIMES}/{8 + TIMES}")
    assert not job.is_out_of_sync()
    assert job.seen["metadata"]["generation"] == 1

    managed = job.managed()
    every = [field for fields in managed.values() for field in fields]
    assert len(every) == len(set(every))
    assert not [field for field in managed.pop((manager, "")) if field.startswith(".status")]
    others = {field for fields in managed.values() for field in fields if not field.startswith(".status")}
    assert others == {f'.metadata.finalizers.v:"{FINALIZER}"'}


@one_engine
@pytest.mark.parametrize("manager", MANAGERS)
def test_what_git_has_takes_the_place_of_a_scale_and_what_it_has_not_is_left_alone(lab: Lab, manager: str) -> None:
    job = FromGit(lab, manager, scaling={"maxWorkers": 3})
    job("scale", "--replicas=7")
    assert job.is_out_of_sync()
    job.sync()
    assert job.seen["spec"]["scaling"]["maxWorkers"] == 3

    job.commit(scaling={"keysPerWorker": 2})
    assert job.seen["spec"]["scaling"]["maxWorkers"] == 10
    job("scale", "--replicas=7")
    assert not job.is_out_of_sync()
    job.sync()
    assert job.seen["spec"]["scaling"]["maxWorkers"] == 7


@one_engine
def test_buttons_that_git_presses_are_answered_once_and_stay_in_sync(lab: Lab) -> None:
    lab.add("fail", "insert")
    job = FromGit(lab, MANAGERS[0], mode="Once")
    job.until_condition("Failed", "True", "KeysFailed")
    lab.change(1, "insert")
    job.commit(annotations={"datajoint.io/retry-errors": "commit-2"}, mode="Once")
    job.until_condition("Complete", "True", "Complete")
    job.until(lastHandledRetryErrors="commit-2")
    job.sync()
    assert not job.is_out_of_sync()
    assert sorted(lab.started()) == [1, 1, 2]


def test_a_commit_that_has_failed_keys_tried_again_is_not_met_by_how_they_fared_before(
    own_lab: Lab, beside: Beside, tmp_path: Path
) -> None:
    own_lab.add("fail")
    beside.start().until_well()
    job = FromGit(own_lab, MANAGERS[1], mode="Once")
    job.until_condition("Failed", "True", "KeysFailed")
    own_lab.change(1, "insert")
    with statuses(job, tmp_path / "statuses") as seen:
        job.commit(annotations={"datajoint.io/retry-errors": "2"}, mode="Once", priority=2)
        wait_until(lambda: any("Complete" in types for _, types in seen()), "complete")
    failed = {generation for generation, types in seen() if "Failed" in types}
    assert failed == {"1"}


@contextmanager
def statuses(job: Applied, file: Path) -> Iterator[Callable[[], list[tuple[str, list[str]]]]]:
    """Each status that it has had: the generation it was about, and the conditions that were True."""
    line = '{.status.observedGeneration} {.status.conditions[?(@.status=="True")].type}{"\\n"}'

    def seen() -> list[tuple[str, list[str]]]:
        return [(generation, types) for generation, *types in map(str.split, file.read_text().splitlines())]

    words = ("get", f"populatejob/{job.name}", f"--namespace={job.namespace}", "--watch", f"--output=jsonpath={line}")
    with file.open("w") as output:
        watch = job.lab.kubectl.start(*words, output=output)
        try:
            wait_until(lambda: bool(seen()), "the first status")
            yield seen
        finally:
            watch.terminate()
            watch.wait()


@one_engine
def test_a_step_is_in_progress_for_both_until_its_last_key_is_made(lab: Lab) -> None:
    lab.add("insert", "wait")
    job = FromGit(lab, MANAGERS[1], mode="Once")
    assert watch(job, lambda _: lab.started()[-1:] == [2]) == {("InProgress", "Progressing")}
    lab.let(2)
    found = watch(job, lambda verdict: verdict[0] == "Current")
    assert lab.made() == [1, 2]
    assert found <= {("InProgress", "Progressing"), ("Current", "Healthy")}


@one_engine
def test_broken_input_is_failed_for_both_with_the_reason_and_a_commit_mends_it(lab: Lab) -> None:
    lab.add("insert")
    job = FromGit(lab, MANAGERS[0], restriction="itm < 3")
    watch(job, lambda verdict: verdict == ("Failed", "Degraded"))
    (health,) = argocd.health(job.seen)
    assert "itm" in health["message"]
    job.commit(restriction="item < 3")
    watch(job, lambda verdict: verdict == ("Current", "Healthy"))
    lab.until_made(1)


def watch(job: Applied, until: Callable[[Verdict], bool]) -> set[Verdict]:
    """The verdicts there were until then."""
    found: list[Verdict] = []

    def look() -> bool:
        found.append(verdict(job))
        return until(found[-1])

    wait_until(look, f"{job.name} further on")
    return set(found)


def verdict(job: Applied) -> Verdict:
    seen = job.seen
    (kstatus,), (health,) = argocd.kstatus(seen), argocd.health(seen)
    return kstatus["status"], health["status"]


# The repositories to begin from


def test_the_populate_jobs_of_the_examples_are_taken_by_the_api_server(kubectl: Kubectl, namespace: str) -> None:
    files = sorted((ROOT / "examples" / "gitops").glob("*/pipeline/**/*.yaml"))
    assert len(files) == 6
    for file in files:
        told = kubectl("apply", "--server-side", "--dry-run=server", f"--filename={file}", f"--namespace={namespace}")
        assert told.endswith("serverside-applied (server dry run)\n")


@pytest.mark.parametrize(
    ("file", "path"),
    [
        ("argocd/applications/operator.yaml", ("spec", "source", "helm", "valuesObject")),
        ("flux/operator/operator.yaml", ("spec", "values")),
    ],
)
def test_the_values_of_the_examples_make_an_operator(file: str, path: tuple[str, ...]) -> None:
    *_, values = yaml.safe_load_all((ROOT / "examples" / "gitops" / file).read_text())
    for name in path:
        values = values[name]
    made = list(yaml.safe_load_all(generated.render("--values=-", stdin=json.dumps(values))))
    (deployment,) = (document for document in made if document["kind"] == "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"].startswith(values["image"]["repository"])
    assert "CustomResourceDefinition" in {document["kind"] for document in made}


def test_a_value_that_the_chart_does_not_know_is_refused() -> None:
    with pytest.raises(Refused, match="additional properties 'imag' not allowed"):
        generated.render("--set=imag.repository=x")

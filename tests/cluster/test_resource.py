"""The resource as a real API server serves it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from populate_operator.spec import PopulateJob

from tests.unit.manifest_text import a_job, read
from tests.unit.states import UNSEEN
from tests.unit.test_manifest_rules import BROKEN, KEPT

from . import Kubectl, Refused
from .installation import DEFINITION, ROOT

DEMO = ROOT / "examples" / "cardio" / "populate.yaml"
EVERY_FIELD = ROOT / "tests" / "unit" / "manifests" / "every-field.yaml"
SCHEMA = yaml.safe_load(DEFINITION.read_text())["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


class Namespaced:
    """kubectl in one namespace, with manifests as text."""

    def __init__(self, kubectl: Kubectl, namespace: str) -> None:
        self._kubectl = kubectl
        self._namespace = f"--namespace={namespace}"

    def __call__(self, *arguments: str, stdin: str | None = None) -> str:
        return self._kubectl(*arguments, self._namespace, stdin=stdin)

    def apply(self, text: str, *options: str) -> str:
        return self("apply", "--filename=-", *options, stdin=text)

    def get(self, name: str = "job") -> dict[str, Any]:
        found: dict[str, Any] = self._kubectl.get("populatejob", name, self._namespace)
        return found

    def set_status(self, name: str = "job", **status: Any) -> None:
        patch = yaml.safe_dump({"status": status})
        self("patch", "populatejob", name, "--subresource=status", "--type=merge", f"--patch={patch}")


@pytest.fixture
def within(kubectl: Kubectl, namespace: str) -> Namespaced:
    return Namespaced(kubectl, namespace)


def objects(schema: dict[str, Any], path: str) -> dict[str, dict[str, Any]]:
    """Every field that has fields, by its path."""
    inner = schema.get("items", schema)
    found = {path: inner} if "properties" in inner else {}
    for name, field in inner.get("properties", {}).items():
        found |= objects(field, f"{path}.{name}")
    return found


def words(text: str) -> str:
    return " ".join(text.split())


SPEC_OBJECTS = objects(SCHEMA["properties"]["spec"], "populatejob.spec")


@pytest.mark.parametrize("path", SPEC_OBJECTS)
def test_explain_says_what_each_field_is(kubectl: Kubectl, path: str) -> None:
    told = words(kubectl("explain", path))
    for name, field in SPEC_OBJECTS[path]["properties"].items():
        assert f"{name} <" in told
        assert words(field["description"]) in told


def test_a_short_name_and_a_category_find_it(within: Namespaced) -> None:
    within.apply(a_job())
    for name in "pj", "datajoint":
        assert within("get", name, "--output=name") == "populatejob.datajoint.io/job\n"


def test_columns_show_how_far_it_is(within: Namespaced) -> None:
    within.apply(a_job())
    ready = {"type": "Ready", "status": "True", "reason": "Working", "message": "All is well."}
    within.set_status(
        progress="37/120", pending=80, reserved=3, error=2, workers={"ready": 3, "desired": 4},
        estimatedCompletionTime="2030-01-01T00:00:00Z",
        conditions=[{**ready, "lastTransitionTime": "2026-01-01T00:00:00Z"}],
    )  # fmt: skip
    titles, values = (line.split() for line in within("get", "pj").splitlines())
    assert titles == ["NAME", "TABLE", "PROGRESS", "PENDING", "RUNNING", "ERRORS", "WORKERS", "READY", "AGE"]
    assert values[:-1] == ["job", "cardio.HeartRate", "37/120", "80", "3", "2", "3", "True"]
    wide = within("get", "pj", "--output=wide").splitlines()
    assert wide[0].split()[len(titles) :] == ["PRIORITY", "ETA", "REASON", "MESSAGE"]
    assert wide[1].split()[len(titles) :] == ["5", "2030-01-01T00:00:00Z", "Working", "All", "is", "well."]


def test_status_is_written_apart_from_the_rest(within: Namespaced) -> None:
    within.apply(a_job() + "status: {pending: 7}\n")
    within.set_status(pending=8, nonsense=1)
    within.apply(a_job(priority=3) + "status: {pending: 9}\n")
    job = within.get()
    assert job["status"] == {"observedGeneration": -1, "pending": 8}
    assert job["metadata"]["generation"] == 2


def test_a_status_that_nobody_has_written_is_about_no_generation(within: Namespaced) -> None:
    within.apply(a_job())
    assert within.get()["status"] == UNSEEN


def test_a_condition_can_be_waited_for(within: Namespaced) -> None:
    within.apply(a_job(mode="Once"))
    complete = {"type": "Complete", "status": "True", "reason": "AllKeysMade", "message": "Done."}
    at = {"lastTransitionTime": "2026-01-01T00:00:00Z"}
    within.set_status(observedGeneration=1, conditions=[{**complete, **at}])
    assert "condition met" in within("wait", "pj/job", "--for=condition=Complete", "--timeout=240s")


def test_scale_sets_the_most_workers(within: Namespaced) -> None:
    within.apply(a_job(scaling={"minWorkers": 2}))
    within.set_status(workers={"desired": 4, "selector": "app=worker"})
    for most in 20, 0:
        within("scale", "pj", "job", f"--replicas={most}")
        assert within.get()["spec"]["scaling"]["maxWorkers"] == most
    scale = within("get", "pj", "job", "--subresource=scale", "--output=jsonpath={.status.replicas} {.status.selector}")
    assert scale == "4 app=worker"
    with pytest.raises(Refused, match="less than or equal to 1000"):
        within("scale", "pj", "job", "--replicas=1001")


def test_the_table_stays(within: Namespaced) -> None:
    within.apply(a_job())
    with pytest.raises(Refused, match=r"spec\.table.*cannot be changed: delete this PopulateJob and create one"):
        within.apply(a_job(table="cardio.Summary"))
    within.apply(a_job(database={"secretRef": {"name": "datajoint-2"}}))


@pytest.mark.parametrize(("spec", "problem"), BROKEN)
def test_what_is_refused_without_a_server_is_refused_in_the_same_words(
    within: Namespaced, spec: dict[str, Any], problem: str
) -> None:
    field, told = problem.split(": ", 1)
    told = re.sub(r', not ("|\d).*$', "", told)
    with pytest.raises(Refused) as refused:
        within.apply(a_job(**spec))
    assert re.search(rf"{re.escape(field)}: Invalid value: (.*: )?{re.escape(told)}", str(refused.value))


@pytest.mark.parametrize("spec", KEPT)
def test_what_is_taken_without_a_server_is_taken(within: Namespaced, spec: dict[str, Any]) -> None:
    assert within.apply(a_job(**spec), "--dry-run=server").endswith("created (server dry run)\n")


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"priority": 128}, "spec.priority"),
        ({"priority": "3"}, "spec.priority"),
        ({"mode": "once"}, 'supported values: "Continuous", "Once"'),
        ({"priorty": 3}, 'unknown field "spec.priorty"'),
        ({"worker": {}}, "spec.worker.image: Required value"),
    ],
)
def test_what_the_schema_forbids_is_refused(within: Namespaced, spec: dict[str, Any], told: str) -> None:
    with pytest.raises(Refused) as refused:
        within.apply(a_job(**spec))
    assert told in str(refused.value)


@pytest.mark.parametrize(("name", "told"), [("a.b", "letter or digit at either end"), ("x" * 53, "52")])
def test_a_name_that_workers_cannot_carry_is_refused(within: Namespaced, name: str, told: str) -> None:
    with pytest.raises(Refused, match=rf"metadata\.name: .*{told}"):
        within.apply(a_job(name))


def test_a_name_of_52_characters_may_be_generated(within: Namespaced) -> None:
    text = a_job("x" * 47).replace("{name:", "{generateName:")
    created = within("create", "--filename=-", "--output=jsonpath={.metadata.name}", stdin=text)
    assert len(created) == 52


@pytest.mark.parametrize("options", [(), ("--server-side",)], ids=["client", "server"])
def test_applied_again_nothing_changes(within: Namespaced, options: tuple[str, ...]) -> None:
    within.apply(DEMO.read_text(), *options)
    within.apply(DEMO.read_text(), *options)  # stores the default of a status that nobody has written
    before = within("get", "pj", "--output=jsonpath={.items[*].metadata.resourceVersion}")
    within.apply(DEMO.read_text(), *options)
    assert within("get", "pj", "--output=jsonpath={.items[*].metadata.resourceVersion}") == before
    assert within("diff", "--filename=-", *options, stdin=DEMO.read_text()) == ""


def test_managers_of_different_fields_do_not_meet(within: Namespaced) -> None:
    within.apply(a_job(priority=3), "--server-side", "--field-manager=lab")
    others = a_job(priority=4)
    with pytest.raises(Refused, match=r"conflict with \"lab\": \.spec\.priority"):
        within.apply(others, "--server-side", "--field-manager=ops")
    within("scale", "pj", "job", "--replicas=20")
    within.apply(a_job(priority=2), "--server-side", "--field-manager=lab")
    spec = within.get()["spec"]
    assert (spec["priority"], spec["scaling"]["maxWorkers"]) == (2, 20)


@pytest.mark.parametrize("manifest", [EVERY_FIELD, DEMO], ids=["every field", "demo"])
def test_the_server_stores_what_is_read_without_one(within: Namespaced, manifest: Path, tmp_path: Path) -> None:
    text = re.sub(r"^  namespace: .*\n", "", manifest.read_text(), flags=re.MULTILINE)
    within.apply(text, "--server-side")  # without it, kubectl drops what is null
    for job in read(tmp_path, text).jobs:
        assert PopulateJob.from_object(within.get(job.name)).spec == job.spec


def test_delete_leaves_nothing_to_wait_for(within: Namespaced) -> None:
    within.apply(a_job())
    within("delete", "pj", "job", "--timeout=240s")
    assert within("get", "pj", "--output=name") == ""

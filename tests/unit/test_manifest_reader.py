"""Which objects a manifest gives: PopulateJobs with their defaults, Secrets as text, notes for the rest."""

from __future__ import annotations

import base64
import dataclasses
import io
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from populate_jobs.errors import PopulateError
from populate_operator.manifest import ManifestError, load
from populate_operator.manifest import crd as crd_module
from populate_operator.spec import Database, Refresh, Retry, Scaling, SecretRef, Spec, Worker

from tests.unit.manifest_text import a_job, problems, read

EVERY_FIELD = Path(__file__).parent / "manifests" / "every-field.yaml"


def a_secret(name: str = "datajoint", body: str = "stringData: {host: db}") -> str:
    return f"apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\n{body}\n"


def test_every_field_is_read(tmp_path: Path) -> None:
    (job,) = load(EVERY_FIELD).jobs
    assert (job.name, job.namespace, job.labels) == ("heart-rate", "lab", {"team": "cardio"})
    assert job.annotations == {"datajoint.io/refresh": "1"}
    assert job.spec == Spec(
        table="cardio.HeartRate",
        restriction="subject_id < 100 AND name LIKE 'a%'",
        restrict_by=(
            {"key": {"session_date": "2024-01-01", "subject_id": 7, "control": False}},
            {"anyOf": [{"subject_id": 7}, {"subject_id": 8}]},
            {"table": "cardio.Recording", "where": "sample_rate >= 250"},
        ),
        priority=3,
        mode="Once",
        suspend=True,
        database=Database(SecretRef("lab-database")),
        refresh=Refresh(30, 60, 0, 86400),
        scaling=Scaling(1, 20, 4, 600, 30),
        retry=Retry(1, 5, 50, ("OSError", "*timed out*"), ("ValueError",)),
        timeout_seconds=3600,
        on_empty="Error",
        keep_completed=True,
        orphan_timeout_seconds=7200,
        deletion_policy="RemovePending",
        ttl_seconds_after_finished=600,
        worker=Worker(
            "registry.example/cardio:1.4",
            2,
            120,
            {"model": "v2", "window": None},
            {"spec": {"nodeSelector": {"gpu": "true"}}},
        ),
    )


def test_the_example_leaves_no_field_at_its_default() -> None:
    (job,) = load(EVERY_FIELD).jobs
    unlike = Spec(table="", worker=Worker(image=""))
    for part in (job.spec, job.spec.worker, job.spec.scaling, job.spec.refresh, job.spec.retry):
        default = {Worker: unlike.worker, Spec: unlike}.get(type(part)) or type(part)()
        same = [
            field.name
            for field in dataclasses.fields(part)
            if getattr(part, field.name) == getattr(default, field.name)
        ]
        assert not same


def test_defaults_are_those_of_the_definition(tmp_path: Path) -> None:
    """The schema fills in the defaults; the dataclasses repeat them for whoever builds a Spec by hand."""
    (job,) = read(tmp_path, a_job()).jobs
    assert job.spec == Spec(table="cardio.HeartRate", worker=Worker(image="cardio"))
    assert (job.namespace, job.generation, job.labels, job.annotations) == ("default", 1, {}, {})


@pytest.mark.parametrize("empty", ["{}", "null", ""])
def test_an_empty_object_is_its_defaults(tmp_path: Path, empty: str) -> None:
    (job,) = read(tmp_path, a_job() + f"  scaling: {empty}\n  retry: {empty}\n  database: {empty}\n").jobs
    assert (job.spec.scaling, job.spec.retry, job.spec.database) == (Scaling(), Retry(), Database())


def test_a_field_without_a_value_is_absent(tmp_path: Path) -> None:
    (job,) = read(tmp_path, a_job() + "  restriction:\n  timeoutSeconds: ~\n").jobs
    assert (job.spec.restriction, job.spec.timeout_seconds) == (None, None)


def test_what_kubectl_prints_can_be_read_back(tmp_path: Path) -> None:
    metadata = "{name: job, uid: a-b, resourceVersion: '5', generation: 7, creationTimestamp: 2024-01-01T00:00:00Z}"
    text = a_job().replace('{name: "job"}', metadata) + "status: {observedGeneration: 7, conditions: [], later: 1}\n"
    (job,) = read(tmp_path, text).jobs
    assert job.generation == 7


def test_several_documents_keep_their_order(tmp_path: Path) -> None:
    manifest = read(tmp_path, "---\n".join([a_job("b"), a_secret(), "", a_job("a")]))
    assert [job.name for job in manifest.jobs] == ["b", "a"]
    assert manifest.secrets == {"datajoint": {"host": "db"}}


def test_several_files_are_one_manifest(tmp_path: Path) -> None:
    (tmp_path / "secret.yaml").write_text(a_secret())
    (tmp_path / "job.yaml").write_text(a_job())
    manifest = load(tmp_path / "job.yaml", str(tmp_path / "secret.yaml"))
    assert [job.name for job in manifest.jobs] == ["job"]
    assert list(manifest.secrets) == ["datajoint"]


def test_a_list_is_its_items(tmp_path: Path) -> None:
    items = "".join(f"- {text}".replace("\n", "\n  ").rstrip() + "\n" for text in (a_job("a"), a_secret(), a_job("b")))
    manifest = read(tmp_path, f"apiVersion: v1\nkind: List\nitems:\n{items}")
    assert [job.name for job in manifest.jobs] == ["a", "b"]
    assert list(manifest.secrets) == ["datajoint"]


def test_problems_in_a_list_have_their_own_lines_and_fields(tmp_path: Path) -> None:
    items = "".join(
        f"- {text}".replace("\n", "\n  ").rstrip() + "\n" for text in (a_job("a"), a_job("b", priority=300))
    )
    assert problems(tmp_path, f"apiVersion: v1\nkind: List\nitems:\n{items}") == [
        "populate.yaml:16: spec.priority: must be from 0 to 127, not 300"
    ]


def test_other_kinds_are_left_out_with_a_note(tmp_path: Path) -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n---\n" + a_job()
    assert read(tmp_path, text).notes == [
        f"{tmp_path}/populate.yaml:1: ConfigMap is left out: only PopulateJob and Secret are read"
    ]


def test_standard_input_is_a_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(a_job(priority=200).encode())))
    with pytest.raises(ManifestError, match=r"^stdin:7: spec.priority"):
        load("-")


def test_a_file_that_cannot_be_read_is_named_beside_the_problems_of_others(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(a_job(priority=200))
    with pytest.raises(ManifestError) as caught:
        load(tmp_path / "no.yaml", tmp_path / "job.yaml", tmp_path)
    assert str(caught.value).replace(f"{tmp_path}/", "").splitlines() == [
        "no.yaml: cannot be read: No such file or directory",
        "job.yaml:7: spec.priority: must be from 0 to 127, not 200",
        f"{tmp_path}: cannot be read: Is a directory",
    ]
    assert isinstance(caught.value, PopulateError)


@pytest.mark.parametrize(("kind", "text", "line"), [("PopulateJob", a_job("x"), 10), ("Secret", a_secret("x"), 8)])
def test_a_name_is_used_once(tmp_path: Path, kind: str, text: str, line: int) -> None:
    message = f"x is the name of another {kind}, in populate.yaml:3: give each its own"
    assert problems(tmp_path, f"{text}---\n{text}") == [f"populate.yaml:{line}: metadata.name: {message}"]


def test_a_name_is_used_once_whatever_else_differs(tmp_path: Path) -> None:
    labelled = a_job("x").replace("{name:", "{labels: {a: b}, namespace: default, name:")
    assert problems(tmp_path, f"{a_job('x')}---\n{labelled}") == [
        "populate.yaml:10: metadata.name: x is the name of another PopulateJob, in populate.yaml:3: give each its own"
    ]


def test_the_same_file_twice_is_not_two_manifests(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(a_job("x"))
    with pytest.raises(ManifestError, match="x is the name of another PopulateJob"):
        load(tmp_path / "job.yaml", tmp_path / "job.yaml")


def test_objects_without_a_name_are_told_so_without_a_word_of_their_content(tmp_path: Path) -> None:
    nameless = "apiVersion: v1\nkind: Secret\nstringData: {password: hunter2}\n"
    assert problems(tmp_path, f"{nameless}---\n{nameless}") == [
        "populate.yaml:1: metadata: is required",
        "populate.yaml:5: metadata: is required",
    ]


def test_a_list_without_items_holds_nothing(tmp_path: Path) -> None:
    assert problems(tmp_path, "apiVersion: v1\nkind: List\n") == ["populate.yaml: no PopulateJob in it"]


def test_a_name_may_be_used_in_two_namespaces_and_by_two_kinds(tmp_path: Path) -> None:
    elsewhere = a_job("x").replace("{name:", "{namespace: lab, name:")
    assert len(read(tmp_path, "---\n".join([a_job("x"), elsewhere, a_secret("x")])).jobs) == 2


def test_a_secret_is_decoded_and_string_data_wins(tmp_path: Path) -> None:
    encoded = {name: base64.b64encode(text.encode()).decode() for name, text in {"host": "db", "user": "ü"}.items()}
    data = f"data: {{host: {encoded['host']}, user: {encoded['user']}}}"
    body = f"type: Opaque\n{data}\nstringData: {{host: other, port: '3306'}}"
    secrets = read(tmp_path, a_secret(body=body) + "---\n" + a_job()).secrets
    assert secrets == {"datajoint": {"host": "other", "user": "ü", "port": "3306"}}


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("stringData: {password: 31415926}", 'stringData.password: must be a text in quotes, "" for none'),
        ("stringData: {password: 031415926}", 'stringData.password: must be a text in quotes, "" for none'),
        ("stringData: 31415926", "stringData: must be names and their values"),
        ("data: {password: 31415926-}", "data.password: must be text in base64: put it under stringData as it is"),
        ("data: {password: /w==}", "data.password: must be text in base64: put it under stringData as it is"),
        ("stringdata: {password: 31415926}", "stringdata: is not a field here: did you mean stringData?"),
        ("stringData: {password: !!int 31415926x}", "stringData.password: is not of the type that its tag says"),
    ],
)
def test_a_secret_that_cannot_be_used_is_refused_without_its_value(tmp_path: Path, body: str, problem: str) -> None:
    lines = problems(tmp_path, a_secret(body=body) + "---\n" + a_job())
    assert lines == [f"populate.yaml:4: {problem}"]


def test_no_text_of_a_manifest_shows_a_password(tmp_path: Path) -> None:
    manifest = read(tmp_path, a_secret(body="stringData: {password: '31415926'}\ndata: {n: MQ==}") + "---\n" + a_job())
    assert manifest.secrets["datajoint"]["password"] == "31415926"
    assert "31415926" not in repr(manifest)


def test_reading_the_definition_works_from_an_installed_package(tmp_path: Path) -> None:
    """A wheel carries the file inside the package."""
    source = Path(crd_module.__file__).parents[1]
    (tmp_path / "lib").mkdir()
    subprocess.run(["cp", "-r", source, tmp_path / "lib" / "populate_operator"], check=True)
    subprocess.run(
        ["cp", "-r", source.parents[1] / "crds", tmp_path / "lib" / "populate_operator" / "crds"], check=True
    )
    script = "from populate_operator.manifest.crd import definition; print(definition().api_version)"
    found = subprocess.run(
        [sys.executable, "-c", script],
        check=True,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": f"{tmp_path / 'lib'}:{source.parents[1] / 'jobs'}"},
    )
    assert found.stdout.strip() == "datajoint.io/v1alpha1"

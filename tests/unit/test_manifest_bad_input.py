"""What is wrong with a PopulateJob is said at once: file, line, field, value, what is allowed, and the way out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.manifest_text import HEAD, a_job, problems


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ({"priority": 200}, "spec.priority: must be from 0 to 127, not 200"),
        ({"priority": -1}, "spec.priority: must be from 0 to 127, not -1"),
        ({"priority": "3"}, 'spec.priority: must be an integer, not "3": remove the quotes'),
        ({"priority": 2.5}, "spec.priority: must be an integer, not 2.5"),
        ({"priority": True}, "spec.priority: must be an integer, not true"),
        ({"priorty": 3}, "spec.priorty: is not a field here: did you mean priority?"),
        ({"Suspend": True}, "spec.Suspend: is not a field here: did you mean suspend?"),
        ({"suspend": "yes"}, 'spec.suspend: must be true or false, not "yes": remove the quotes'),
        ({"mode": "once"}, 'spec.mode: must be Continuous or Once, not "once": did you mean Once?'),
        ({"mode": "Batch"}, 'spec.mode: must be Continuous or Once, not "Batch"'),
        ({"onEmpty": False}, "spec.onEmpty: must be Ignore or Error, not false"),
        ({"restriction": 5}, "spec.restriction: must be a string, not 5: put it in quotes"),
        (
            {"restriction": {"session": 3}},
            'spec.restriction: must be a string, not {"session": 3}: attributes and their values are a term of '
            'restrictBy: [{key: {"session": 3}}]',
        ),
        ({"scaling": 5}, "spec.scaling: must be an object, not 5"),
        ({"scaling": {"maxWorkers": -3}}, "spec.scaling.maxWorkers: must be from 0 to 1000, not -3"),
        ({"scaling": {"maxWorker": 3}}, "spec.scaling.maxWorker: is not a field here: did you mean maxWorkers?"),
        (
            {"scaling": {"x": 3}},
            "spec.scaling.x: is not a field here: there are keysPerWorker, maxWorkers, minWorkers, "
            "scaleDownDelaySeconds, targetDrainSeconds",
        ),
        ({"retry": {"retryOn": "OSError"}}, 'spec.retry.retryOn: must be a list, not "OSError"'),
        ({"retry": {"failOn": [""]}}, 'spec.retry.failOn[0]: must have at least 1 character, not ""'),
        ({"retry": {"failOn": ["x"] * 33}}, "spec.retry.failOn: must have at most 32 entries, not 33"),
        ({"restriction": "x" * 8193}, "spec.restriction: must have at most 8192 characters, not 8193"),
        ({"restrictBy": [{"key": {}}]}, "spec.restrictBy[0].key: must have at least 1 attribute, not {}"),
        ({"restrictBy": [{"anyOf": []}]}, "spec.restrictBy[0].anyOf: must have at least 1 entry, not []"),
        (
            {"restrictBy": [{"key": {"rate": 1.5}}]},
            "spec.restrictBy[0].key.rate: must be a string, an integer or true or false, not 1.5: put it in quotes",
        ),
        (
            {"restrictBy": [{"anyOf": [{"id": [1, 2]}]}]},
            "spec.restrictBy[0].anyOf[0].id: must be a string, an integer or true or false, not [1, 2]",
        ),
        (
            {"restrictBy": [{"kye": {"id": 1}, "table": "a.B"}]},
            "spec.restrictBy[0].kye: is not a field here: did you mean key?",
        ),
        (
            {"worker": {"concurrency": 2}},
            "spec.worker.image: is required: container image with the pipeline's code and the worker",
        ),
        ({"worker": None}, "spec.worker: is required: the processes that make keys"),
        ({"timeoutSeconds": 0}, "spec.timeoutSeconds: must be from 1 to 31536000, not 0"),
    ],
)
def test_a_field_that_cannot_be_used_is_named_with_what_is_allowed(
    tmp_path: Path, spec: dict[str, Any], problem: str
) -> None:
    line = 6 if "worker" in spec else 7
    assert problems(tmp_path, a_job(**spec)) == [f"populate.yaml:{line}: {problem}"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            f"{HEAD}metadata: {{name: a}}\n",
            "populate.yaml:1: spec: is required: what to make, with which database and workers",
        ),
        (f"{HEAD}spec: {{table: a.B, worker: {{image: x}}}}\n", "populate.yaml:1: metadata: is required"),
        (a_job("x" * 53), "populate.yaml:3: metadata.name: must have at most 52 characters, not 53"),
        (
            a_job("Heart_Rate"),
            "populate.yaml:3: metadata.name: must be lower-case letters, digits and '-', "
            'with a letter or digit at either end, not "Heart_Rate"',
        ),
        (
            a_job().replace("name:", "generateName:"),
            "populate.yaml:3: metadata.name: is required: name of at most 52 characters, as a CronJob's",
        ),
        (
            a_job().replace("{name:", "{labels: {run: 5}, name:"),
            "populate.yaml:3: metadata.labels.run: must be a string, not 5: put it in quotes",
        ),
        (
            a_job().replace("{name:", "{nmae: x, name:"),
            "populate.yaml:3: metadata.nmae: is not a field here: did you mean name?",
        ),
        (a_job() + "specs: {}\n", "populate.yaml:7: specs: is not a field here: did you mean spec?"),
        (
            a_job().replace("v1alpha1", "v1"),
            "populate.yaml:1: apiVersion: must be datajoint.io/v1alpha1, not datajoint.io/v1",
        ),
        (
            a_job().replace("apiVersion", "apiversion"),
            "populate.yaml:1: apiVersion: is required: datajoint.io/v1alpha1",
        ),
        (
            a_job().replace("PopulateJob", "PopulateJobs"),
            "populate.yaml:2: kind: must be PopulateJob, not PopulateJobs",
        ),
        (a_job().replace("kind", "Kind"), "populate.yaml:1: kind: is required: PopulateJob or Secret"),
        ("just text\n", "populate.yaml:1: kind: is required: PopulateJob or Secret"),
        ("# nothing\n", "populate.yaml: no PopulateJob in it"),
    ],
)
def test_an_object_that_cannot_be_read_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    assert problems(tmp_path, text) == [problem]


def test_all_problems_of_a_file_come_at_once_in_the_order_of_lines(tmp_path: Path) -> None:
    spec = {"priority": 200, "modus": "Once", "scaling": {"minWorkers": 5, "maxWorkers": 3}}
    text = a_job(**spec) + "---\n" + a_job("Other", timeoutSeconds="1h")
    assert problems(tmp_path, text) == [
        "populate.yaml:7: spec.priority: must be from 0 to 127, not 200",
        "populate.yaml:8: spec.modus: is not a field here: did you mean mode?",
        "populate.yaml:9: spec.scaling.minWorkers: must be at most maxWorkers, not 5",
        "populate.yaml:13: metadata.name: must be lower-case letters, digits and '-', "
        'with a letter or digit at either end, not "Other"',
        'populate.yaml:17: spec.timeoutSeconds: must be an integer, not "1h"',
    ]


def test_long_values_are_shortened(tmp_path: Path) -> None:
    (line,) = problems(tmp_path, a_job(priority="x" * 1000))
    assert len(line) < 200
    assert "..." in line


def test_template_and_keyword_arguments_take_what_they_are_given(tmp_path: Path) -> None:
    lines = problems(tmp_path, a_job(worker={"template": {"spec": {"x": [1.5, None]}}, "makeKwargs": {"y": {"z": 1}}}))
    assert lines == [
        "populate.yaml:6: spec.worker.image: is required: container image with the pipeline's code and the worker"
    ]

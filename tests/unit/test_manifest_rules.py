"""The CEL rules of the CustomResourceDefinition hold without a server, each in both directions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from populate_operator.manifest import rules
from populate_operator.manifest.crd import definition

from tests.unit.manifest_text import a_job, problems, read

CLASS_PATH = "must be the import path of a class, such as"

BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"table": "HeartRate"}, f'spec.table: {CLASS_PATH} cardio.HeartRate, not "HeartRate"'),
    ({"table": "cardio.heart rate"}, f'spec.table: {CLASS_PATH} cardio.HeartRate, not "cardio.heart rate"'),
    ({"table": "cardio:HeartRate"}, f'spec.table: {CLASS_PATH} cardio.HeartRate, not "cardio:HeartRate"'),
    (
        {"ttlSecondsAfterFinished": 60},
        "spec.ttlSecondsAfterFinished: may be set only with mode Once: a Continuous PopulateJob never finishes",
    ),
    ({"scaling": {"minWorkers": 11}}, "spec.scaling.minWorkers: must be at most maxWorkers, not 11"),
    ({"scaling": {"minWorkers": 5, "maxWorkers": 4}}, "spec.scaling.minWorkers: must be at most maxWorkers, not 5"),
    ({"retry": {"backoffSeconds": 601}}, "spec.retry.backoffSeconds: must be at most maxBackoffSeconds, not 601"),
    ({"restrictBy": [{}]}, "spec.restrictBy[0]: must have exactly one of key, anyOf and table"),
    (
        {"restrictBy": [{"key": {"id": 1}, "anyOf": [{"id": 1}]}]},
        "spec.restrictBy[0]: must have exactly one of key, anyOf and table",
    ),
    (
        {"restrictBy": [{"key": {"id": 1}}, {"key": {"id": 1}, "where": "x > 1"}]},
        "spec.restrictBy[1].where: may be set only with table: it is a condition on that table",
    ),
    (
        {"restrictBy": [{"table": "Recording"}]},
        f'spec.restrictBy[0].table: {CLASS_PATH} cardio.Recording, not "Recording"',
    ),
    (
        {"database": {"secretRef": {"name": "../../other/secrets/login"}}},
        'spec.database.secretRef.name: must be the name of a Secret in this namespace, not "../../other/secrets/login"',
    ),
]

KEPT: list[dict[str, Any]] = [
    {"table": "lab.cardio._internal.HeartRate2"},
    {"ttlSecondsAfterFinished": 60, "mode": "Once"},
    {"ttlSecondsAfterFinished": 0, "mode": "Once"},
    {"scaling": {"minWorkers": 4, "maxWorkers": 4}},
    {"scaling": {"minWorkers": 4, "maxWorkers": 0}},
    {"retry": {"backoffSeconds": 600}},
    {"restrictBy": [{"key": {"id": 1}}, {"anyOf": [{"id": 1}, {"id": 2}]}]},
    {"restrictBy": [{"table": "cardio.Recording"}, {"table": "cardio.Recording", "where": "rate > 1"}]},
]


@pytest.mark.parametrize(("spec", "problem"), BROKEN)
def test_a_broken_rule_is_named(tmp_path: Path, spec: dict[str, Any], problem: str) -> None:
    line = 5 if "table" in spec else 7
    assert problems(tmp_path, a_job(**spec)) == [f"populate.yaml:{line}: {problem}"]


@pytest.mark.parametrize("spec", KEPT)
def test_a_rule_that_is_kept_says_nothing(tmp_path: Path, spec: dict[str, Any]) -> None:
    assert len(read(tmp_path, a_job(**spec)).jobs) == 1


def test_the_cases_break_and_keep_every_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    verdicts: dict[str, set[bool]] = {}
    holds = rules._holds

    def recorded(rule: str, value: Any) -> bool:
        verdicts.setdefault(rule, set()).add(holds(rule, value))
        return holds(rule, value)

    monkeypatch.setattr(rules, "_holds", recorded)
    for spec, _ in BROKEN:
        problems(tmp_path, a_job(**spec))
    problems(tmp_path, a_job("Bad_Name"))
    for spec in KEPT:
        read(tmp_path, a_job(**spec))
    assert verdicts == {rule: {True, False} for rule in written_rules(definition().schema)}


def written_rules(schema: Any) -> set[str]:
    """All rules of the definition but those about changes."""
    if isinstance(schema, list):
        return set().union(*map(written_rules, schema))
    if not isinstance(schema, dict):
        return set()
    here = {rule["rule"] for rule in schema.get("x-kubernetes-validations", ())}
    return {rule for rule in here if "oldSelf" not in rule}.union(*map(written_rules, schema.values()))


def test_rules_about_changes_wait_for_a_change(tmp_path: Path) -> None:
    assert read(tmp_path, a_job(table="a.B")).jobs[0].spec.table == "a.B"


def test_a_rule_is_not_asked_about_what_the_schema_refuses_already(tmp_path: Path) -> None:
    assert problems(tmp_path, a_job(scaling={"minWorkers": "many"})) == [
        'populate.yaml:7: spec.scaling.minWorkers: must be an integer, not "many"'
    ]

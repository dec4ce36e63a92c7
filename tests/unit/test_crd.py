"""The CustomResourceDefinition keeps the promises its readers rely on: kubectl, the API server, `populate run`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

CRD = yaml.safe_load((Path(__file__).parents[2] / "crds" / "populatejobs.yaml").read_text())
(VERSION,) = CRD["spec"]["versions"]
SCHEMA = VERSION["schema"]["openAPIV3Schema"]
SPEC = SCHEMA["properties"]["spec"]

ANNOTATIONS = {"description", "default", "format", "properties", "items", "required", "type"}
CHECKED_LOCALLY = {
    *("enum", "maxItems", "maxLength", "maxProperties", "maximum", "minItems", "minLength", "minProperties", "minimum"),
    *("x-kubernetes-preserve-unknown-fields", "x-kubernetes-validations"),
}


def fields(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field under the schema, items of lists included."""
    for name, field in schema.get("properties", {}).items():
        yield f"{path}.{name}", field
        yield from fields(field, f"{path}.{name}")
    if "items" in schema:
        yield f"{path}[]", schema["items"]
        yield from fields(schema["items"], f"{path}[]")


def at(path: str) -> dict[str, Any]:
    return dict(fields(SCHEMA))[path]


def test_names_a_namespaced_resource_with_short_name_and_category() -> None:
    assert CRD["metadata"]["name"] == "populatejobs.datajoint.io"
    assert CRD["spec"]["group"] == "datajoint.io"
    assert CRD["spec"]["scope"] == "Namespaced"
    names = CRD["spec"]["names"]
    assert (names["kind"], names["plural"], names["shortNames"], names["categories"]) == (
        "PopulateJob",
        "populatejobs",
        ["pj"],
        ["datajoint"],
    )
    assert VERSION["name"] == "v1alpha1"


def test_scale_sets_max_workers_and_reads_the_worker_status() -> None:
    assert VERSION["subresources"]["status"] == {}
    scale = VERSION["subresources"]["scale"]
    assert scale == {
        "specReplicasPath": ".spec.scaling.maxWorkers",
        "statusReplicasPath": ".status.workers.desired",
        "labelSelectorPath": ".status.workers.selector",
    }
    for path in scale.values():
        assert at(path)["type"] == ("string" if path.endswith("selector") else "integer")


def test_columns_are_those_that_get_shows() -> None:
    columns = VERSION["additionalPrinterColumns"]
    narrow = [column["name"] for column in columns if not column.get("priority")]
    wide = [column["name"] for column in columns if column.get("priority") == 1]
    assert narrow == ["TABLE", "PROGRESS", "PENDING", "RUNNING", "ERRORS", "WORKERS", "READY", "AGE"]
    assert wide == ["PRIORITY", "ETA", "REASON", "MESSAGE"]
    assert all(column["description"] for column in columns)


@pytest.mark.parametrize("column", VERSION["additionalPrinterColumns"], ids=lambda column: column["name"])
def test_a_column_shows_a_field_there_is_in_its_type(column: dict[str, Any]) -> None:
    path = column["jsonPath"]
    if path.startswith(".metadata"):
        assert (path, column["type"]) == (".metadata.creationTimestamp", "date")
    elif "conditions" in path:
        assert at(".status.conditions[]." + path.rsplit(".", 1)[1])["type"] == column["type"]
    else:
        assert at(path)["type"] == column["type"]


@pytest.mark.parametrize(("path", "field"), [*fields(SCHEMA)])
def test_every_field_is_described(path: str, field: dict[str, Any]) -> None:
    if path != ".metadata":  # the API server allows nothing there but the names
        assert field["description"].endswith(".")


@pytest.mark.parametrize(("path", "field"), [(path, field) for path, field in fields(SPEC) if "default" in field])
def test_a_description_names_the_default(path: str, field: dict[str, Any]) -> None:
    default = field["default"]
    if default not in ({}, []):
        assert str(default).lower() in field["description"].lower()


@pytest.mark.parametrize(("path", "field"), [*fields(SPEC)])
def test_every_value_of_the_spec_is_bounded(path: str, field: dict[str, Any]) -> None:
    bounds = {"integer": ("minimum", "maximum"), "string": ("maxLength",), "array": ("maxItems",)}
    if "enum" not in field:
        assert set(bounds.get(field["type"], ())) <= field.keys()


@pytest.mark.parametrize(("path", "field"), [*fields(SPEC)])
def test_the_spec_uses_no_keyword_that_the_manifest_reader_does_not_know(path: str, field: dict[str, Any]) -> None:
    assert field.keys() <= ANNOTATIONS | CHECKED_LOCALLY


@pytest.mark.parametrize(("path", "field"), [*fields(SPEC)])
def test_durations_are_named_for_their_unit(path: str, field: dict[str, Any]) -> None:
    if "seconds" in field["description"].lower().split(" ")[0]:
        assert path.endswith("Seconds") or path == ".ttlSecondsAfterFinished"


def test_the_table_cannot_be_changed_and_says_what_to_do() -> None:
    (immutable,) = (rule for rule in at(".spec.table")["x-kubernetes-validations"] if "oldSelf" in rule["rule"])
    assert immutable["rule"] == "self == oldSelf"
    assert "delete this PopulateJob and create one" in immutable["message"]


def test_every_rule_has_a_message() -> None:
    rules = [rule for _, field in fields(SCHEMA) for rule in field.get("x-kubernetes-validations", ())]
    assert len(rules) >= 7
    assert all(rule["message"] for rule in rules)


def test_conditions_are_a_list_map_as_metav1_has_them() -> None:
    conditions = at(".status.conditions")
    assert conditions["x-kubernetes-list-type"] == "map"
    assert conditions["x-kubernetes-list-map-keys"] == ["type"]
    assert conditions["items"]["required"] == ["type", "status", "lastTransitionTime", "reason", "message"]


def test_names_leave_room_for_what_is_made_from_them() -> None:
    longest = at(".metadata.name")["maxLength"]
    assert longest + len("-resolve-1") <= 63
    assert at(".metadata.generateName")["maxLength"] + 5 == longest

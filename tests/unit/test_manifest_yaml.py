"""YAML means here what it means to kubectl, and every field knows its line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from populate_operator.manifest.documents import MAX_NODES, Node, documents
from populate_operator.manifest.problems import Findings

RECORDED = json.loads(
    (Path(__file__).parent / "manifests" / "kubectl_yaml.json").read_text(),
    parse_int=lambda digits: int(digits) if abs(int(digits)) < 2**63 else float(digits),
)


def one(text: str) -> tuple[Node, Findings]:
    findings = Findings("a.yaml")
    (document,) = documents(text, findings)
    return document, findings


def refusals(text: str) -> list[str]:
    findings = Findings("a.yaml")
    list(documents(text, findings))
    return [str(problem) for problem in findings.problems]


@pytest.mark.parametrize("case", RECORDED["cases"], ids=lambda case: case["yaml"])
def test_reads_as_kubectl_does(case: dict[str, Any]) -> None:
    findings = Findings("a.yaml")
    first = next((document.value for document in documents(case["yaml"], findings)), None)
    assert json.dumps(first, sort_keys=True) == json.dumps(case["value"], sort_keys=True)
    assert not findings.problems


@pytest.mark.parametrize("text", RECORDED["refused"])
def test_refuses_what_kubectl_refuses(text: str) -> None:
    assert refusals(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: 2\na: 3\n", "a.yaml:3: a: is given twice, first in line 1"),
        ("a:\n- b: 1\n  b: 1\n", "a.yaml:3: a[0].b: is given twice, first in line 2"),
        ("m: &m {x: 1}\nz:\n  x: 3\n  <<: *m\n", "a.yaml:4: z.x: is overridden by the << after it: put << first"),
        ("z:\n  <<: 3\n", "a.yaml:2: not YAML: << takes a mapping or a list of mappings"),
        ("a: &a\n- *a\n", "a.yaml:1: not YAML: the anchor contains itself"),
        ("a:\n  b: [1\nc: 2\n", "a.yaml:3: not YAML: expected ',' or ']', but got ':'"),
        ("a: .inf\n", "a.yaml:1: a: must be a finite number, not .inf"),
        ("a: !!int x\n", "a.yaml:1: a: is not of the type that its tag says"),
        ("~: 1\n", "a.yaml:1: not YAML: the name of a field must be a text, not null"),
        ("{a: 1}: 1\n", "a.yaml:1: not YAML: the name of a field must be a text"),
    ],
)
def test_names_the_line_of_what_it_refuses(text: str, problem: str) -> None:
    assert refusals(text) == [problem]


def test_refuses_bytes_that_are_no_text() -> None:
    findings = Findings("a.yaml")
    assert not list(documents(b"a: \xff\xfe\n", findings))
    assert "not YAML" in str(findings.problems[0])


def test_refuses_aliases_that_expand_without_end() -> None:
    levels = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 7)]
    assert MAX_NODES < 10**7
    assert refusals("\n".join(levels)) == ["a.yaml:1: not YAML: too large, or too many aliases"]


def test_merges_mappings_below_what_is_given_after_them() -> None:
    document, findings = one("a: &a {x: 1, z: 1}\nb: &b {x: 2, u: 2}\nc:\n  <<: [*a, *b]\n  z: 3\n")
    assert document.value["c"] == {"x": 1, "u": 2, "z": 3}
    assert not findings.problems


def test_keeps_line_and_column_of_every_field() -> None:
    document, _ = one("# a comment\na:\n  - b: |\n      two\n      lines\n    c: [1,\n        2]\n")
    places = {
        ("a",): (2, 1),
        ("a", 0): (3, 5),
        ("a", 0, "b"): (3, 5),
        ("a", 0, "c"): (6, 5),
        ("a", 0, "c", 1): (7, 9),
    }
    assert {path: (document.at(path).line, document.at(path).column) for path in places} == places


def test_a_field_that_was_not_given_stands_where_its_parent_does() -> None:
    document, _ = one("a:\n  b: 1\n")
    assert document.at(("a", "c", "d")).line == 1
    assert document.at(("a", "b", "d")).line == 2


@pytest.mark.parametrize(
    ("text", "note"),
    [
        (
            "id: 0123\n",
            "a.yaml:1: id: is read as a number, octal where it can be, as kubectl does: quote it to keep the text",
        ),
        ("sex: n\n", "a.yaml:1: sex: is read as false, as kubectl does: quote it to keep the text"),
        ("key:\n  on: 3\n", "a.yaml:2: key.on: is read as true, as kubectl does: quote it to keep the text"),
    ],
)
def test_notes_a_reading_that_may_surprise(text: str, note: str) -> None:
    assert one(text)[1].notes == [note]


@pytest.mark.parametrize(
    "text", ["a: true\n", "a: 0\n", "a: 0x1F\n", "a: '0123'\n", "a: 10\n", "a: False\n", "a: 0.5\n"]
)
def test_notes_nothing_where_the_reading_is_plain(text: str) -> None:
    assert not one(text)[1].notes

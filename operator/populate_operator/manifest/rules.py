"""The CEL rules of a schema, evaluated as the API server does when an object is created."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import cache
from typing import Any

from .problems import Path
from .schema import Schema, Violation, quoted

_COMPARES_WITH_OLD = re.compile(r"\boldSelf\b")
"""Such rules guard changes; there is no older object here."""
_READS = re.compile(r"\bself((?:\.\w+)*)")


def broken_rules(value: Any, schema: Schema, invalid: Collection[Path], path: Path = ()) -> Iterator[Violation]:
    """The rules that do not hold, without those that read a field at one of the `invalid` paths."""
    for rule in schema.get("x-kubernetes-validations", ()):
        if _can_be_asked(rule["rule"], path, invalid) and not _holds(rule["rule"], value):
            yield _violation(rule, value, path)
    for name, field, field_schema in _fields(value, schema):
        yield from broken_rules(field, field_schema, invalid, (*path, name))


def _can_be_asked(rule: str, path: Path, invalid: Collection[Path]) -> bool:
    read = [(*path, *found[1].split(".")[1:]) for found in _READS.finditer(rule)]
    return not _COMPARES_WITH_OLD.search(rule) and not any(
        place[: len(broken)] == broken for place in read for broken in invalid
    )


def _fields(value: Any, schema: Schema) -> Iterator[tuple[str | int, Any, Schema]]:
    if isinstance(value, list):
        yield from ((index, item, schema.get("items", {})) for index, item in enumerate(value))
    if isinstance(value, dict):
        known = schema.get("properties", {})
        yield from ((name, value[name], field) for name, field in known.items() if name in value)


def _violation(rule: Schema, value: Any, path: Path) -> Violation:
    """A message that says what a single value must be is completed with what it is."""
    below = [part for part in rule.get("fieldPath", "").split(".") if part]
    for part in below:
        value = value[part]
    is_single = not isinstance(value, dict | list)
    found = f", not {quoted(value)}" if is_single and rule["message"].startswith("must be ") else ""
    return (*path, *below), rule["message"] + found


def _holds(rule: str, value: Any) -> bool:
    from celpy.adapter import json_to_cel

    return bool(_program(rule).evaluate({"self": json_to_cel(value)}))


@cache
def _program(rule: str) -> Any:
    """celpy takes a third of a second to import: only who reads a manifest pays for it."""
    import celpy

    environment = celpy.Environment()
    return environment.program(environment.compile(rule))

"""The objects a manifest may hold, checked and made into what the rest works with."""

from __future__ import annotations

import base64
import binascii
import copy
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from populate_operator.spec import PopulateJob

from .crd import definition
from .documents import Node
from .problems import Findings
from .rules import broken_rules
from .schema import Schema, Violation, completed, invalid_fields, unknown_fields

_STRING: Schema = {"type": "string"}
_STRINGS: Schema = {"type": "object", "additionalProperties": _STRING}
_LIST: Schema = {"type": "array", "items": {}}

_METADATA: Schema = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 253, "description": "Name of the object"},
        "namespace": {"type": "string", "minLength": 1, "maxLength": 63},
        "labels": _STRINGS,
        "annotations": _STRINGS,
        "generation": {"type": "integer"},
        **dict.fromkeys(("creationTimestamp", "generateName", "resourceVersion", "selfLink", "uid"), _STRING),
        **dict.fromkeys(("finalizers", "managedFields", "ownerReferences"), _LIST),
    },
}
"""Kubernetes' ObjectMeta, which no CustomResourceDefinition spells out."""

_SECRET: Schema = {
    "type": "object",
    "required": ["metadata"],
    "properties": {
        **dict.fromkeys(("apiVersion", "kind", "type"), _STRING),
        "metadata": _METADATA,
        "immutable": {"type": "boolean"},
        "data": _STRINGS,
        "stringData": _STRINGS,
    },
}


def read_populate_job(node: Node, findings: Findings) -> PopulateJob | None:
    """The PopulateJob with its defaults, or None where findings got what is wrong with it."""
    schema = _populate_job_schema()
    value = completed(node.value, schema)
    invalid = list(invalid_fields(value, schema))
    broken = broken_rules(value, schema, [path for path, _ in invalid])
    wrong = [*unknown_fields(value, schema), *invalid, *broken]
    return None if _report(wrong, node, findings) else PopulateJob.from_object(value)


def read_secret(node: Node, findings: Findings) -> dict[str, str] | None:
    """The Secret's values as text, or None where findings got what is wrong with it: never a value."""
    value = completed(node.value, _SECRET)
    wrong = [*unknown_fields(value, _SECRET), *map(_without_value, invalid_fields(value, _SECRET))]
    if _report(wrong, node, findings):
        return None
    decoded: dict[str, str] = {}
    for name, text in value.get("data", {}).items():
        try:
            decoded[name] = base64.b64decode(text.replace("\n", ""), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            wrong.append((("data", name), "must be text in base64: put it under stringData as it is"))
    return None if _report(wrong, node, findings) else {**decoded, **value.get("stringData", {})}


def _report(wrong: Iterable[Violation], node: Node, findings: Findings) -> bool:
    found = list(wrong)
    for path, message in found:
        place = node.at(path)
        findings.problem(place.line, place.column, path, message)
    return bool(found)


def _without_value(violation: Violation) -> Violation:
    path, _ = violation
    if path[0] not in ("data", "stringData"):
        return violation
    return path, 'must be a text in quotes, "" for none' if path[1:] else "must be names and their values"


@lru_cache(maxsize=1)
def _populate_job_schema() -> Schema:
    """The definition's schema and what a definition cannot say: the fields of ObjectMeta, the values of restrictBy.

    The status that `kubectl get -o yaml` prints is passed over, as a server does.
    """
    schema: dict[str, Any] = copy.deepcopy(dict(definition().schema))
    schema["required"] = ["metadata", *schema["required"]]
    fields: dict[str, Any] = schema["properties"]
    fields["status"] = {"x-kubernetes-preserve-unknown-fields": True}
    names = fields["metadata"]["properties"]
    fields["metadata"] = {**_METADATA, "properties": {**_METADATA["properties"], **names}}
    term = fields["spec"]["properties"]["restrictBy"]["items"]["properties"]
    for attributes in (term["key"], term["anyOf"]["items"]):
        attributes["additionalProperties"] = {"type": ["string", "integer", "boolean"]}
    return schema

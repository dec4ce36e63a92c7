"""What the API server does with an object and its schema: defaults, unknown fields, validation."""

from __future__ import annotations

import copy
import difflib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft4Validator, ValidationError

from .problems import Path
from .scalars import resolve

Schema = Mapping[str, Any]
Violation = tuple[Path, str]

_TYPES = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "an integer",
    "number": "a number",
    "object": "an object",
    "string": "a string",
}
_LIMITS = {
    "maxLength": "must have at most {} characters",
    "minLength": "must have at least {} character",
    "maxItems": "must have at most {} entries",
    "minItems": "must have at least {} entry",
    "maxProperties": "must have at most {} attributes",
    "minProperties": "must have at least {} attribute",
}


def completed(value: Any, schema: Schema) -> Any:
    """A copy with the schema's defaults, without nulls where null is no value."""
    if isinstance(value, list):
        return [completed(item, schema.get("items", {})) for item in value]
    if not isinstance(value, dict):
        return value
    known = schema.get("properties", {})
    given = {name: field for name, field in value.items() if field is not None or name not in known}
    absent = {name: field["default"] for name, field in known.items() if "default" in field and name not in given}
    every = {**given, **copy.deepcopy(absent)}
    return {name: completed(field, _field_schema(schema, name) or {}) for name, field in every.items()}


def unknown_fields(value: Any, schema: Schema, path: Path = ()) -> Iterator[Violation]:
    """The fields that a server would drop without a word, each with what was probably meant."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from unknown_fields(item, schema.get("items", {}), (*path, index))
    if not isinstance(value, dict) or schema.get("x-kubernetes-preserve-unknown-fields"):
        return
    if schema.get("type", "object") != "object":  # that it is none is said, and enough
        return
    for name, field in value.items():
        known = _field_schema(schema, name)
        if known is None:
            yield (*path, name), f"is not a field here: {_meant(name, list(schema.get('properties', ())))}"
        else:
            yield from unknown_fields(field, known, (*path, name))


def invalid_fields(value: Any, schema: Schema) -> Iterator[Violation]:
    """Where the value breaks the schema."""
    errors = Draft4Validator(schema).iter_errors(value)
    yield from dict.fromkeys(violation for error in errors for violation in _violations(error))


def quoted(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def _field_schema(schema: Schema, name: str) -> Schema | None:
    extra: Schema | None = schema.get("additionalProperties")
    field: Schema | None = schema.get("properties", {}).get(name, extra)
    return field


def _meant(name: str, known: list[str]) -> str:
    by_lower = {field.lower(): field for field in known}
    near = difflib.get_close_matches(name.lower(), by_lower, n=1)
    return f"did you mean {by_lower[near[0]]}?" if near else f"there are {', '.join(sorted(known))}"


def _violations(error: ValidationError) -> Iterator[Violation]:
    path: Path = tuple(error.absolute_path)
    schema: Any = error.schema
    found: Any = error.instance
    if error.validator == "required":
        missing = [name for name in schema["required"] if name not in found]
        yield from (((*path, name), _missing(schema["properties"][name])) for name in missing)
    elif error.validator != "type" or "enum" not in schema:  # the values to choose from say it better
        yield path, _broken(str(error.validator), schema, found) + _elsewhere(path, found)


def _missing(schema: Schema) -> str:
    what = schema.get("description", "").split(". ")[0].rstrip(".")
    return f"is required: {what[:1].lower()}{what[1:]}" if what else "is required"


def _broken(keyword: str, schema: Schema, found: Any) -> str:
    limit = schema[keyword]
    if keyword == "type":
        types = [limit] if isinstance(limit, str) else limit
        return f"must be {_one_of([_TYPES[name] for name in types])}, not {quoted(found)}{_remedy(types, found)}"
    if keyword == "enum":
        near = difflib.get_close_matches(str(found), limit, n=1, cutoff=0.5)
        return f"must be {_one_of(limit)}, not {quoted(found)}" + (f": did you mean {near[0]}?" if near else "")
    if keyword in ("minimum", "maximum"):
        return f"must be from {schema['minimum']} to {schema['maximum']}, not {found}"
    return f"{_LIMITS[keyword].format(limit)}, not {len(found) if keyword.startswith('max') else quoted(found)}"


def _one_of(words: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _elsewhere(path: Path, found: Any) -> str:
    """As DataJoint takes a restriction."""
    if path != ("spec", "restriction") or not isinstance(found, dict):
        return ""
    return f": attributes and their values are a term of restrictBy: [{{key: {quoted(found)}}}]"


def _remedy(types: list[str], found: Any) -> str:
    """Quotes are what most often makes a value of another type."""
    if "string" in types and isinstance(found, int | float):
        return ": put it in quotes"
    if isinstance(found, str) and found and Draft4Validator({"type": types}).is_valid(resolve(found)):
        return ": remove the quotes"
    return ""

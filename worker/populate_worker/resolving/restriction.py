"""`restriction` and `restrictBy` as SQL conditions on the key attributes, checked by the server that will run them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from datajoint.errors import DataJointError
from datajoint.expression import QueryExpression
from populate_jobs import Attribute, Connection
from populate_jobs.errors import DatabaseError, ResolveRefused

from .check import check
from .expressions import columns, restricted, semijoin
from .literals import literal
from .locate import import_table, near

_UNKNOWN_COLUMN = re.compile(r"Unknown column '([^']+)'|column (?:\w+\.)?\"?([^\" ]+)\"? does not exist")
_UNKNOWN_COLUMN_CODES = (1054, "42703")


class Compiler:
    """Turns the restrictions of one table into SQL; refuses with the field, the value and what is allowed."""

    def __init__(
        self, path: str, keys: QueryExpression, jobs: str, attributes: Sequence[Attribute], connection: Connection
    ) -> None:
        self._path = path
        self._keys = keys
        self._jobs = jobs
        self._types = {attribute.name: attribute.type for attribute in attributes}
        self._connection = connection
        self._adapter = keys.connection.adapter

    def conditions(self, restriction: str, restrict_by: Sequence[Any]) -> list[str]:
        """Conditions that all must hold; they name key attributes only, and stand as they are between parentheses."""
        found = [self._by_sql(restriction)] if restriction.strip() else []
        for position, entry in enumerate(restrict_by):
            field = f"restrictBy[{position}]"
            match entry:
                case {"key": Mapping() as key, **rest} if not rest:
                    found.append(self._by_values([(f"{field}.key", key)]))
                case {"anyOf": [_, *_] as keys, **rest} if not rest:
                    found.append(self._by_values((f"{field}.anyOf[{n}]", key) for n, key in enumerate(keys)))
                case {"table": str(table), **rest} if not rest.keys() - {"where"}:
                    found.append(self._by_table(field, table, rest.get("where", "")))
                case _:
                    raise _refused(field, "must have exactly one of key, anyOf and table; where may stand beside table")
        return found

    def _by_sql(self, condition: str) -> str:
        condition = condition.strip()
        key = f"(SELECT {self._columns(self._types)} FROM {self._jobs}) AS k"
        self._check("restriction", condition, key, f"the key of {self._path}", list(self._types))
        return condition

    def _by_values(self, entries: Iterable[tuple[str, Any]]) -> str:
        rows: dict[tuple[str, ...], list[str]] = {}
        for field, entry in entries:
            values = dict(self._literals(field, entry))
            names = tuple(name for name in self._types if name in values)
            rows.setdefault(names, []).append(f"({', '.join(values[name] for name in names)})")
        return " OR ".join(f"({self._columns(names)}) IN ({', '.join(values)})" for names, values in rows.items())

    def _literals(self, field: str, entry: Any) -> Iterator[tuple[str, str]]:
        if not isinstance(entry, Mapping) or not entry:
            raise _refused(field, "must give a value to one key attribute or more")
        for name, value in entry.items():
            if name not in self._types:
                raise _refused(field, _no_attribute(name, f"the key of {self._path}", list(self._types)))
            try:
                yield name, literal(self._types[name], value, self._adapter.quote_string)
            except ValueError as error:
                raise _refused(f"{field}.{name}", f"{value!r} {error}") from None

    def _by_table(self, field: str, path: str, where: Any) -> str:
        if not isinstance(where, str):
            raise _refused(f"{field}.where", "must be a string of SQL")
        other, where = _imported(field, path)(), where.strip()
        if where:
            self._check(f"{field}.where", where, other.full_table_name, path, list(other.heading.names))
        common = [name for name in other.heading.names if name in self._types]
        if not common:
            raise _refused(
                f"{field}.table",
                f"{path} shares no attribute with the key of {self._path} ({', '.join(self._types)}); "
                f"it has {', '.join(other.heading.names)}",
            )
        try:
            return semijoin(self._keys, list(self._types), restricted(other, [where] if where else []))
        except DataJointError as error:
            raise _refused(f"{field}.table", f"{path} cannot restrict {self._path}: {error}") from error

    def _check(self, field: str, condition: str, source: str, what: str, names: list[str]) -> None:
        """Has the server parse the condition, bare too, so that it cannot close our parentheses or comment them out."""
        sql = f"SELECT 1 FROM {source} WHERE ({condition}) AND CASE WHEN {condition} THEN TRUE END"
        check(self._connection, sql, lambda error: _refused(field, _explained(error, what, names)))

    def _columns(self, names: Iterable[str]) -> str:
        return columns(self._keys, list(names))


def _imported(field: str, path: str) -> type[Any]:
    try:
        return import_table(path)
    except ResolveRefused as error:
        raise ResolveRefused(error.reason, f"{field}.table: {error}", traceback=error.traceback) from error


def _refused(field: str, problem: str) -> ResolveRefused:
    return ResolveRefused("RestrictionInvalid", f"{field}: {problem}")


def _explained(error: DatabaseError, what: str, names: list[str]) -> str:
    unknown = _UNKNOWN_COLUMN.search(str(error)) if error.code in _UNKNOWN_COLUMN_CODES else None
    if unknown:
        return _no_attribute(unknown[1] or unknown[2], what, names)
    return f"the server refuses it: {error}"


def _no_attribute(name: str, what: str, names: list[str]) -> str:
    return f"there is no attribute {name} in {what}{near(name, names)}; it has {', '.join(names)}"

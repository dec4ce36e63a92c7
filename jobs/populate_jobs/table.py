"""A jobs table on a connection: its statements with names, key columns and key_source filled in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from .connection import Connection, Result
from .document import ResolveDocument
from .frontier import Frontier
from .types import Key, Reservation

ATTEMPTS_TABLE = "~populate_attempts"
_EVERYTHING = "1 = 1"


class JobsTable:
    """What the functions of this package work on. Cheap to make; makes no statement of its own."""

    def __init__(self, connection: Connection, document: ResolveDocument) -> None:
        self.connection = connection
        self.document = document
        self.attributes = tuple(attribute.name for attribute in document.primary_key)
        self.restricted = bool(document.restriction)
        self.name = document.jobs.rpartition(".")[2].strip(self._quote)
        self.frontier = Frontier()
        self.unasked_until: dict[float, float] = {}
        """When key_source, which did not say in so many seconds whether it has a key, may be asked again; monotonic."""
        self.suspect_waits = False
        """Whether one was first in line for the last reserver, and could not be had."""
        self._has_attempts: bool | None = None
        self._names = self._fill_in()

    def run(self, statement: str, args: Sequence[Any] = (), **parts: str) -> Result:
        """Executes the named statement; `parts` are the conditions made by the methods below."""
        return self.connection.execute(self.sql(statement, **parts), args)

    def run_if_any(self, statement: str, **parts: str) -> None:
        """The same for a statement that not every dialect needs."""
        if statement in self.connection.statements:
            self.run(statement, **parts)

    def sql(self, statement: str, **parts: str) -> str:
        return self.connection.statements[statement].format_map({**self._names, **parts})

    def key(self, row: Sequence[Any]) -> Key:
        """The key in a row that begins with its attributes."""
        return dict(zip(self.attributes, row[: len(self.attributes)], strict=True))

    def values(self, key: Key) -> tuple[Any, ...]:
        return tuple(key[name] for name in self.attributes)

    def matching(self, keys: Iterable[Key]) -> tuple[str, list[Any]]:
        """The condition that a row has one of the keys, by primary key, and its arguments."""
        keys = list(keys)
        columns = [self.quoted(name) for name in self.attributes]
        args = [value for key in keys for value in self.values(key)]
        if len(columns) == 1:
            return f"{columns[0]} IN ({places(len(keys))})", args
        one = "(" + " AND ".join(f"{column} = %s" for column in columns) + ")"
        return " OR ".join([one] * len(keys)), args

    def fenced(self, reservations: Iterable[Reservation]) -> tuple[str, list[Any]]:
        """The condition that a row is still reserved by exactly these reservations, and its arguments.

        Keys that were reserved together have their fence in common, which keeps the statement short.
        """
        fences: dict[tuple[Any, ...], list[Key]] = {}
        for held in reservations:
            fences.setdefault((held.reserved_time, held.host, held.pid, held.connection_id), []).append(held.key)
        conditions, args = [], []
        for fence, keys in fences.items():
            condition, key_args = self.matching(keys)
            conditions.append(
                f"(({condition}) AND reserved_time = %s AND host = %s AND pid = %s AND connection_id = %s)"
            )
            args += [*key_args, *fence]
        return f"({' OR '.join(conditions)}) AND status = 'reserved'", args

    def hash(self, key: Key) -> str:
        """A name for the key in the attempts table: 40 hexadecimal digits."""
        text = repr([value.hex() if isinstance(value, bytes) else str(value) for value in self.values(key)])
        return hashlib.sha256(text.encode()).hexdigest()[:40]

    @property
    def has_attempts(self) -> bool:
        """Whether resolve made the attempts table (it may lack the right to); asked once, or when it is missed."""
        # Not a cached_property: until Python 3.12 that holds one lock for all tables, whose servers may hang.
        if self._has_attempts is None:
            self._has_attempts = bool(self.run("attempts_exist", [self.document.schema, ATTEMPTS_TABLE]).rows)
        return self._has_attempts

    def lost_attempts(self) -> bool:
        """Whether the attempts table was there and is not any more: it is looked for again."""
        had, self._has_attempts = self._has_attempts, None
        return bool(had) and not self.has_attempts

    @property
    def _quote(self) -> str:
        return "`" if self.document.backend == "mysql" else '"'

    def quoted(self, name: str) -> str:
        quote = self._quote
        return quote + name.replace(quote, quote * 2) + quote

    def _column(self, name: str, alias: str) -> str:
        return f"{alias}.{self.quoted(name)}" if alias else self.quoted(name)

    def _columns(self, alias: str) -> str:
        return ", ".join(self._column(name, alias) for name in self.attributes)

    def _joined(self, left: str, right: str) -> str:
        return " AND ".join(f"{self._column(name, left)} = {self._column(name, right)}" for name in self.attributes)

    def _fill_in(self) -> dict[str, str]:
        document = self.document
        names = {
            "jobs": document.jobs,
            "target": document.target,
            "attempts": f"{self.quoted(document.schema)}.{self.quoted(ATTEMPTS_TABLE)}",
            "key": self._columns(""),
            "key_source": document.key_source,
            "restricted_key_source": document.restricted_key_source,
            "restriction": f"({document.restriction or _EVERYTHING})",
            "t_is_j": self._joined("t", "j"),
            "t_is_k": self._joined("t", "k"),
            "j_is_k": self._joined("j", "k"),
            "due_index": "",
        }
        names |= {f"{alias}_key": self._columns(alias) for alias in "jtks"}
        return {name: sql.replace("%", "%%") for name, sql in names.items()}

    def use_due_index(self, name: str) -> None:
        """Holds MySQL and MariaDB to the index that serves reserve."""
        self._names["due_index"] = f"FORCE INDEX ({self.quoted(name)})"


def places(count: int) -> str:
    return ", ".join(["%s"] * count)

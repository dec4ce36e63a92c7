"""Many tables of one server in one statement: what a look, or a check, of each alone would find.

When it fails, nothing tells whose restriction or key_source was to blame: whoever asks for many asks for fewer then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .connection import Connection
from .document import ResolveDocument
from .refresh import judged_by
from .table import JobsTable
from .types import Counts, Progress
from .whole import whole


@dataclass(frozen=True)
class Look:
    """What to see of a table: due rows up to `limit` and who holds what; with `fully`, all rows by status too."""

    document: ResolveDocument
    limit: int
    fully: bool = False
    ours: str = ""
    """How hosts end of which all is told that they hold, the restriction met or not."""


@dataclass(frozen=True)
class Sight:
    ready: int
    held: Mapping[str, int]
    """Reserved rows under the restriction, by host."""
    outside: Mapping[str, int] = field(default_factory=dict)
    """Those that do not meet it, of our hosts."""
    counts: Counts | None = None


@dataclass(frozen=True)
class Check:
    """Whether a refresh of this table, with these arguments, would change anything."""

    document: ResolveDocument
    stale_timeout: float = 3600.0
    keep_completed: bool = False


@dataclass(frozen=True)
class Changes:
    """What a refresh would do, and how far the keys are; evaluates key_source: as slow as that is."""

    progress: Progress
    new: int = 0
    removes: bool = False
    re_pends: bool = False

    @property
    def any(self) -> bool:
        return bool(self.new or self.removes or self.re_pends)


def look(connection: Connection, looks: Sequence[Look]) -> list[Sight]:
    """In their order, by one statement."""
    union = _Union(connection)
    for one in looks:
        part = union.part(one.document)
        part.add("part_ready", one.limit)
        part.add("part_held", one.ours, one.ours)
        if one.fully:
            part.add("part_counts")
    return [_sight(one, found) for one, found in zip(looks, union.run(), strict=True)]


def counts(jobs: JobsTable) -> Counts:
    """Every row under the restriction by its status; reads the whole index."""
    union = _Union(jobs.connection)
    union.part(jobs.document).add("part_counts")
    (found,) = union.run()
    return _counts(found)


def check(connection: Connection, checks: Sequence[Check]) -> list[Changes]:
    """In their order, by one statement."""
    union = _Union(connection)
    for one in checks:
        part = union.part(one.document)
        part.add("part_keys")
        part.add_if_any("vanished_keys", *judged_by(one.stale_timeout))
        if one.keep_completed:
            part.add_if_any("undone_keys")
    return [_changes(found) for found in union.run()]


_Found = dict[str, dict[str, int]]
"""Numbers by what was counted, and by name."""


@dataclass
class _Part:
    jobs: JobsTable
    number: int
    selects: list[str] = field(default_factory=list)
    args: list[Any] = field(default_factory=list)

    def add(self, statement: str, *args: Any, **parts: str) -> None:
        self.selects.append(self.jobs.sql(statement, part=str(self.number), **parts))
        self.args += args

    def add_if_any(self, statement: str, *args: Any) -> None:
        """Whether the other statement, whose last argument is a limit, finds a row."""
        self.add("part_some", *args, 1, what=f"'{statement}'", select=self.jobs.sql(statement))


class _Union:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._parts: list[_Part] = []

    def part(self, document: ResolveDocument) -> _Part:
        self._parts.append(_Part(JobsTable(self._connection, document), len(self._parts)))
        return self._parts[-1]

    def run(self) -> list[_Found]:
        sql = "\nUNION ALL\n".join(select for part in self._parts for select in part.selects)
        args = [value for part in self._parts for value in part.args]
        found: list[_Found] = [{} for _ in self._parts]
        for part, what, name, number in self._connection.execute(sql, args).rows:
            found[whole(part)].setdefault(str(what), {})[str(name)] = whole(number)
        return found


def _sight(asked: Look, found: _Found) -> Sight:
    counted = _counts(found) if asked.fully else None
    return Sight(found["ready"][""], found.get("held", {}), found.get("outside", {}), counted)


def _counts(found: _Found) -> Counts:
    return Counts(**found.get("counts", {}))


def _changes(found: _Found) -> Changes:
    keys = found.get("keys", {})
    progress = Progress(sum(keys.values()), keys.get("made", 0))
    removes, re_pends = (bool(found.get(what, {}).get("")) for what in ("vanished_keys", "undone_keys"))
    return Changes(progress, keys.get("new", 0), removes, re_pends)

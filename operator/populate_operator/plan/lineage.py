"""Which PopulateJobs make what another one reads."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Container, Hashable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from populate_jobs import ResolveDocument

from .observation import Upstream

Id = TypeVar("Id", bound=Hashable)
_Place = tuple[str, str, str]
"""Backend, server and the name of a table without tier and part: `cardio.heart_rate`."""


@dataclass(frozen=True)
class Relative:
    """A PopulateJob as the others see it."""

    document: ResolveDocument | None
    """None until it is resolved: it may turn out to be upstream."""
    busy: bool
    """It has keys to make, or may have."""
    settled_at: datetime | None
    table: str = ""
    """Import path of its class, which says what its table would be called."""
    home: str = ""
    """Until it is resolved, it may be upstream of those of the same home: on the same server, that is, perhaps."""
    looked_at: datetime | None = None
    """When its last refresh began: it may have keys to make of what was made upstream since. None where it will not."""


class Lineage(Generic[Id]):
    """All PopulateJobs, found by what they make and what they read: asking about one takes no longer among many."""

    def __init__(self) -> None:
        self._known: dict[Id, Relative] = {}
        self._makers: defaultdict[_Place, set[Id]] = defaultdict(set)
        self._readers: defaultdict[_Place, set[Id]] = defaultdict(set)
        self._unresolved: set[Id] = set()

    def put(self, who: Id, relative: Relative) -> None:
        before = self._known.get(who)
        if before is None or before.document is not relative.document:
            self.drop(who)
            self._enter(who, relative.document)
        self._known[who] = relative

    def drop(self, who: Id) -> None:
        before = self._known.pop(who, None)
        if before is None:
            return
        self._unresolved.discard(who)
        if before.document is not None:
            self._makers[_made(before.document)].discard(who)
            for place in _read(before.document):
                self._readers[place].discard(who)

    def upstream(self, who: Id) -> Upstream:
        """What those are at that feed it; of one that is not resolved nobody knows, so somebody may be busy."""
        if self._known[who].document is None:
            return Upstream(busy=True)
        line = self._line(who)
        read = {place for fed in line for place in self._read_at_home(fed)}
        may_feed = (_may_make(self._known[other], read) for other in self._unresolved)
        busy = any(self._is_busy(other) for other in line - {who}) or any(may_feed)
        return Upstream(busy, self._made_at(who))

    def _line(self, who: Id) -> set[Id]:
        """It, those that feed it, those that feed them, and so on: as far as they go on."""
        found, new = {who}, {who}
        while new:
            new = {other for fed in new for other in self._above(fed) if self._goes_on(other)} - found
            found |= new
        return found

    def _goes_on(self, who: Id) -> bool:
        """Or may again; what is over makes nothing of what is made for it."""
        relative = self._known[who]
        return relative.busy or relative.looked_at is not None

    def _read_at_home(self, who: Id) -> set[tuple[str, str]]:
        """Its home, with what classes would be called whose tables it reads; and by itself, for one without a name."""
        relative = self._known[who]
        assert relative.document is not None
        bases = {place[2].rpartition(".")[2] for place in _read(relative.document)}
        return {(relative.home, base) for base in (*bases, "")}

    def _is_busy(self, who: Id) -> bool:
        relative, made_at = self._known[who], self._made_at(who)
        return relative.busy or bool(made_at and relative.looked_at and made_at > relative.looked_at)

    def _made_at(self, who: Id) -> datetime | None:
        """When one of those that feed it was last seen to have made rows."""
        times = (self._known[other].settled_at for other in self._above(who))
        return max((at for at in times if at is not None), default=None)

    def below(self, who: Id) -> list[Id]:
        """Those that read what it makes."""
        document = self._known[who].document
        if document is None:
            return []
        readers = self._readers.get(_made(document), ())
        return [other for other in readers if _feeds(document, self._known[other].document)]

    def _above(self, who: Id) -> Iterator[Id]:
        child = self._known[who].document
        for place in _read(child) if child else ():
            for other in self._makers.get(place, ()):
                if other != who and _feeds(self._known[other].document, child):
                    yield other

    def _enter(self, who: Id, document: ResolveDocument | None) -> None:
        if document is None:
            self._unresolved.add(who)
            return
        self._makers[_made(document)].add(who)
        for place in _read(document):
            self._readers[place].add(who)


def _made(document: ResolveDocument) -> _Place:
    return _place(document, document.target)


def _read(document: ResolveDocument) -> set[_Place]:
    return {_place(document, table) for table in document.upstream}


def _place(document: ResolveDocument, table: str) -> _Place:
    """Masters, their parts and their jobs tables are in the same place."""
    schema, name = (part.strip('`"') for part in re.split(r"(?<=[`\"])\.(?=[`\"])", table, maxsplit=1))
    return document.backend, document.server.identity, f"{schema}.{_base(name)}"


def _base(name: str) -> str:
    """`heart_rate` of `__heart_rate__beat`."""
    return name.lstrip("_~#").partition("__")[0]


def _feeds(parent: ResolveDocument | None, child: ResolveDocument | None) -> bool:
    if parent is None or child is None or parent.target == child.target:
        return False
    return any(_makes(parent, table) for table in child.upstream)


def _makes(document: ResolveDocument, table: str) -> bool:
    """Its target, one of the target's parts (`master__part`), or its jobs table, where failures are recorded."""
    return table in (document.target, document.jobs) or table.startswith(document.target[:-1] + "__")


def _may_make(parent: Relative, read: Container[tuple[str, str]]) -> bool:
    """Whether the class would have one of these tables, or it would be one of its parts, whatever the schema."""
    if not parent.busy or (parent.home, "") not in read:
        return False
    name = re.sub(r"\B[A-Z]", r"_\g<0>", parent.table.rpartition(".")[2]).lower()
    return (parent.home, name) in read

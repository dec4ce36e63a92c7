"""How far the keys are, and what went wrong with them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .finish import MESSAGE_LENGTH
from .table import JobsTable
from .types import ErrorGroup, Key, Progress
from .whole import whole

ERRORS_READ = 20_000
"""Error rows that are grouped at most."""

_VARIES = re.compile(
    r"""'[^']*'|"[^"]*"|`[^`]*`|0x[0-9a-fA-F]+|\b[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}\b|[-+]?\d[\d.:eE+-]*"""
)


def holds_rows(jobs: JobsTable) -> bool:
    """Whether anything was queued or made here."""
    return bool(jobs.run("holds_rows").rows[0][0])


def progress(jobs: JobsTable) -> Progress:
    """Evaluates key_source: as slow as that is."""
    ((total, done),) = jobs.run("progress").rows
    return Progress(whole(total), whole(done))


def error_groups(jobs: JobsTable, *, most: int = 10) -> list[ErrorGroup]:
    """The most frequent kinds of error message, each with one key that shows it."""
    groups: dict[str, list[tuple[Any, ...]]] = {}
    for row in jobs.run("errors", [ERRORS_READ]).rows:
        groups.setdefault(signature(str(row[-1])), []).append(row)
    largest = sorted(groups.items(), key=lambda group: -len(group[1]))[:most]
    whole_messages = _messages(jobs, [jobs.key(rows[0]) for _, rows in largest])
    return [_group(jobs, name, rows, whole_messages) for name, rows in largest]


def signature(message: str) -> str:
    """The message without what varies from key to key: numbers, quoted text, identifiers."""
    return _VARIES.sub("…", message[:MESSAGE_LENGTH].strip().split("\n", 1)[0])[:200]


def _messages(jobs: JobsTable, keys: Sequence[Key]) -> Mapping[tuple[Any, ...], str]:
    """By the keys' values."""
    if not keys:
        return {}
    condition, args = jobs.matching(keys)
    return {jobs.values(jobs.key(row)): str(row[-1]) for row in jobs.run("messages", args, keys=condition).rows}


def _group(
    jobs: JobsTable, name: str, rows: Sequence[tuple[Any, ...]], messages: Mapping[tuple[Any, ...], str]
) -> ErrorGroup:
    key = jobs.key(rows[0])
    return ErrorGroup(name, len(rows), messages.get(jobs.values(key), str(rows[0][-1])), key)

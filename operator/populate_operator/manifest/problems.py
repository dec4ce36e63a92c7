"""What is wrong with a manifest, all of it at once, each with its place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from populate_jobs.errors import PopulateError

Path = tuple[str | int, ...]
"""Keys and indices from the top of an object to one of its fields."""


@dataclass(frozen=True)
class Problem:
    """One thing to mend. Lines and columns count from 1; a line of 0 means the whole file."""

    file: str
    line: int
    column: int
    field: str
    """Such as `spec.restrictBy[0].key`; empty for the whole object."""
    message: str
    """What the field must be, what it is, and the way out."""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return ": ".join(part for part in (place, self.field, self.message) if part)


class ManifestError(PopulateError):
    """A manifest cannot be used; its text is one line for each of `problems`."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


@dataclass
class Findings:
    """Collects what one file's readers notice."""

    file: str
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def problem(self, line: int, column: int, path: Path, message: str) -> None:
        self.problems.append(Problem(self.file, line, column, field_name(path), message))

    def note(self, line: int, path: Path, message: str) -> None:
        self.notes.append(str(Problem(self.file, line, 0, field_name(path), message)))


def field_name(path: Path) -> str:
    """`("spec", "restrictBy", 0, "key")` as `spec.restrictBy[0].key`."""
    plain = re.compile(r"[A-Za-z_]\w*")
    parts = (f".{part}" if isinstance(part, str) and plain.fullmatch(part) else f"[{part}]" for part in path)
    return "".join(parts).removeprefix(".")

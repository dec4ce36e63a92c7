"""What a worker is told to do: the resolve document and the settings of the PopulateJob that concern it.

One JSON file, mounted or written next to the worker, read again whenever it changes.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .document import ResolveDocument
from .errors import DocumentError
from .retry import RetryPolicy
from .types import only_fields


@dataclass(frozen=True)
class WorkerSettings:
    """The part of a PopulateJob's spec that a worker follows. Durations in seconds."""

    concurrency: int = 1
    drain_seconds: float = 30.0
    timeout_seconds: float | None = None
    on_empty: str = "Ignore"
    """`Ignore` or `Error`: what becomes of a key whose make inserted nothing."""
    keep_completed: bool = False
    make_kwargs: Mapping[str, Any] = field(default_factory=dict)
    retry: RetryPolicy = field(default_factory=RetryPolicy)


@dataclass(frozen=True)
class Assignment:
    document: ResolveDocument
    settings: WorkerSettings
    paused: bool = False
    """No other key is begun; a worker that is too old to know of this goes on by the document."""

    def to_json(self) -> str:
        document, settings = json.loads(self.document.to_json()), dataclasses.asdict(self.settings)
        return json.dumps({"document": document, "settings": settings, "paused": self.paused})

    @classmethod
    def from_json(cls, text: str) -> Assignment:
        """Raises DocumentError where the text is no assignment."""
        try:
            data = json.loads(text)
            settings = dict(data["settings"])
            retry = RetryPolicy.from_mapping(settings.pop("retry", {}))
            document = ResolveDocument.from_json(json.dumps(data["document"]))
            known = WorkerSettings(**only_fields(WorkerSettings, settings), retry=retry)
            return cls(document, known, bool(data.get("paused", False)))
        except (AttributeError, ValueError, KeyError, TypeError) as error:
            raise DocumentError(f"the assignment cannot be read: {error!r}") from error

    @classmethod
    def read(cls, path: Path) -> Assignment:
        try:
            return cls.from_json(path.read_text())
        except OSError as error:
            raise DocumentError(f"the assignment {path} cannot be read: {error.strerror}") from error

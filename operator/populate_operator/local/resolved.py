"""What resolve said last, kept beside a PopulateJob's files: `populate status` need not import the pipeline for it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from populate_jobs import DatabaseSettings, ResolveDocument
from populate_jobs.document import read_output
from populate_jobs.errors import PopulateError

from populate_operator.spec import PopulateJob, Spec

from .place import environment, folder
from .resolving import command

_FILE = "resolved.json"
RESOLVE_SECONDS = 300


def resolved(job: PopulateJob, settings: DatabaseSettings, data: Path, path: tuple[Path, ...]) -> ResolveDocument:
    """The document that is kept, or a new one. Raises ResolveRefused, or DocumentError where resolve broke."""
    kept = recall(data, job.name, job.spec, settings)
    if kept is not None:
        return kept
    run = subprocess.run(
        command(job.spec),
        env=environment(settings, path),
        capture_output=True,
        text=True,
        timeout=RESOLVE_SECONDS,
        check=False,
    )
    document = read_output(run.stdout)
    remember(data, job.name, job.spec, settings, document)
    return document


def remember(data: Path, name: str, spec: Spec, settings: DatabaseSettings, document: ResolveDocument) -> None:
    text = json.dumps({"asked": _asked(spec, settings), "document": document.to_json()})
    file = folder(data, name) / _FILE
    fresh = file.with_suffix(f".{os.getpid()}")
    fresh.write_text(text)
    fresh.replace(file)


def recall(data: Path, name: str, spec: Spec, settings: DatabaseSettings) -> ResolveDocument | None:
    """None where nothing is kept, or the answer to another question."""
    try:
        kept = json.loads((folder(data, name) / _FILE).read_text())
        return ResolveDocument.from_json(kept["document"]) if kept["asked"] == _asked(spec, settings) else None
    except (OSError, ValueError, KeyError, TypeError, PopulateError):
        return None


def _asked(spec: Spec, settings: DatabaseSettings) -> list[str]:
    return [*command(spec)[1:], settings.backend, settings.host, str(settings.port), settings.database]

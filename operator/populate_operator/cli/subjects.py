"""The tables that a command speaks of: PopulateJobs of a manifest, or tables named as schema.table."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from populate_jobs import Connection, DatabaseSettings, JobsTable, connect
from populate_jobs.errors import SettingsError

from populate_operator.database.named import describe
from populate_operator.local import embedded, logins
from populate_operator.local.naming import named_apart
from populate_operator.local.resolved import resolved
from populate_operator.manifest import Manifest, load
from populate_operator.spec import PopulateJob

from .parser import near


@dataclass(frozen=True)
class Subject:
    name: str
    jobs: JobsTable


@contextlib.contextmanager
def subjects(args: argparse.Namespace) -> Iterator[list[Subject]]:
    """Connected, for as long as the context lasts. Raises PopulateError where one of them cannot be had."""
    with contextlib.ExitStack() as stack:
        source = logins.Source.here(args.secret_file, args.data, args.embedded)
        yield _of_manifest(args, source, stack) if args.filename else _named(args.subjects, source, stack)


def _of_manifest(args: argparse.Namespace, source: logins.Source, stack: contextlib.ExitStack) -> list[Subject]:
    manifest = load(*args.filename)
    chosen = _chosen(manifest, args.subjects)
    if not logins.all_given(chosen, manifest, source) and not embedded.exists(args.data):
        raise SettingsError(f"nothing was run yet with {args.data}: populate run -f {' -f '.join(args.filename)}")
    connections = _Connections(stack)
    path = tuple(Path(name).absolute().parent for name in args.filename if name != "-")
    found = logins.settings_of(chosen, manifest, source, stack)
    return [
        Subject(job.name, JobsTable(connections.to(settings), resolved(job, settings, args.data, path)))
        for job, settings in zip(chosen, found, strict=True)
    ]


def _named(names: Sequence[str], source: logins.Source, stack: contextlib.ExitStack) -> list[Subject]:
    connection = _Connections(stack).to(logins.settings_without_manifest(source, stack))
    return [Subject(name, JobsTable(connection, describe(connection, name))) for name in names]


def _chosen(manifest: Manifest, names: Sequence[str]) -> list[PopulateJob]:
    known = {job.name: job for job in named_apart(manifest.jobs)}
    for name in names:
        if name not in known:
            raise SettingsError(f"no PopulateJob {name} in the manifest{near(name, known)}; it has {', '.join(known)}")
    return [known[name] for name in names] or list(known.values())


class _Connections:
    """One for each login."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self._open: dict[DatabaseSettings, Connection] = {}

    def to(self, settings: DatabaseSettings) -> Connection:
        if settings not in self._open:
            opened = connect(settings, name="populate")
            self._open[settings] = self._stack.enter_context(contextlib.closing(opened))
        return self._open[settings]

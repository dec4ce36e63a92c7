"""`populate-worker resolve`: imports a class in the lab's environment and prints its resolve document.

DataJoint is imported only once its version is known to be one that we work with.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import importlib
import json
import os
import re
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from populate_jobs import (
    Connection,
    DatabaseSettings,
    JobsTable,
    PopulateError,
    ResolveDocument,
    connect,
    install,
    probe,
)
from populate_jobs.document import BEGIN, END, refusal_to_json
from populate_jobs.errors import MissingGrant, ResolveRefused
from populate_jobs.table import ATTEMPTS_TABLE

from .resolving.refusals import as_refusal, end_of_traceback

REFUSED = 3
"""Exit status where what is asked cannot be done; the reason stands between the sentinels."""

DATAJOINT = ((2, 3, 5), (2, 4))
"""The first version that we work with, and the first that we may not."""

STATEMENT_SECONDS = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--table", required=True, metavar="PATH", help="import path of the class: cardio.HeartRate")
    parser.add_argument("--restriction", default="", metavar="SQL", help="condition on the key attributes")
    parser.add_argument("--restrict-by", default="[]", metavar="JSON", help="list of conditions that must all hold")
    parser.add_argument("--database", type=Path, metavar="DIR", help="folder of a mounted Secret, in place of DJ_*")


def main(args: argparse.Namespace) -> int:
    """Prints the document, or what was refused, between the sentinels; the lab's own output goes to stderr."""
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # as the runner has it, whose command is `python -m`
    try:
        with contextlib.redirect_stdout(sys.stderr):
            if args.database is not None:
                os.environ.update(DatabaseSettings.from_folder(args.database).to_environment())
            document = resolve(args.table, args.restriction, args.restrict_by)
    except PopulateError as error:
        refusal = as_refusal(error)
        print(*filter(None, [refusal.traceback, f"{refusal.reason}: {refusal}"]), sep="\n", file=sys.stderr)
        _print(refusal_to_json(refusal))
        return REFUSED
    _print(document.to_json())
    return 0


def resolve(table: str, restriction: str, restrict_by: str) -> ResolveDocument:
    """The document of `table` in the database of DJ_*; raises ResolveRefused or another PopulateError."""
    refuse_unsupported_datajoint()
    settings = DatabaseSettings.from_environment(os.environ)
    with contextlib.closing(connect(settings, name="populate resolve", statement_seconds=STATEMENT_SECONDS)) as ours:
        _import_datajoint()
        from .resolving.declaring import in_turns
        from .resolving.describe import Request, describe
        from .resolving.locate import import_auto_populated
        from .resolving.login import log_in

        request = Request(table, restriction, _entries(restrict_by))
        log_in(settings)
        with in_turns(settings):
            found = import_auto_populated(table)
            with contextlib.closing(found.connection):
                return prepare(describe(found, request, ours), ours)


def prepare(document: ResolveDocument, connection: Connection) -> ResolveDocument:
    """The document, once the server has shown that it can hold the queue and has our own table in the schema."""
    jobs = JobsTable(connection, document)
    probe(jobs)
    why = f"no right to select, insert, update and delete in {ATTEMPTS_TABLE}"
    try:
        install(jobs)
    except MissingGrant as error:
        why = str(error)
    if jobs.has_attempts:
        return document
    warning = f"attempts cannot be counted, so a failed key is not tried again: {why}"
    return dataclasses.replace(document, warnings=(*document.warnings, warning))


def refuse_unsupported_datajoint() -> None:
    try:
        version = metadata.version("datajoint")
    except metadata.PackageNotFoundError:
        raise ResolveRefused("DataJointMissing", f"DataJoint is not installed: {_INSTALL}") from None
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:3])
    if not DATAJOINT[0] <= numbers < DATAJOINT[1]:
        raise ResolveRefused("DataJointUnsupported", f"DataJoint {version} is not supported: {_INSTALL}")


def _import_datajoint() -> None:
    """It reads its settings when it is imported, and refuses some."""
    try:
        importlib.import_module("datajoint")
    except Exception as error:
        message = f"DataJoint cannot be imported: {type(error).__name__}: {error}"
        raise ResolveRefused("ImportFailed", message, traceback=end_of_traceback(error)) from error


def _entries(text: str) -> list[Any]:
    try:
        entries = json.loads(text)
    except ValueError as error:
        raise ResolveRefused("RestrictionInvalid", f"restrictBy is not JSON: {error}") from error
    if not isinstance(entries, list):
        raise ResolveRefused("RestrictionInvalid", "restrictBy must be a list of conditions")
    return entries


def _print(document: str) -> None:
    print(f"\n{BEGIN}\n{document}\n{END}", flush=True)


_INSTALL = "install 'datajoint>={},<{}' in the worker image".format(*(".".join(map(str, v)) for v in DATAJOINT))

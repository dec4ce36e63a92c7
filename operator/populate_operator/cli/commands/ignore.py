from __future__ import annotations

import argparse
import json
import uuid
from typing import Any

import populate_jobs
from populate_jobs import JobsTable, Key
from populate_jobs.errors import SettingsError

from populate_operator.cli.exit_codes import ExitCode
from populate_operator.cli.parser import near
from populate_operator.cli.show import counted
from populate_operator.cli.subjects import Subject, subjects


def main(args: argparse.Namespace) -> int:
    with subjects(args) as found:
        if args.key and len(found) > 1:
            raise SettingsError(f"--key is of one table: name one of {', '.join(subject.name for subject in found)}")
        for subject in found:
            ignored = _ignore(subject, args)
            print(f"{subject.name}: {counted(ignored, 'ignored', args)}")
    return ExitCode.DONE


def _ignore(subject: Subject, args: argparse.Namespace) -> int:
    named = populate_jobs.ignore(subject.jobs, [_key(subject.jobs, text) for text in args.key])
    if args.match or args.all:
        return named + populate_jobs.ignore_errors(subject.jobs, match=args.match)
    return named


def _key(jobs: JobsTable, text: str) -> Key:
    """With values as the driver wants them."""
    try:
        given = json.loads(text)
    except ValueError as error:
        raise SettingsError(f"--key {text}: not JSON: {error}") from error
    if not isinstance(given, dict):
        raise SettingsError(f'--key {text}: must be an object, such as {{"{jobs.attributes[0]}": 1}}')
    for name in given:
        if name not in jobs.attributes:
            raise SettingsError(f"--key: no attribute {name}{near(name, jobs.attributes)}; {_needed(jobs)}")
    if len(given) < len(jobs.attributes):
        raise SettingsError(f"--key {text}: {_needed(jobs)}")
    return {
        attribute.name: _value(jobs, attribute.type, given[attribute.name]) for attribute in jobs.document.primary_key
    }


def _needed(jobs: JobsTable) -> str:
    return f"a key has {', '.join(jobs.attributes)}"


def _value(jobs: JobsTable, kind: str, value: Any) -> Any:
    if kind != "uuid":
        return value
    try:
        found = uuid.UUID(value)
    except (ValueError, AttributeError, TypeError) as error:
        raise SettingsError(f"--key: {value!r} is not a uuid") from error
    return found.bytes if jobs.connection.backend == "mysql" else found

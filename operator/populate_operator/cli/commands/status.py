from __future__ import annotations

import argparse
from typing import Any

import populate_jobs
from populate_jobs import Look

from populate_operator.cli.exit_codes import ExitCode
from populate_operator.cli.show import as_data, as_table
from populate_operator.cli.subjects import Subject, subjects

_COLUMNS = {
    "NAME": "name",
    "PROGRESS": "progress",
    "PENDING": "pending",
    "SCHEDULED": "scheduled",
    "RUNNING": "reserved",
    "ERRORS": "error",
    "IGNORED": "ignored",
}


def main(args: argparse.Namespace) -> int:
    with subjects(args) as found:
        standings = [_standing(subject) for subject in found]
    if args.output != "table":
        as_data(standings, args.output)
    else:
        as_table(list(_COLUMNS), [[standing[field] for field in _COLUMNS.values()] for standing in standings])
    return ExitCode.DONE


def _standing(subject: Subject) -> dict[str, Any]:
    counts = populate_jobs.counts(subject.jobs)
    (seen,) = populate_jobs.look(subject.jobs.connection, [Look(subject.jobs.document, 0)])
    progress = populate_jobs.progress(subject.jobs)
    return {
        "name": subject.name,
        "table": subject.jobs.document.target,
        "total": progress.total,
        "done": progress.done,
        "progress": f"{progress.done}/{progress.total}",
        "pending": counts.pending,
        "scheduled": counts.scheduled,
        "reserved": counts.reserved,
        "error": counts.error,
        "ignored": counts.ignore,
        "hosts": dict(seen.held),
    }

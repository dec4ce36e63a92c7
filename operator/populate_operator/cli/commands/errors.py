from __future__ import annotations

import argparse

import populate_jobs
from populate_jobs import ErrorGroup

from populate_operator.cli.exit_codes import ExitCode
from populate_operator.cli.show import as_data, as_table, key_json, key_text
from populate_operator.cli.subjects import subjects


def main(args: argparse.Namespace) -> int:
    with subjects(args) as found:
        groups = [
            (subject.name, group)
            for subject in found
            for group in populate_jobs.error_groups(subject.jobs, most=args.most)
        ]
    if args.output != "table":
        as_data([{"name": name, **_as_json(group)} for name, group in groups], args.output)
    elif groups:
        rows = [(name, group.count, group.message, key_text(group.sample_key)) for name, group in groups]
        as_table(("NAME", "KEYS", "ERROR", "SUCH AS"), rows, wide="ERROR")
    else:
        print("no key failed")
    return ExitCode.DONE


def _as_json(group: ErrorGroup) -> dict[str, object]:
    return {
        "signature": group.signature,
        "count": group.count,
        "message": group.message,
        "sampleKey": key_json(group.sample_key),
    }

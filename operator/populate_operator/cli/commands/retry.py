from __future__ import annotations

import argparse

import populate_jobs

from populate_operator.cli.exit_codes import ExitCode
from populate_operator.cli.show import counted
from populate_operator.cli.subjects import subjects


def main(args: argparse.Namespace) -> int:
    with subjects(args) as found:
        for subject in found:
            queued = populate_jobs.retry_errors(subject.jobs, match=args.match)
            print(f"{subject.name}: {counted(queued, 'pending again', args)}")
    return ExitCode.DONE

from __future__ import annotations

import argparse

import populate_jobs

from populate_operator.cli.exit_codes import ExitCode
from populate_operator.cli.subjects import subjects


def main(args: argparse.Namespace) -> int:
    with subjects(args) as found:
        for subject in found:
            queued = populate_jobs.retry_errors(subject.jobs, match=args.match)
            print(f"{subject.name}: {queued} {'key is' if queued == 1 else 'keys are'} pending again")
    return ExitCode.DONE

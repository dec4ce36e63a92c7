"""The command line of `populate-worker`."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from populate_jobs.errors import PopulateError

from . import resolve
from .exit_codes import ExitCode

EXIT_CODES = (
    "SIGTERM or SIGINT: makes may end, for as long as the assignment says; twice: at once. Exits with 0 when nothing "
    "stays reserved, 2 when what it is given cannot be used, 3 when the server refuses it, 4 when the class cannot be "
    "imported several times over, 5 when it stopped while the database was away."
)


def main(arguments: list[str] | None = None) -> int:
    """Parses, runs, and gives the exit code (see exit_codes)."""
    options = _parser().parse_args(arguments)
    exit_code: int = options.run(options)
    return exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("populate-worker", description="Resolves and populates DataJoint tables.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="reserve keys and make them until told to stop", epilog=EXIT_CODES)
    run.add_argument(
        "--assignment", type=Path, required=True, metavar="FILE", help="what to do; read again when it changes"
    )
    run.add_argument("--host", required=True, help="written to the rows that are reserved; no other worker's")
    run.add_argument("--http", type=_address, metavar="HOST:PORT", help="where to serve /healthz and /metrics")
    run.add_argument("--database", type=Path, metavar="DIR", help="folder of a mounted Secret, in place of DJ_*")
    run.set_defaults(run=_run)
    resolved = commands.add_parser("resolve", help="print what a class and a restriction mean in the database")
    resolve.add_arguments(resolved)
    resolved.set_defaults(run=resolve.main)
    return parser


def _run(options: argparse.Namespace) -> int:
    from .supervisor import main as supervisor

    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.raiseExceptions = False
    try:
        return supervisor.run(supervisor.Options(options.assignment, options.host, options.http, options.database))
    except (PopulateError, OSError) as error:
        logging.getLogger(__name__).error("%s", error)
        return ExitCode.USAGE


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not port.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r}: must be HOST:PORT")
    return host.strip("[]"), int(port)

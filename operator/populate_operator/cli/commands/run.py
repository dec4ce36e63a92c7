from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from populate_operator.cli.parser import DATA
from populate_operator.local.run import Options, Screen, exit_code, run


def main(args: argparse.Namespace) -> int:
    options = Options(
        manifests=tuple(map(Path, args.filename)),
        data=args.data,
        secret_file=args.secret_file,
        embedded=args.embedded,
        once=args.once,
        max_workers=args.max_workers,
        verbose=args.verbose,
        database_timeout=args.database_timeout,
    )
    return exit_code(*run(options, _screen(args)))


def _screen(args: argparse.Namespace) -> Screen:
    flags = _flags(args)
    if sys.stdout.isatty() and not args.verbose:
        from populate_operator.local.live import Live

        return Live(flags)
    from populate_operator.local.plain import Plain

    return Plain(flags)


def _flags(args: argparse.Namespace) -> str:
    """Those by which other commands find the same manifest and database."""
    words = [word for name in args.filename for word in ("-f", name)]
    words += ["--data", str(args.data)] if args.data != DATA else []
    words += ["--secret-file", str(args.secret_file)] if args.secret_file else []
    words += ["--embedded"] if args.embedded else []
    return shlex.join(words)

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from populate_operator.local.run import Options, Screen, exit_code, run


def main(args: argparse.Namespace) -> int:
    options = Options(
        manifests=tuple(map(Path, args.filename)),
        data=args.data,
        secret_file=args.secret_file,
        once=args.once,
        max_workers=args.max_workers,
        verbose=args.verbose,
        database_timeout=args.database_timeout,
    )
    return exit_code(*run(options, _screen(args)))


def _screen(args: argparse.Namespace) -> Screen:
    manifest = " -f ".join(args.filename)
    if sys.stderr.isatty() and not args.verbose:
        from populate_operator.local.live import Live

        return Live(manifest)
    from populate_operator.local.plain import Plain

    return Plain(manifest)

from __future__ import annotations

import argparse
import contextlib
import signal
import subprocess
import sys
from pathlib import Path

from populate_jobs.errors import SettingsError

from populate_operator.cli.exit_codes import ExitCode
from populate_operator.local import logins
from populate_operator.local.place import environment
from populate_operator.manifest import load


def main(args: argparse.Namespace) -> int:
    """The command's own exit code. Ctrl-C is the command's to heed."""
    manifest = load(*args.filename)
    with contextlib.ExitStack() as stack:
        source = logins.Source.here(args.secret_file, args.data, args.embedded)
        found = set(logins.settings_of(manifest.jobs, manifest, source, stack))
        if len(found) > 1:
            raise SettingsError("the manifest's PopulateJobs use several databases: give one with --secret-file")
        beside = tuple(Path(name).absolute().parent for name in args.filename if name != "-")
        return _run(args.words, {**environment(found.pop(), beside)})


def _run(words: list[str], variables: dict[str, str]) -> int:
    before = signal.signal(signal.SIGINT, lambda *_: None)  # a handler of ours is not inherited, SIG_IGN would be
    try:
        status = subprocess.run(words, env=variables, check=False).returncode
    except OSError as error:
        print(f"{words[0]} cannot be run: {error.strerror}", file=sys.stderr)
        return ExitCode.BAD_INPUT
    finally:
        signal.signal(signal.SIGINT, before)
    return 128 - status if status < 0 else status

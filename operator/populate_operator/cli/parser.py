"""The command line's grammar, with examples in every --help and near matches for what is misspelt."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import Any, NoReturn

from .exit_codes import EXPLAINED, ExitCode

DATA = Path("populate-data")
FORMS = ("table", "json", "yaml")
_MANIFESTS = (".yaml", ".yml", ".json")
WHICH_KEYS = "which keys? --match TEXT takes those whose message contains it, --all takes all with errors"

_DATABASE = """\
database: --secret-file, else the Secret in the manifest that spec.database.secretRef names, else DJ_HOST, DJ_USER,
DJ_PASS (DJ_PORT, DJ_BACKEND, DJ_DATABASE_NAME), else an embedded PostgreSQL in the data folder, unless DataJoint
would find a host in a datajoint.json; --embedded asks for it whatever is configured.
"""

COMMANDS = {
    "run": "make a manifest's keys on this machine, without a cluster",
    "status": "how far the keys are",
    "errors": "which keys failed, grouped by message",
    "retry": "queue keys with errors again",
    "ignore": "set keys aside",
    "exec": "run a command with the manifest's database",
}

_EXAMPLES = {
    "run": """\
examples:
  populate run -f populate.yaml                   until Ctrl-C: once drains, twice stops
  populate run -f populate.yaml --once            until every key was made or failed
  populate run -f populate.yaml --max-workers 8   more, or fewer, than there are cores
""",
    "status": """\
examples:
  populate status -f populate.yaml
  populate status -f populate.yaml heart-rate -o json
  populate status cardio.heart_rate               a table in the database of DJ_*
""",
    "errors": """\
examples:
  populate errors -f populate.yaml
  populate errors cardio.heart_rate -o json
""",
    "retry": """\
examples:
  populate retry -f populate.yaml --match "too few beats"
  populate retry cardio.heart_rate --all
""",
    "ignore": """\
examples:
  populate ignore -f populate.yaml --match "sensor off"
  populate ignore cardio.heart_rate --key '{"recording": "late", "start": 14}'
""",
    "exec": """\
examples:
  populate exec -f populate.yaml -- python        DJ_* are set: import cardio; cardio.HeartRate()
  populate exec -f populate.yaml -- python load.py
""",
}


class Parser(argparse.ArgumentParser):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raw = {"formatter_class": argparse.RawDescriptionHelpFormatter, "allow_abbrev": False}
        super().__init__(*args, **{**raw, **kwargs})

    def error(self, message: str) -> NoReturn:
        self.exit(ExitCode.BAD_INPUT, f"{self.prog}: {message}\nTry: {self.prog} --help\n")

    @property
    def described(self) -> dict[str, argparse.Action]:
        return {option: action for action in self._actions for option in action.option_strings}


class Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        from importlib.metadata import version

        print(f"{parser.prog} {version('populate-operator')}")
        parser.exit()


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Exits with status 2 where the arguments cannot be understood."""
    parser, commands = grammar()
    args = understood(parser, commands, arguments)
    _check(args, commands[args.command])
    return args


def understood(parser: Parser, commands: Mapping[str, Parser], arguments: Sequence[str]) -> argparse.Namespace:
    """With the `command`, and as `words` what follows `--`; exits with status 2 and what was perhaps meant."""
    ours, theirs = _split(arguments)
    if ours and ours[0] in parser.described:
        parser.parse_args(ours)
    if not ours or ours[0].startswith("-"):
        parser.error(f"the first word must be a COMMAND: {', '.join(commands)}")
    if ours[0] not in commands:
        parser.error(f"there is no command {ours[0]}{near(ours[0], commands)}")
    command = commands[ours[0]]
    known = argparse.Namespace(command=ours[0], words=theirs)
    args, unknown = command.parse_known_intermixed_args(ours[1:], known)
    if unknown:
        command.error(_not_understood(unknown[0], ours[0], command))
    return args


def _not_understood(word: str, name: str, command: Parser) -> str:
    if word.startswith("-"):
        return f"there is no option {word}{near(word.split('=')[0], command.described)}"
    if name == "exec":
        return f"put -- before the command that is to be run: -- {word}"
    return f"{word} is a word too many{_perhaps_a_manifest(word)}"


def _perhaps_a_manifest(word: str) -> str:
    return f": is it a manifest? -f {word}" if Path(word).suffix in _MANIFESTS else ""


def near(word: str, known: Iterable[str]) -> str:
    """` (did you mean X?)`, or nothing where no word is like it."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """What is ours, and what follows `--`."""
    words = list(arguments)
    if "--" not in words:
        return words, []
    at = words.index("--")
    return words[:at], words[at + 1 :]


def grammar() -> tuple[Parser, dict[str, Parser]]:
    parser = Parser(prog="populate", description="Make the keys of DataJoint tables.", epilog=EXPLAINED)
    parser.add_argument("--version", action=Version, nargs=0, help="show the version and exit")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    commands = {name: _command(subparsers, name) for name in COMMANDS}
    _run(commands["run"])
    for name in ("status", "errors", "retry", "ignore"):
        commands[name].add_argument(
            "subjects", nargs="*", metavar="NAME", help="PopulateJobs of the manifest; without -f, tables: schema.table"
        )
    for name in ("status", "errors"):
        commands[name].add_argument("-o", "--output", choices=FORMS, default="table", help="default table")
    commands["errors"].add_argument("--most", type=_positive, default=10, metavar="N", help="most groups to show (10)")
    for name in ("retry", "ignore"):
        commands[name].add_argument("--match", metavar="TEXT", help="those whose message contains TEXT")
        commands[name].add_argument("--all", action="store_true", help="all keys with errors")
    commands["ignore"].add_argument(
        "--key", action="append", default=[], metavar="JSON", help="this key, queued or not (repeatable)"
    )
    return parser, commands


def _command(subparsers: Any, name: str) -> Parser:
    summary = COMMANDS[name]
    command: Parser = subparsers.add_parser(
        name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.", epilog=_epilog(name)
    )
    command.add_argument(
        "-f", "--filename", action="append", metavar="FILE", default=[], help="manifest (repeatable; - is stdin)"
    )
    command.add_argument("--data", type=Path, default=DATA, metavar="DIR", help=f"data folder (./{DATA})")
    which = command.add_mutually_exclusive_group()
    which.add_argument("--secret-file", type=Path, metavar="FILE", help="manifest of the Secret to log in with")
    which.add_argument("--embedded", action="store_true", help="a PostgreSQL of its own, whatever else is configured")
    return command


def _run(command: Parser) -> None:
    command.add_argument("--once", action="store_true", help="end when every key was made or failed")
    command.add_argument("--max-workers", type=_positive, metavar="N", help="workers at a time (as many as cores)")
    command.add_argument(
        "--database-timeout", type=seconds, default=60.0, metavar="SECONDS",
        help="with --once: how long to wait for a database that is away (60)",
    )  # fmt: skip
    command.add_argument("--verbose", action="store_true", help="show what workers log, in place of the live display")


def _epilog(name: str) -> str:
    return "\n".join((_EXAMPLES[name], _DATABASE, EXPLAINED))


def _check(args: argparse.Namespace, command: Parser) -> None:
    if args.command in ("run", "exec") and not args.filename:
        command.error("-f FILE is required")
    if args.command not in ("run", "exec") and not (args.filename or args.subjects):
        command.error("name a manifest, -f FILE, or a table, schema.table")
    for word in args.subjects if "subjects" in args and not args.filename else ():
        if meant := _perhaps_a_manifest(word):
            command.error(f"{word} is no table{meant}")
    if args.command == "exec" and not args.words:
        command.error("what is to be run? Put it after --")
    if args.command in ("retry", "ignore") and not (args.match or args.all or getattr(args, "key", None)):
        command.error(WHICH_KEYS)


def _positive(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text):
        return int(text)
    raise argparse.ArgumentTypeError(f"{text} is no whole number from 1 on")


def seconds(text: str) -> float:
    """As the type of an argument."""
    with suppress(ValueError):
        if 0 <= (number := float(text)) < inf:
            return number
    raise argparse.ArgumentTypeError(f"{text} is no number of seconds")

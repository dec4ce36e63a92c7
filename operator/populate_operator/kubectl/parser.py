"""The grammar of `kubectl populate`, with examples in every --help."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from populate_operator.cli.parser import FORMS, WHICH_KEYS, Parser, Version, seconds, understood

COMMANDS = {
    "status": "how far the keys are",
    "top": "how far the keys are, live on the whole screen",
    "errors": "which keys failed, the most frequent errors first",
    "retry": "queue keys with errors again",
    "ignore": "set keys with errors aside",
    "refresh": "look for new keys now",
    "suspend": "stop the workers; what they hold is given back",
    "resume": "go on after suspend",
    "logs": "what the workers print, of all keys or of one",
    "completion": "print what a shell needs to complete kubectl-populate",
}
READING = ("status", "top", "errors")
ASKING = ("retry", "ignore", "refresh", "suspend", "resume")
PATIENCE = 10.0
"""Seconds."""
SHELLS = ("bash", "zsh", "fish")

_EXAMPLES = {
    "status": """\
  kubectl populate status                           those of the namespace
  kubectl populate status -A -o wide                those of all, with priority, pace, ETA and reason
  kubectl populate status heart-rate -n lab -o yaml
""",
    "top": """\
  kubectl populate top -A
  kubectl populate top heart-rate summary -n lab
  kubectl populate top --once                       one picture, for scripts
""",
    "errors": """\
  kubectl populate errors heart-rate -n lab
  kubectl populate errors -A -o json
""",
    "retry": """\
  kubectl populate retry heart-rate --match "deadlock"
  kubectl populate retry heart-rate summary --all
""",
    "ignore": """\
  kubectl populate ignore heart-rate --match "sensor off"
  kubectl populate ignore heart-rate --all
""",
    "refresh": "  kubectl populate refresh heart-rate\n",
    "suspend": "  kubectl populate suspend heart-rate summary -n lab\n",
    "resume": "  kubectl populate resume heart-rate\n",
    "logs": """\
  kubectl populate logs heart-rate -- --follow      options of kubectl logs follow --
  kubectl populate logs heart-rate subject_id=3 session=2
  kubectl populate logs heart-rate subject_id=3 -- --follow --since=1h
""",
    "completion": """\
  source <(kubectl populate completion bash)        in ~/.bashrc
  kubectl populate completion fish > ~/.config/fish/completions/kubectl-populate.fish
""",
}

_EXIT_CODES = """\
exit codes:
  0    done
  1    the cluster could not be asked, or refused; no operator answered in time; or the logs have no line of that key
  2    bad input: the command line, or what it names
  130  interrupted
"""
_KEYS = """\
A KEY is one attribute, NAME=VALUE, as `errors` and the log itself show it; fewer than all of the key find all keys that
have these. Only pods that are there still have their logs, and only what make prints is in them.
"""
_COMPLETION = """\
`kubectl populate` itself is completed by kubectl's own completion (1.26 or newer) as soon as kubectl_complete-populate,
which is installed with this, is on the PATH.
"""
_NOTES = {"logs": f"{_KEYS}\n", "completion": f"{_COMPLETION}\n"}


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Exits with status 2 where the arguments cannot be understood."""
    parser, commands = grammar()
    args = understood(parser, commands, arguments)
    if args.command in ("retry", "ignore") and not (args.match or args.all):
        commands[args.command].error(WHICH_KEYS)
    return args


def grammar() -> tuple[Parser, dict[str, Parser]]:
    examples = "examples:\n  kubectl populate status -A\n  kubectl populate COMMAND --help\n\n"
    parser = Parser(
        prog="kubectl populate", description="The PopulateJobs of a cluster.", epilog=f"{examples}{_EXIT_CODES}"
    )
    parser.add_argument("--version", action=Version, nargs=0, help="show the version and exit")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    commands = {name: _command(subparsers, name) for name in COMMANDS}
    for name in ("status", "errors"):
        commands[name].add_argument(
            "-o", "--output", choices=(*FORMS, "wide"), default="table", help="default table; wide shows more columns"
        )
    commands["top"].add_argument("--once", action="store_true", help="one picture, as when the output is no terminal")
    commands["completion"].add_argument("shell", choices=SHELLS)
    return parser, commands


def _command(subparsers: Any, name: str) -> Parser:
    summary = COMMANDS[name]
    epilog = f"examples:\n{_EXAMPLES[name]}\n{_NOTES.get(name, '')}{_EXIT_CODES}"
    command: Parser = subparsers.add_parser(
        name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.", epilog=epilog
    )
    if name != "completion":
        _names(command, name)
    return command


def _names(command: Parser, name: str) -> None:
    if name in READING:
        command.add_argument("names", nargs="*", metavar="NAME", help="PopulateJobs (all of them)")
        command.add_argument("-A", "--all-namespaces", action="store_true", help="those of all namespaces")
    elif name == "logs":
        command.add_argument("names", nargs="+", metavar="NAME|KEY", help="PopulateJobs, and a key of the one")
    else:
        command.add_argument("names", nargs="+", metavar="NAME", help="PopulateJobs")
    command.add_argument("-n", "--namespace", metavar="NS", help="namespace (the context's)")
    command.add_argument("--context", metavar="NAME", help="context of the kubeconfig (the current one)")
    if name in ASKING:
        waits = f"how long to wait until the operator has done it ({PATIENCE:g}); 0 asks and does not wait"
        command.add_argument("--timeout", type=seconds, default=PATIENCE, metavar="SECONDS", help=waits)
    if name in ("retry", "ignore"):
        which = command.add_mutually_exclusive_group()
        which.add_argument("--match", metavar="TEXT", help="those whose message contains TEXT")
        which.add_argument("--all", action="store_true", help="all keys with errors")

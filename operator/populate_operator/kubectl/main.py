"""From arguments to what is shown or changed, and an exit code."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence

from populate_jobs.errors import PopulateError

from populate_operator.cli.exit_codes import ExitCode
from populate_operator.cli.parser import Parser
from populate_operator.kube import api
from populate_operator.kube.manifests import names

from . import actions

SUMMARIES = {
    "status": "how far the keys are",
    "errors": "which keys failed, the most frequent errors first",
    "retry": "queue keys with errors again",
    "ignore": "set keys with errors aside",
    "refresh": "look for new keys now",
    "suspend": "stop the workers; what they hold is given back",
    "resume": "go on after suspend",
    "logs": "what the workers print (as kubectl logs, whose options follow --)",
}
_ON_ERRORS = ("retry", "ignore")
_EXAMPLES = """\
examples:
  kubectl populate status -A
  kubectl populate errors heart-rate -n lab
  kubectl populate retry heart-rate --match "deadlock"
  kubectl populate logs heart-rate -- --follow
"""


def main(arguments: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if arguments is None else arguments)
    at = words.index("--") if "--" in words else len(words)
    args = _parser().parse_args(words[:at])
    try:
        if args.command == "logs":
            return _logs(args, words[at + 1 :])
        return asyncio.run(_carry_out(args))
    except PopulateError as error:
        print(error, file=sys.stderr)
        return ExitCode.BAD_INPUT


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="kubectl populate", description="The PopulateJobs of a cluster.", epilog=_EXAMPLES)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, summary in SUMMARIES.items():
        command = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        needed = name not in ("status", "errors")
        command.add_argument("names", nargs="+" if needed else "*", metavar="NAME", help="PopulateJobs (all of them)")
        command.add_argument("-n", "--namespace", metavar="NS", help="namespace (the context's)")
        command.add_argument("--context", metavar="NAME", help="context of the kubeconfig (the current one)")
        if name in _ON_ERRORS:
            which = command.add_mutually_exclusive_group(required=True)
            which.add_argument("--match", metavar="TEXT", help="those whose message contains TEXT")
            which.add_argument("--all", action="store_true", help="all keys with errors")
        if not needed:
            command.add_argument("-A", "--all-namespaces", action="store_true", help="those of all namespaces")
            command.add_argument("-o", "--output", choices=("table", "json"), default="table", help="default table")
    return parser


async def _carry_out(args: argparse.Namespace) -> int:
    cluster = await api.connect(args.context)
    try:
        namespace = "" if getattr(args, "all_namespaces", False) else args.namespace or api.own_namespace(args.context)
        found = await actions.chosen(cluster, namespace, args.names)
        return await actions.ACTIONS[args.command](cluster, found, args)
    finally:
        await cluster.close()


def _logs(args: argparse.Namespace, options: Sequence[str]) -> int:
    """kubectl does this well already: it is given the selector."""
    where = [
        *(["--context", args.context] if args.context else []),
        *(["-n", args.namespace] if args.namespace else []),
    ]
    every = [f"{names.POPULATEJOB} in ({','.join(args.names)}),{names.COMPONENT}={names.WORKER}"]
    command = ["kubectl", *where, "logs", "-l", *every, "-c", "worker", "--prefix", "--max-log-requests=100", *options]
    try:
        os.execvp("kubectl", command)  # noqa: S606 the one that has called us
    except FileNotFoundError:
        print("kubectl is not on the PATH", file=sys.stderr)
        return ExitCode.BAD_INPUT

"""From arguments to what is shown or changed, and an exit code."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace

from populate_jobs.errors import PopulateError

from populate_operator.cli.exit_codes import ExitCode
from populate_operator.cli.outcome import outcome
from populate_operator.cli.parser import near

from . import actions, completion, logs
from .ask import Kubectl, Object, Refused
from .parser import parse
from .shells import SCRIPTS


def main(arguments: Sequence[str] | None = None) -> int:
    words = sys.argv[1:] if arguments is None else arguments
    if words and words[0] == completion.COMMAND:
        return complete(words[1:])
    return outcome(lambda: _carry_out(parse(words)), extra="kubectl", away=Refused)


def complete(arguments: Sequence[str] | None = None) -> int:
    """The program `kubectl_complete-populate`, which kubectl runs when somebody presses Tab."""
    return completion.main(sys.argv[1:] if arguments is None else arguments)


def _carry_out(args: Namespace) -> int:
    if args.command == "completion":
        print(SCRIPTS[args.shell], end="")
        return ExitCode.DONE
    kubectl = Kubectl(args.context, args.namespace, getattr(args, "all_namespaces", False))
    if args.command == "logs":
        chosen(kubectl, [word for word in args.names if "=" not in word])
        return logs.show(kubectl, args.names, args.words)
    if args.command == "top":
        from . import top

        return top.main(lambda **other: chosen(replace(kubectl, **other), args.names), once=args.once)
    found = chosen(kubectl, args.names)
    if args.command not in ("status", "errors"):
        return actions.carry_out(kubectl, found, args)
    if not found and args.output in ("table", "wide"):
        print(f"there is no PopulateJob in {kubectl.where}", file=sys.stderr)
        return ExitCode.DONE
    from . import views

    {"status": views.status, "errors": views.errors}[args.command](found, args.output)
    return ExitCode.DONE


def chosen(kubectl: Kubectl, names: Sequence[str]) -> list[Object]:
    """Those of these names, or all; raises PopulateError where one is not there."""
    found = kubectl.populatejobs()
    known = {job["metadata"]["name"] for job in found}
    for name in names:
        if name not in known:
            raise PopulateError(f"there is no PopulateJob {name} in {kubectl.where}{near(name, known)}")
    return [job for job in found if not names or job["metadata"]["name"] in names]

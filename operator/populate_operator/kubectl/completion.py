"""What Tab offers: commands, options, and what there is in the cluster. Whatever goes wrong, it offers less."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence

from .ask import RESOURCE, Kubectl, Refused
from .parser import COMMANDS, SHELLS, grammar

COMMAND = "__complete"
"""Of kubectl-populate, and of nobody's interest: the shells' scripts run it."""
_NO_FILES = ":4"
"""Last line, as kubectl's completion (cobra) wants it: offer no files in place of these."""
_PATIENCE = 3.0
"""Seconds: somebody waits for Tab."""


def main(words: Sequence[str]) -> int:
    """`words` follow `kubectl populate`; the last one is being typed and may be empty."""
    for candidate in candidates(words or [""]):
        print(candidate)
    print(_NO_FILES)
    return 0


def candidates(words: Sequence[str]) -> list[str]:
    """What the last word may become, each with a tab and what it is about where that is known."""
    *before, typed = words
    return [candidate for candidate in _possible(before, typed) if candidate.startswith(typed)]


def _possible(before: Sequence[str], typed: str) -> Iterable[str]:
    _, commands = grammar()
    if not before:
        return [f"{name}\t{summary}" for name, summary in COMMANDS.items()]
    if before[0] not in commands or "--" in before:
        return []
    options = commands[before[0]].described
    kubectl = _looking(before[1:])
    if (action := options.get(before[-1])) and action.nargs != 0:
        return _values(action, kubectl)
    if typed.startswith("-"):
        return [f"{option}\t{action.help}" for option, action in options.items()]
    if before[0] == "completion":
        return SHELLS
    return [name for name in _named(kubectl, "get", RESOURCE) if name not in before]


def _values(action: argparse.Action, kubectl: Kubectl) -> Iterable[str]:
    if action.dest == "namespace":
        return _named(Kubectl(kubectl.context, patience=_PATIENCE), "get", "namespaces")
    if action.dest == "context":
        return _named(Kubectl(patience=_PATIENCE), "config", "get-contexts")
    return [str(choice) for choice in action.choices or ()]


def _looking(before: Sequence[str]) -> Kubectl:
    """Where the line, as far as it is written, looks."""
    where = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    where.add_argument("-n", "--namespace", nargs="?")
    where.add_argument("--context", nargs="?")
    where.add_argument("-A", "--all-namespaces", action="store_true")
    args, _ = where.parse_known_args(before)
    return Kubectl(args.context, args.namespace, args.all_namespaces, _PATIENCE)


def _named(kubectl: Kubectl, *words: str) -> list[str]:
    try:
        return [line.rpartition("/")[2] for line in kubectl(*words, "--output=name").splitlines()]
    except Refused:
        return []

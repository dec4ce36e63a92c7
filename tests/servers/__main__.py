"""python -m tests.servers: start, stop and describe the shared servers."""

import argparse
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack

from . import NAMES, Unavailable, borrow
from .host import say
from .server import Server
from .shared import drop, keep, kept


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.servers", description="The database servers for tests.")
    actions = parser.add_subparsers(dest="action", required=True)
    for action, text in (
        ("up", "start servers and leave them running"),
        ("status", "say which run, and where"),
    ):
        actions.add_parser(action, help=text).add_argument("names", nargs="*", metavar="NAME", default=NAMES)
    actions.add_parser("env", help="print DJ_* variables for a shell").add_argument("name", choices=NAMES)
    actions.add_parser("down", help="stop and remove every server")
    run = actions.add_parser("run", help="run a command while all servers are up")
    run.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND")
    options = parser.parse_args()
    if options.action == "down":
        drop()
        return 0
    if options.action == "env":
        return _environment(options.name)
    if options.action == "run":
        return _run(options.command)
    return {"up": _up, "status": _status}[options.action](options.names)


def _up(names: list[str]) -> int:
    return _each(names, lambda name: print(_line(keep(name))))


def _run(command: list[str]) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # unwind: the servers are to go
    with ExitStack() as borrowed:
        return _each(NAMES, lambda name: say(_line(borrowed.enter_context(borrow(name))))) or subprocess.call(command)


def _status(names: list[str]) -> int:
    for name in names:
        server = kept(name)
        print(_line(server) if server else f"{name:15} down")
    return 0


def _environment(name: str) -> int:
    server = kept(name)
    if server is None:
        say(f"{name} is down; start it with: python -m tests.servers up {name}")
        return 1
    for variable, value in server.environment().items():
        print(f"export {variable}={shlex.quote(value)}")
    return 0


def _each(names: Iterable[str], action: Callable[[str], None]) -> int:
    """Apply the action to every server; in CI fail for one that must be there and is not."""
    failed = False
    for name in names:
        try:
            action(name)
        except Unavailable as missing:
            say(f"LEFT OUT {name}: {missing}")
            failed |= not missing.excused
    return int(failed and os.environ.get("CI") == "true")


def _line(server: Server) -> str:
    return f"{server.name:15} {server.host}:{server.port} user={server.user} password={server.password}"


if __name__ == "__main__":
    sys.exit(main())

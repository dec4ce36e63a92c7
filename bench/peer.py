"""The peer in a process of its own: waits for a line, runs DataJoint's populate, ends."""

from __future__ import annotations

import sys

from .pipeline import Analysis


def main(mode: str) -> None:
    table = Analysis()
    table.key_source  # noqa: B018 - loads the dependencies, which is start-up
    print("ready", flush=True)
    sys.stdin.readline()
    if mode == "reserving":
        table.populate(reserve_jobs=True, refresh=False)
    else:
        table.populate()


if __name__ == "__main__":
    main(sys.argv[1])

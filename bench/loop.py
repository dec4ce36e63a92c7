"""The peer's worker: DataJoint's populate in a loop, as one puts it into a Deployment.

Its argument is the import path of a table. It runs in the pipeline's image, which has nothing else of this folder.
"""

from __future__ import annotations

import importlib
import signal
import sys
import time

PAUSE_SECONDS = 1.0


def main(path: str) -> None:
    # The first process of a container is not ended by SIGTERM unless it says so; in populate DataJoint says it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    module, _, name = path.rpartition(".")
    table = getattr(importlib.import_module(module), name)()
    while True:
        table.populate(reserve_jobs=True, suppress_errors=True)
        time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    main(sys.argv[1])

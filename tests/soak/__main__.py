"""`python -m tests.soak`: prints what grew, fails if anything did or if a key was not made."""

from __future__ import annotations

import argparse
import os
import sys

from .run import run
from .samples import growths

SECONDS = "SOAK_SECONDS"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=float(os.environ.get(SECONDS, 3600.0)),
        help=f"how long (%(default)s, or ${SECONDS})",
    )  # fmt: skip
    parser.add_argument("--every", type=float, default=15.0, help="seconds from one sample to the next (%(default)s)")
    options = parser.parse_args()
    soaked = run(options.seconds, options.every)
    print(f"{'':24}{'first':>8}{'last':>8}{'most':>8}{'an hour':>10}{'at most':>9}")
    found = list(growths(soaked.samples))
    for grown in found:
        print(
            f"{grown.name:24}{grown.first:8.1f}{grown.last:8.1f}{grown.most:8.1f}"
            f"{grown.per_hour:+10.2f}{grown.limit:9.1f}{'' if grown.is_flat else '  grows'}"
        )
    print(f"keys {soaked.keys}, made {soaked.made}, begun {soaked.begun} times; {len(soaked.samples)} samples")
    return 0 if soaked.keys == soaked.made == soaked.begun and all(grown.is_flat for grown in found) else 1


if __name__ == "__main__":
    sys.exit(main())

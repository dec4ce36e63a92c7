"""`python -m tests.chaos`: breaks things while keys are made, prints what became of the keys, fails if any was lost."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import tempfile
from pathlib import Path

from .run import Plan, Verdict, run

ENGINES = ("mariadb-10.11", "mysql-9", "postgresql-15")
SECONDS = "CHAOS_SECONDS"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--engine", action="append", help=f"default: {', '.join(ENGINES)}")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=16)
    parser.add_argument("--keys", type=int, default=4_000)
    parser.add_argument(
        "--seconds", type=float, default=os.environ.get(SECONDS, 600.0),
        help=f"how long things are broken in each run, if the keys last that long (%(default)s, or ${SECONDS})",
    )  # fmt: skip
    options = parser.parse_args()
    columns = [field.name for field in dataclasses.fields(Verdict)]
    print("  ".join(columns), flush=True)
    good = True
    for engine in options.engine or ENGINES:
        for seed in range(options.seeds):
            plan = Plan(engine, seed, options.workers, options.keys, float(options.seconds))
            verdict = _one(plan)
            values = (str(getattr(verdict, column)) for column in columns)
            print(
                "  ".join(value.ljust(len(column)) for value, column in zip(values, columns, strict=True)), flush=True
            )
            good = good and verdict.good
    return 0 if good else 1


def _one(plan: Plan) -> Verdict:
    """Its folder stays where the verdict is bad."""
    folder = Path(tempfile.mkdtemp(prefix=f"chaos-{plan.engine}-{plan.seed}-"))
    verdict = run(plan, folder)
    if verdict.good:
        for path in sorted(folder.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        folder.rmdir()
    else:
        print(f"# what was said and written down: {folder}")
    return verdict


if __name__ == "__main__":
    sys.exit(main())

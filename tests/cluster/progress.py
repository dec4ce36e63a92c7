"""Says what is being done, and how long it took."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


def say(message: str) -> None:
    print(f"cluster: {message}", file=sys.stderr, flush=True)


@contextmanager
def step(doing: str) -> Iterator[None]:
    begun = time.monotonic()
    say(f"{doing} ...")
    yield
    say(f"{doing}: {time.monotonic() - begun:.1f} s")

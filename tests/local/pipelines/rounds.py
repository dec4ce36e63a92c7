"""A parent and a child table, whose makes do as each row of Source says."""

import os
import time
from pathlib import Path
from typing import Any

import datajoint as dj

schema = dj.Schema(os.environ["PIPELINE_SCHEMA"])
FOLDER = Path(os.environ["PIPELINE_FOLDER"])
LONGEST = 240.0


@schema
class Source(dj.Manual):
    definition = """
    source : int32
    ---
    conduct : varchar(16)
    """


@schema
class Made(dj.Computed):
    definition = """
    -> Source
    ---
    maker : varchar(32)
    """

    def make(self, key: dict[str, Any]) -> None:
        conduct = (Source & key).fetch1("conduct")
        if conduct == "fails":
            raise ValueError(f"source {key['source']} is broken")
        if conduct == "naps":
            time.sleep(0.1)
        if conduct == "waits":
            wait_for_leave(key["source"])
        if conduct != "nothing":
            self.insert1({**key, "maker": os.environ.get("MAKER", "")})


@schema
class Again(dj.Computed):
    definition = """
    -> Made
    """

    def make(self, key: dict[str, Any]) -> None:
        self.insert1(key)


def wait_for_leave(source: int) -> None:
    """Says that it has begun, and goes on when a file named `leave` is there."""
    (FOLDER / f"began-{source}").touch()
    deadline = time.monotonic() + LONGEST
    while not (FOLDER / "leave").exists() and time.monotonic() < deadline:
        time.sleep(0.02)

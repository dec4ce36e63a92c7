"""What the workers are measured on: a make that reads a row and writes one, and nothing else."""

from __future__ import annotations

import os
from typing import Any

import datajoint as dj

schema = dj.Schema(os.environ["BENCH_SCHEMA"])


@schema
class Recording(dj.Manual):
    definition = """
    recording : int32
    ---
    samples : int32
    """


@schema
class Analysis(dj.Computed):
    definition = """
    -> Recording
    ---
    result : int32
    made = CURRENT_TIMESTAMP(6) : datetime(6)
    """

    def make(self, key: dict[str, Any]) -> None:
        samples = (Recording & key).fetch1("samples")
        self.insert1({**key, "result": samples + 1})

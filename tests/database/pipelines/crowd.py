"""Processes that import this wait for each other, and then declare its schema and tables all at once."""

import os
import time
from pathlib import Path

import datajoint as dj

meeting, number = Path(os.environ["MEETING"]), int(os.environ["MEETING_OF"])
meeting.joinpath(str(os.getpid())).touch()
deadline = time.monotonic() + 150
while len(list(meeting.iterdir())) < number:  # without a pause, for all to begin at one moment
    assert time.monotonic() < deadline, "somebody did not come"

schema = dj.Schema(os.environ["PIPELINE_SCHEMA"])


@schema
class Subject(dj.Lookup):
    definition = "subject : int32"
    contents = ((1,), (2,))


@schema
class Trace(dj.Imported):
    definition = """
    -> Subject
    ---
    samples : <blob>
    """

    class Window(dj.Part):
        definition = """
        -> master
        start : int32
        """

    def make(self, key):
        self.insert1({**key, "samples": [1, 2, 3]})


@schema
class Rate(dj.Computed):
    definition = "-> Trace.Window"

    def make(self, key):
        self.insert1(key)


@schema
class Summary(dj.Computed):
    definition = "-> Trace"

    @property
    def key_source(self):
        return (Trace & Rate) - (Trace.Window - Rate)

    def make(self, key):
        self.insert1(key)

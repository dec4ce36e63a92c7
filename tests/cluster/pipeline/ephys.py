"""The pipeline of which the how-to pages speak, as far as they tell of it: long and short recordings."""

import os

import datajoint as dj

schema = dj.Schema("ephys")


@schema
class Recording(dj.Manual):
    definition = """
    recording : int32
    ---
    duration  : float64  # s
    """


@schema
class Sorting(dj.Computed):
    definition = """
    -> Recording
    ---
    pod : varchar(64)
    """

    def make(self, key):
        self.insert1({**key, "pod": os.environ["POD_NAME"]})

"""A lab's module that prints, warns and logs wherever it can."""

import atexit
import logging
import os
import warnings

import datajoint as dj

print("importing", end="")
os.write(1, b"straight to the file\n")
warnings.warn("deprecated since the last experiment", stacklevel=2)
logging.getLogger("lab").warning("no handler for this")
atexit.register(print, "bye")

schema = dj.Schema(os.environ["PIPELINE_SCHEMA"])


@schema
class Recording(dj.Manual):
    definition = "recording : int32"


@schema
class Analysis(dj.Computed):
    definition = "-> Recording"

    @property
    def key_source(self):
        print("computing key_source")
        return Recording()

    def make(self, key):
        self.insert1(key)

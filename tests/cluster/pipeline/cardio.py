"""The pipeline of which the how-to pages speak, as far as they tell of it: heart rates of sessions."""

import os
import time

import datajoint as dj
from lab import ask_aside

schema = dj.Schema("cardio")


@schema
class Session(dj.Manual):
    definition = """
    subject_id   : int32
    session_date : date
    ---
    beats        : int32  # 0 while the recording goes on
    """


@schema
class HeartRate(dj.Computed):
    definition = """
    -> Session
    ---
    beats : int32
    pod   : varchar(64)
    """

    def make(self, key):
        question = f"SELECT beats FROM {Session().full_table_name} WHERE subject_id = %s AND session_date = %s"
        while not (beats := ask_aside(question, (key["subject_id"], key["session_date"])).fetchone()[0]):
            time.sleep(0.1)
        self.insert1({**key, "beats": beats, "pod": os.environ.get("POD_NAME", "")})

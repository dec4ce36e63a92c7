"""Everything a make may be: tripartite, with part tables and arguments, with keys of every type.

Environment: PIPELINE_SCHEMA names the schema, PIPELINE_FOLDER is where makes write what they were given.
"""

import datetime
import decimal
import os
import pathlib
import uuid

import datajoint as dj

dj.config["jobs.add_job_metadata"] = True
dj.config["jobs.version_method"] = "git"
dj.config["provenance.capture"] = True

schema = dj.Schema(os.environ["PIPELINE_SCHEMA"])
folder = pathlib.Path(os.environ["PIPELINE_FOLDER"])

MYSQL = os.environ["DJ_BACKEND"] == "mysql"
MORE = "moment : datetime(3)\nkind : enum('rest','run fast')\ndevice : uuid"
"""DataJoint cannot queue such keys on PostgreSQL."""


more = {"moment": datetime.datetime(2024, 1, 1, 2, 3, 4, 567000), "kind": "run fast", "device": uuid.UUID(int=7)}


@schema
class Recording(dj.Lookup):
    definition = f"""
    subject : varchar(30)
    day     : date
    dose    : decimal(6,2)
    trial   : int64
    {MORE if MYSQL else ""}
    """
    contents = (
        {
            "subject": subject,
            "day": datetime.date(2024, 1, 1),
            "dose": decimal.Decimal("1.50"),
            "trial": 2**40,
            **(more if MYSQL else {}),
        }
        for subject in ("o'Neill 5% a:b", 'say "x"', "mäuse")
    )


@schema
class Note(dj.Manual):
    definition = """
    note : varchar(30)
    """


@schema
class Spectrum(dj.Computed):
    definition = """
    -> Recording
    ---
    total : float64
    """

    class Band(dj.Part):
        definition = """
        -> master
        band : int32
        ---
        power : float64
        """

    def make_fetch(self, key, **kwargs):
        assert (Recording & key).fetch1("KEY") == key
        return (kwargs.get("bands", 1),)

    def make_compute(self, key, bands):
        assert not self.connection.in_transaction
        return ([float(band) for band in range(bands)],)

    def make_insert(self, key, powers):
        assert self.connection.in_transaction
        self.insert1({**key, "total": sum(powers)})
        self.Band.insert({**key, "band": band, "power": power} for band, power in enumerate(powers))
        Note.insert1({"note": key["subject"]})
        (folder / f"key-{len(key['subject'])}").write_text(repr(dict(key)))

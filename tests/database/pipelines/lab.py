"""Subjects and their sessions, and tables computed from them by every kind of key_source."""

import os

import datajoint as dj

schema = dj.Schema()

SUBJECTS = [(1, 20.5, "wild type"), (2, 31.0, "100% pure"), (3, 25.0, "it's: new"), (83, 40.0, "wild type")]
SESSIONS = [
    (1, "first"), (1, "50% done"), (1, "it's late"), (2, "a:b"), (2, "first"), (3, 'say "hi"'), (83, "first"),
    (83, "ünï"),
]  # fmt: skip


def activate(name, connection=None):
    schema.activate(name, connection=connection)
    fill(Subject, SUBJECTS)
    fill(Session, [(subject, session, subject % 2) for subject, session in SESSIONS])
    fill(Visit, [(subject, session, subject % 3) for subject, session in SESSIONS[:4]])


def fill(table, rows):
    names = table.heading.names
    table.insert([dict(zip(names, row, strict=True)) for row in rows], skip_duplicates=True)


@schema
class Subject(dj.Manual):
    definition = """
    subject_id : int32
    ---
    weight : float64
    strain : varchar(30)
    """


@schema
class Session(dj.Manual):
    definition = """
    -> Subject
    session : varchar(30)
    ---
    status : int32   # as the jobs table calls one of its columns too
    """


@schema
class Visit(dj.Manual):
    definition = """
    -> Session
    ---
    site : int32
    """

    class Sample(dj.Part):
        definition = """
        -> master
        sample : int16
        """


@schema
class Unrelated(dj.Lookup):
    definition = "colour : varchar(10)"
    contents = ({"colour": "red"},)


class Makes:
    def make(self, key):
        self.insert1(key)


@schema
class HeartRate(Makes, dj.Computed):
    definition = """
    -> Session
    """

    class Beat(dj.Part):
        definition = """
        -> master
        beat : int32
        """


@schema
class Renamed(Makes, dj.Computed):
    definition = """
    -> Subject.proj(later='subject_id')
    -> Session.proj(earlier='subject_id')
    """


@schema
class Joined(Makes, dj.Imported):
    definition = """
    -> Session
    """

    @property
    def key_source(self):
        return Session * Visit.proj()


@schema
class Filtered(Makes, dj.Computed):
    definition = """
    -> Session
    """

    @property
    def key_source(self):
        return Session & (Subject & "strain like '100%' or weight < 30") & "session <> 'a:b'"


@schema
class Aggregated(Makes, dj.Computed):
    definition = """
    -> Subject
    """

    @property
    def key_source(self):
        return Subject.aggr(HeartRate.Beat, beats="count(beat)") * Subject.aggr(Session, n="count(session)") & "n > 1"


@schema
class Grouped(Makes, dj.Computed):
    definition = """
    -> Subject
    """

    @property
    def key_source(self):
        return Subject.aggr(Session, n="count(session)") & "n > 1"


@schema
class Universal(Makes, dj.Computed):
    definition = """
    -> Subject
    """

    @property
    def key_source(self):
        return dj.U("subject_id") & Session


@schema
class United(Makes, dj.Computed):
    definition = """
    -> Session
    """

    @property
    def key_source(self):
        return (Session & "subject_id = 1").proj() + Visit.proj()


@schema
class Given(Makes, dj.Computed):
    definition = """
    -> Session
    """

    key_source = Visit


@schema
class Calculated(Makes, dj.Computed):
    definition = """
    -> Session
    """

    @property
    def key_source(self):
        return Session.proj(twice="subject_id * 2") & "twice > 4"


@schema
class Newest(Makes, dj.Computed):
    definition = """
    -> Session
    """

    @property
    def key_source(self):
        return Session & dj.Top(3, "subject_id DESC")


if "PIPELINE_SCHEMA" in os.environ:
    activate(os.environ["PIPELINE_SCHEMA"])

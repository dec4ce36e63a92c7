"""A pipeline that connects as it likes: PIPELINE_LOGIN names the way, PIPELINE_USER and PIPELINE_PASSWORD are whose.

PIPELINE_SCHEMA names the schema.
"""

import os

import datajoint as dj

HOST, USER, PASSWORD = (os.environ[name] for name in ("DJ_HOST", "PIPELINE_USER", "PIPELINE_PASSWORD"))


def instance():
    """As where DJ_THREAD_SAFE forbids what is global."""
    database = {"database__name": os.environ["DJ_DATABASE_NAME"]} if "DJ_DATABASE_NAME" in os.environ else {}
    return dj.Instance(
        host=HOST,
        port=int(os.environ["DJ_PORT"]),
        user=USER,
        password=PASSWORD,
        backend=os.environ["DJ_BACKEND"],
        **database,
    ).connection


def conn():
    return dj.conn(HOST, USER, PASSWORD)


def config():
    dj.config["database.user"], dj.config["database.password"] = USER, PASSWORD
    return None


schema = dj.Schema(os.environ["PIPELINE_SCHEMA"], connection=globals()[os.environ["PIPELINE_LOGIN"]]())


@schema
class Item(dj.Manual):
    definition = """
    item : int32
    ---
    behaviour : varchar(200)
    """


@schema
class Made(dj.Computed):
    definition = """
    -> Item
    ---
    maker : varchar(200)
    """

    def make(self, key):
        self.insert1({**key, "maker": self.connection.query("SELECT CURRENT_USER").fetchone()[0]})

"""A pipeline whose makes do as each row of Item says. Makes and tests meet in the database.

Environment: LAB_SCHEMA names the schema, LAB_MAKER is written to what is made, LAB_BROKEN breaks the import.
"""

import functools
import os
import signal
import time
import uuid

import datajoint as dj

if "LAB_BROKEN" in os.environ:
    raise ImportError(os.environ["LAB_BROKEN"])

schema = dj.Schema()


@schema
class Item(dj.Manual):
    definition = """
    item : int32
    ---
    behaviour : varchar(16)
    """


@schema
class Leave(dj.Manual):
    definition = """
    # Items whose make need not wait any longer
    item : int32
    """


@schema
class Start(dj.Manual):
    definition = """
    # Every time that a make was begun, whatever became of it
    start : varchar(32)
    ---
    moment : float64  # s since 1970
    item   : int32
    pod    : varchar(64)
    """


@schema
class Made(dj.Computed):
    definition = """
    -> Item
    ---
    pod   : varchar(64)
    maker : varchar(16)
    """

    def make(self, key):
        pod = os.environ["POD_NAME"]
        row = (uuid.uuid4().hex, time.time(), key["item"], pod)
        ask_aside(f"INSERT INTO {Start().full_table_name} (start, moment, item, pod) VALUES (%s, %s, %s, %s)", row)
        behaviour, *arguments = (Item & key).fetch1("behaviour").split()
        BEHAVIOURS[behaviour](key["item"], *arguments)
        self.insert1({**key, "pod": pod, "maker": os.environ.get("LAB_MAKER", "")})


@schema
class Reviewed(dj.Computed):
    definition = """
    -> Made
    """

    def make(self, key):
        self.insert1(key)


def ask_aside(query, values):
    """On a new session where the one before was lost."""
    try:
        return aside().query(query, values)
    except Exception:
        aside.cache_clear()
        return aside().query(query, values)


@functools.lru_cache
def aside():
    """A session beside the one whose transaction make runs in."""
    login = dj.conn().conn_info
    return dj.Connection(
        *(login[name] for name in ("host", "user", "passwd", "port")),
        use_tls=False,
        database_name=login["database_name"],
        backend=dj.conn().adapter.backend,
    )


def insert(item):
    pass


def nap(item):
    time.sleep(0.2)


def sleep(item, seconds):
    time.sleep(float(seconds))


def wait(item):
    """Until a row of Leave lets it go."""
    print("waits", flush=True)
    question = f"SELECT count(*) FROM {Leave().full_table_name} WHERE item = %s"
    while not ask_aside(question, (item,)).fetchone()[0]:
        time.sleep(0.1)


def fail(item):
    raise ValueError(f"item {item} is broken")


def hog(item):
    """Uses more memory than there is."""
    hoard = []
    while True:
        hoard.append(b"x" * (1 << 24))


def strike(item):
    """Takes the worker's own process along, as the kernel does for want of memory."""
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(3600)


BEHAVIOURS = {behaviour.__name__: behaviour for behaviour in (insert, nap, sleep, wait, fail, hog, strike)}

if "LAB_SCHEMA" in os.environ:
    schema.activate(os.environ["LAB_SCHEMA"])

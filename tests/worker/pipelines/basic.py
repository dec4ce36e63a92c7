"""A pipeline whose makes do as they are told.

Environment: PIPELINE_SCHEMA names the schema; PIPELINE_FOLDER is where makes and tests meet;
PIPELINE_BROKEN is why this module cannot be imported; PIPELINE_IMPORTED is the file that its import waits for.
"""

import atexit
import contextlib
import ctypes
import os
import pathlib
import signal
import subprocess
import sys
import time

import datajoint as dj

if "PIPELINE_BROKEN" in os.environ:
    raise ImportError(os.environ["PIPELINE_BROKEN"])

while "PIPELINE_IMPORTED" in os.environ and not os.path.exists(os.environ["PIPELINE_IMPORTED"]):
    time.sleep(0.01)

schema = dj.Schema(os.environ["PIPELINE_SCHEMA"])
folder = pathlib.Path(os.environ["PIPELINE_FOLDER"])


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
    pid : int32
    bulk = null : varchar(10000)
    """

    def make(self, key, **kwargs):
        note("start", key)
        behaviour, *words = (Item & key).fetch1("behaviour").split(":")
        if BEHAVIOURS[behaviour](self, key, *words, **kwargs) not in (NOTHING, INSERTED):
            self.insert1({**key, "pid": os.getpid()})
        note("return", key)


NOTHING, INSERTED = "nothing", "inserted"
"""Returned by a behaviour after which make inserts nothing, or nothing more."""


def note(what, key):
    """A line in the ledger: `start` or `return`, item, process."""
    with open(folder / "ledger", "a") as ledger:
        ledger.write(f"{what} {key['item']} {os.getpid()}\n")


def meet(key):
    """Makes the file in-ITEM and waits for go-ITEM, or for go-ITEM-PROCESS where it alone is to go on."""
    (folder / f"in-{key['item']}").touch()
    ours = folder / f"go-{key['item']}", folder / f"go-{key['item']}-{os.getpid()}"
    while not any(go.exists() for go in ours):
        time.sleep(0.01)


def insert(table, key, **kwargs):
    pass


def nothing(table, key):
    return NOTHING


def wait(table, key, **kwargs):
    meet(key)


def commit(table, key):
    """Inserts, and waits before the transaction is committed."""
    table.insert1({**key, "pid": os.getpid()})
    meet(key)
    return INSERTED


def bulk(table, key):
    """Inserts a row that needs room of its own."""
    table.insert1({**key, "pid": os.getpid(), "bulk": "b" * 10000})
    return INSERTED


def fail(table, key, message="too few beats"):
    raise ValueError(message)


def fail_once(table, key):
    """As a lock wait does."""
    if not (folder / f"failed-{key['item']}").exists():
        (folder / f"failed-{key['item']}").touch()
        raise RuntimeError("(1205, 'Lock wait timeout exceeded')")


def leave(table, key):
    sys.exit(3)


def exit(table, key):
    os._exit(3)


def segfault(table, key):
    ctypes.string_at(0)


def killed(table, key):
    os.kill(os.getpid(), signal.SIGKILL)


def killed_in_company(table, key):
    """As the kernel does to the one of several makes that has most memory."""
    if not (folder / f"killed-{key['item']}").exists():
        (folder / f"killed-{key['item']}").touch()
        os.kill(os.getpid(), signal.SIGKILL)


def strikes(table, key):
    """As a script in make does that ends its process group."""
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(1000)


def forks(table, key):
    """With an error that leaves the child's part of it."""
    child = os.fork()
    if not child:
        raise ValueError("in the child")
    os.waitpid(child, 0)


def leaves_something(table, key):
    """What is to be done when Python ends."""
    atexit.register((folder / f"left-{key['item']}").touch)
    meet(key)


def endless(table, key):
    while True:
        time.sleep(1)


def stubborn(table, key):
    """Lets nothing end it but SIGKILL."""
    meet_stubbornly = True
    (folder / f"in-{key['item']}").touch()
    while meet_stubbornly:
        with contextlib.suppress(BaseException):
            time.sleep(1)


def cleans_up(table, key):
    try:
        meet(key)
    finally:
        (folder / f"cleaned-{key['item']}").touch()


def hog(table, key):
    """Uses all the memory that there is: for a control group with a limit."""
    hoard = []
    while True:
        hoard.append(bytearray(os.urandom(1 << 20)))


def leaves_a_child(table, key):
    child = subprocess.Popen(["sleep", "1000"])
    (folder / "child").write_text(str(child.pid))
    os.kill(os.getpid(), signal.SIGSEGV)


def lose_connection(table, key):
    """Has the server end its session, the first time."""
    (folder / f"session-{key['item']}").write_text(str(table.connection.query(SESSION).fetchone()[0]))
    meet(key)


SESSION = {"mysql": "SELECT CONNECTION_ID()", "postgresql": "SELECT pg_backend_pid()"}[os.environ["DJ_BACKEND"]]


def speak(table, key):
    """By every way there is to the standard output and error."""
    print("printed", key["item"])
    print("to stderr", key["item"], file=sys.stderr)
    dj.logger.warning("logged %s", key["item"])
    ctypes.CDLL(None).puts(f"from C {key['item']}".encode())
    subprocess.run(["echo", f"from a child {key['item']}"], check=True)
    os.write(1, b"\xff\x00garbage\n")
    os.write(1, b"x" * 50_000 + b"\n")
    os.write(1, b"10%\r50%\r100%\n")
    os.write(1, f"no newline {key['item']}".encode())


def told(table, key, **kwargs):
    """Writes down the make_kwargs."""
    (folder / f"kwargs-{key['item']}").write_text(repr(sorted(kwargs.items())))


BEHAVIOURS = {name: value for name, value in list(globals().items()) if callable(value)}

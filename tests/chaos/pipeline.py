"""A pipeline that keeps a ledger outside of its database: every start of a make, and every commit that was answered.

Environment: CHAOS_SCHEMA, CHAOS_LEDGER (a folder; each process appends to a file of its own), CHAOS_MAKE_SECONDS.
"""

import os
import time
import uuid
from pathlib import Path
from typing import Any

import datajoint as dj

LEDGER = Path(os.environ["CHAOS_LEDGER"]) / f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
SECONDS = float(os.environ["CHAOS_MAKE_SECONDS"])

schema = dj.Schema(os.environ["CHAOS_SCHEMA"])


@schema
class Item(dj.Manual):
    definition = """
    item : int32
    """


@schema
class Made(dj.Computed):
    definition = """
    -> Item
    ---
    attempt : varchar(32)
    """

    def make(self, key: dict[str, Any]) -> None:
        attempt = uuid.uuid4().hex
        write("start", key["item"], attempt)
        time.sleep(SECONDS)
        self.insert1({**key, "attempt": attempt})
        committing.update(item=key["item"], attempt=attempt)


committing: dict[str, Any] = {}
"""What the next commit is of."""


def write(event: str, item: int, attempt: str) -> None:
    with LEDGER.open("a") as file:
        file.write(f"{event} {item} {attempt}\n")


def record_commits(connection: Any) -> None:
    commit = connection.commit_transaction

    def recorded() -> None:
        commit()
        if committing:
            write("commit", **committing)
            committing.clear()

    connection.commit_transaction = recorded


record_commits(schema.connection)

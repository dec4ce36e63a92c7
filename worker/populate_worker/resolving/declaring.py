"""What DataJoint declares when the lab's code is imported, by one process at a time.

DataJoint looks whether a schema or table is there, and makes it where it is not. Of several processes that import a
pipeline for the first time the server refuses some what another has just made; others find a table whose comments and
~lineage rows are not written yet, and keep that for as long as they live: their joins fail, their blobs stay bytes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import datajoint as dj
from datajoint.heading import Heading
from datajoint.table import Table
from populate_jobs import DatabaseSettings, turn

from populate_worker.wrapping import wrapped


@contextlib.contextmanager
def in_turns(settings: DatabaseSettings) -> Iterator[None]:
    """While it lasts, what has to be declared waits for others of ours that declare; what is there costs nothing."""

    def declare(table: Any, declare: Callable[..., None], *args: Any, **options: Any) -> None:
        with turn(settings):
            if not table.is_declared:  # by now
                declare(table, *args, **options)

    def refresh_lineage(table: Any, refresh: Callable[..., None], *args: Any, **options: Any) -> None:
        """DataJoint calls it where the heading lacks what is written last, and keeps that heading."""
        with turn(settings):
            refresh(table, *args, **options)
            type(table)._heading = Heading(table_info=table.heading.table_info)
            table.primary_key  # noqa: B018 reads the heading

    with (
        wrapped(dj.Schema, "activate", _activate),
        wrapped(Table, "declare", declare),
        wrapped(Table, "_refresh_lineage", refresh_lineage),
    ):
        yield


def _activate(schema: Any, activate: Callable[..., None], *args: Any, **options: Any) -> None:
    try:
        activate(schema, *args, **options)
    except Exception:
        if not _was_made_meanwhile(schema):
            raise
        schema.database = None
        activate(schema, *args, **options)


def _was_made_meanwhile(schema: Any) -> bool:
    """DataJoint did not come to the end, where it registers the schema, and it is there."""
    return bool(schema.database and schema.database not in schema.connection.schemas and schema.exists)

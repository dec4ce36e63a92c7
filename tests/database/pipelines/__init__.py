"""Small DataJoint pipelines, as a lab would write them: each module has a schema and `activate`.

Imported by path they activate themselves under $PIPELINE_SCHEMA; `load` gives a copy for one connection.
"""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType
from typing import TYPE_CHECKING

import datajoint as dj

if TYPE_CHECKING:
    from tests.servers import Server


def connect(server: Server) -> dj.Connection:
    """DataJoint's own connection, beside the one it shares with everybody."""
    return dj.Connection(
        server.host, server.user, server.password, server.port, use_tls=False,
        database_name=server.database or None, backend=server.backend,
    )  # fmt: skip


def load(pipeline: str, schema: str, connection: dj.Connection) -> ModuleType:
    """A fresh copy of the module `pipeline`, importable as `schema`, whose classes live on this connection."""
    spec = importlib.util.find_spec(f"{__name__}.{pipeline}")
    assert spec
    assert spec.origin
    copy = importlib.util.spec_from_file_location(schema, spec.origin)
    assert copy
    assert copy.loader
    module = importlib.util.module_from_spec(copy)
    sys.modules[schema] = module
    copy.loader.exec_module(module)
    module.activate(schema, connection)
    return module

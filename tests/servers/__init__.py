"""Real database servers for tests: MariaDB 10.11, MySQL 9, PostgreSQL 15 and 18.

`borrow(name)` gives the server that a machine's test runs share, `serve(name)` one to be stopped and killed at will.
From a shell: `python -m tests.servers up | down | status | env NAME | run COMMAND`.
"""

from .catalog import PRODUCTS, TOO_OLD
from .host import Unavailable
from .server import Server
from .shared import borrow, discard, keep, kept, serve

NAMES = tuple(name for name in PRODUCTS if name != TOO_OLD)

__all__ = ["NAMES", "TOO_OLD", "Server", "Unavailable", "borrow", "discard", "keep", "kept", "serve"]

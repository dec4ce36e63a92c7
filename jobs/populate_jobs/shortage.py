"""How servers and poolers say that they are there, and have no connection free."""

from __future__ import annotations

import re

_SIGNS = re.compile(
    r"\(1040\b|max_user_connections|too many (connections|clients)|remaining connection slots|no more connections", re.I
)


def is_shortage(error: BaseException) -> bool:
    """By its text: libpq gives no SQLSTATE for a connection that was refused."""
    return bool(_SIGNS.search(str(error)))

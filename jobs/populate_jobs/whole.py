"""Numbers that a server answers where it was asked to count."""

from __future__ import annotations

import decimal
from typing import Any

from .errors import DatabaseError

_MOST = 2**63


def whole(value: Any) -> int:
    """As a server counts: what is more than 64 bits hold would take minutes to convert, and hold everything up."""
    if isinstance(value, (int, decimal.Decimal)) and 0 <= value < _MOST:
        return int(value)
    raise DatabaseError(f"the server answered with a {type(value).__name__} that is no count")

"""Loads the named statements of a dialect from its .sql file."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@functools.cache
def statements(dialect: str) -> Mapping[str, str]:
    """Name to SQL, for `mysql` or `postgresql`; comment lines are left in the file."""
    text = resources.files(__package__).joinpath("sql", f"{dialect}.sql").read_text(encoding="utf-8")
    _, *parts = _NAME.split(text)
    blocks = dict(zip(parts[::2], parts[1::2], strict=True))
    return MappingProxyType({name: _without_comments(block) for name, block in blocks.items()})


def _without_comments(block: str) -> str:
    return "\n".join(line for line in block.splitlines() if not line.startswith("--")).strip()

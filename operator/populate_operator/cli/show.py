"""Tables for people, JSON and YAML for programs, on standard output."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from populate_jobs import Key

from populate_operator.plan.status import plain
from populate_operator.text import printable


def as_data(value: Any, form: str) -> None:
    """`form` is json or yaml."""
    if form == "json":
        print(json.dumps(value, indent=2, ensure_ascii=False))
    else:
        import yaml

        print(yaml.safe_dump(value, sort_keys=False, allow_unicode=True), end="")


def as_table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, wide: str = "") -> None:
    """Columns of numbers to the right; the one named `wide` may be broken into lines. Piped, nothing is cut."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for position, column in enumerate(columns):
        right = all(isinstance(row[position], int) for row in rows) and bool(rows)
        table.add_column(column, justify="right" if right else "left", overflow="fold", no_wrap=column != wide)
    for row in rows:
        table.add_row(*(Text(printable(str(cell))) for cell in row))
    Console(width=None if sys.stdout.isatty() else 1000, highlight=False).print(table)


def counted(count: int, become: str, args: argparse.Namespace) -> str:
    """`3 keys are pending again`; or that no key has such an error, where keys were chosen by that alone."""
    if count or getattr(args, "key", None):
        return f"{count} {'key is' if count == 1 else 'keys are'} {become}"
    return "no key has an error" + (f" with {printable(args.match)!r} in its message" if args.match else "")


def key_text(key: Key) -> str:
    return ", ".join(f"{name}={plain(value)}" for name, value in key.items())


def key_json(key: Key) -> Mapping[str, Any]:
    return {name: plain(value) for name, value in key.items()}

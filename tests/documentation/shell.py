"""Console blocks: what is typed, and what is shown for it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

PROMPT = "$ "
SEPARATORS = frozenset({"|", "||", "&&", ";", "(", ")", "<(", "&"})
ASSIGNMENT = re.compile(r"^[A-Za-z_]\w*=")


@dataclass(frozen=True)
class Typed:
    command: str
    shown: tuple[str, ...]
    """Lines of output, with `…` for what differs from run to run."""


def typed(text: str) -> Iterator[Typed]:
    """Raises AssertionError where a block begins with output."""
    command, goes_on = "", False
    shown: list[str] = []
    for line in text.splitlines():
        if goes_on:
            command += line + "\n"
        elif line.startswith(PROMPT):
            if command:
                yield Typed(command, tuple(shown))
            command, shown = line.removeprefix(PROMPT) + "\n", []
        elif line.strip():
            assert command, f"a console block begins with a command, `$ ...`: {line}"
            shown.append(line)
        goes_on = command.endswith("\\\n") and not shown
    if command:
        yield Typed(command, tuple(shown))


def commands(line: str) -> Iterator[list[str]]:
    """The simple commands of a line, without assignments before them and redirections."""
    lexer = shlex.shlex(line.replace("\\\n", " "), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    skip = False
    for word in lexer:
        if word in SEPARATORS:
            yield from [words] if words else []
            words = []
        elif set(word) <= set("<>&"):
            skip = True
        elif skip:
            skip = False
        elif words or not ASSIGNMENT.match(word):
            words.append(word)
    yield from [words] if words else []

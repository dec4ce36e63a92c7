"""What makes print, as lines of the worker's log, each with the key that it belongs to."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator

LONGEST_LINE = 16 * 1024
"""Bytes; longer lines go out in pieces."""

_LONGEST_MARKER = 4 * 1024
"""What a pipe takes in one piece, so that a marker is never torn."""


def new_marker() -> bytes:
    """Begins a line that says which key follows: a control character and a word that no output holds by chance."""
    return b"\x1e" + secrets.token_hex(8).encode() + b" "


class Tagger:
    """Cuts a runner's output into lines and puts the key in front of each. No I/O."""

    def __init__(self, marker: bytes, tag: str) -> None:
        self._boundary = re.compile(rb"\n|" + re.escape(marker) + rb"([^\n]*)\n")
        self._rest = b""
        self._idle_tag = tag
        self._tag = tag

    def feed(self, data: bytes) -> Iterator[str]:
        """Lines, without their ends, that `data` completes."""
        data = self._rest + data
        start = 0
        for boundary in self._boundary.finditer(data):
            line, start = data[start : boundary.start()], boundary.end()
            if line or boundary[1] is None:
                yield from self._lines(line)
            if boundary[1] is not None:
                self._tag = boundary[1].decode(errors="replace") or self._idle_tag
        self._rest = data[start:]
        while len(self._rest) > LONGEST_LINE + _LONGEST_MARKER:
            yield from self._lines(self._rest[:LONGEST_LINE])
            self._rest = self._rest[LONGEST_LINE:]

    def end(self) -> Iterator[str]:
        """What is left when the runner is gone."""
        rest, self._rest = self._rest, b""
        if rest:
            yield from self._lines(rest)

    def _lines(self, line: bytes) -> Iterator[str]:
        # A progress bar writes over its line again and again; a terminal shows the last of it.
        line = line.rstrip(b"\r").rpartition(b"\r")[2]
        for start in range(0, max(1, len(line)), LONGEST_LINE):
            text = line[start : start + LONGEST_LINE].decode(errors="backslashreplace")
            yield f"[{self._tag}] {text}"

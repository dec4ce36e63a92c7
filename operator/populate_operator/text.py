"""Text that others wrote, a database or an image, before it is shown."""

from __future__ import annotations

UNPRINTABLE = "\N{REPLACEMENT CHARACTER}"
LONGEST_LINE = 10_000


def printable(text: str) -> str:
    """Without what would be a command to a terminal, or turn its text around; lines stay."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() or letter == "\n" else UNPRINTABLE for letter in text)


def one_line(text: str) -> str:
    """Without line breaks, too: in a log it cannot pass for a line of its own."""
    return printable(" ".join(text[:LONGEST_LINE].split()))

"""Cells of a table on a terminal: a PopulateJob's keys as a bar, and numbers."""

from __future__ import annotations

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

from .numbers import Numbers

SHORTEST_BAR, LONGEST_BAR = 8, 48


class Bar:
    """Made, failed, ignored and running keys side by side, of all there are; the rest is thin, for want of colours."""

    def __init__(self, count: Numbers) -> None:
        self._total = max(count.total or 0, 1)
        self._parts = (
            (count.done, "green"),
            (count.error, "red"),
            (count.ignored, "yellow"),
            (count.reserved, "cyan"),
        )

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        width = min(options.max_width, LONGEST_BAR)
        used = reached = 0
        for keys, colour in self._parts:
            reached += keys
            cells = min(width, -(-reached * width // self._total) if keys else used) - used
            if reached < self._total and used + cells == width:
                cells -= 1
            yield Segment("━" * max(cells, 0), Style(color=colour))
            used += max(cells, 0)
        yield Segment("─" * (width - used), Style(color="grey23"))

    def __rich_measure__(self, _: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(SHORTEST_BAR, min(options.max_width, LONGEST_BAR))


def number(number: int, style: str = "") -> Text:
    """Nothing to see stays in the background."""
    return Text(str(number), style) if number else Text("0", "dim")

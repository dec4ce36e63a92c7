"""A run on a terminal: one row for each PopulateJob, drawn anew as it changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.live import Live as RichLive
from rich.measure import Measurement
from rich.segment import Segment
from rich.style import Style
from rich.table import Table
from rich.text import Text

from . import closing, words
from .populating import Populating
from .run import Ending

_COLUMNS = {"made": 9, "pending": 7, "running": 7, "errors": 6, "workers": 7, "pace": 8}
"""With their least widths, so that the bars do not shift as numbers grow."""
_WIDE = 96
_LEFT_OUT_WHERE_NARROW = frozenset({"workers", "pace"})
_LAST_WIDTH = 10
_SHORTEST_BAR, _LONGEST_BAR = 8, 48


class Bar:
    """Made, failed, ignored and running keys side by side, of all there are."""

    def __init__(self, count: words.Numbers) -> None:
        self._total = max(count.total or 0, 1)
        self._parts = (
            (count.done, "green"),
            (count.error, "red"),
            (count.ignored, "yellow"),
            (count.reserved, "cyan"),
        )

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        width = min(options.max_width, _LONGEST_BAR)
        used = reached = 0
        for keys, colour in self._parts:
            reached += keys
            cells = min(width, -(-reached * width // self._total) if keys else used) - used
            if reached < self._total and used + cells == width:
                cells -= 1
            yield Segment("━" * max(cells, 0), Style(color=colour))
            used += max(cells, 0)
        yield Segment("━" * (width - used), Style(color="grey23"))

    def __rich_measure__(self, _: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(_SHORTEST_BAR, min(options.max_width, _LONGEST_BAR))


class Live:
    def __init__(self, flags: str, console: Console | None = None) -> None:
        """`flags` are those by which other commands find the same manifest and database."""
        self._flags = flags
        self._console = console or Console(highlight=False)
        self._live = RichLive(console=self._console, auto_refresh=False)
        self._told = ""

    def begin(self, jobs: Sequence[Populating], databases: Sequence[str], notes: Sequence[str]) -> None:
        for note in notes:
            self._line("note", note)
        for database in databases:
            self._line("database", database)
        self._line("look into it", f"populate exec {self._flags} -- python")
        self._line("logs", str(jobs[0].logs))
        self._line("to stop", "Ctrl-C once drains, twice stops")
        self._console.print()
        self._live.start()

    def show(self, jobs: Sequence[Populating], _now: datetime) -> None:
        self._live.update(Group(_table(jobs, self._console.width), *_complaints(jobs), self._told), refresh=True)

    def say(self, text: str) -> None:
        self._told = text

    def end(self, jobs: Sequence[Populating], ending: Ending, left: str) -> None:
        self._live.update(_table(jobs, self._console.width), refresh=True)
        self._live.stop()
        self._console.print()
        for line in closing.lines(jobs, ending, left, self._flags):
            self._console.print(Text(line))

    def _line(self, name: str, text: str) -> None:
        self._console.print(Text.assemble((f"{name:<14}", "dim"), text), soft_wrap=True)


def _table(jobs: Sequence[Populating], width: int) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("", no_wrap=True, style="bold")
    table.add_column("", min_width=_SHORTEST_BAR, max_width=_LONGEST_BAR, ratio=1)
    shown = [name for name in _COLUMNS if width >= _WIDE or name not in _LEFT_OUT_WHERE_NARROW]
    for name in shown:
        table.add_column(name, justify="right", min_width=_COLUMNS[name], no_wrap=True)
    table.add_column("", min_width=_LAST_WIDTH, no_wrap=True)
    for job in jobs:
        count, cells = _row(job)
        table.add_row(job.name, Bar(count), *(cells[name] for name in shown), _end(job))
    return table


def _row(job: Populating) -> tuple[words.Numbers, dict[str, Text]]:
    status = job.plan.status if job.plan else {}
    count = words.numbers(status)
    return count, {
        "made": Text(count.progress),
        "pending": _number(count.pending + count.scheduled),
        "running": _number(count.reserved, "cyan"),
        "errors": _number(count.error, "bold red"),
        "workers": _number(len(job.crew.workers)),
        "pace": Text(words.pace(status)),
    }


def _number(number: int, style: str = "") -> Text:
    return Text(str(number), style) if number else Text("0", "dim")


def _end(job: Populating) -> Text:
    state = words.state(job)
    colour = {"complete": "green", "up to date": "green", "failed": "red"}.get(state, "yellow")
    return Text(state, colour) if state else Text(words.time_left(job.seconds_left))


def _complaints(jobs: Sequence[Populating]) -> Iterator[Text]:
    for job in jobs:
        if text := words.complaint(job):
            yield Text.assemble((f"{job.name}: ", "red"), (text, "dim"), no_wrap=True, overflow="ellipsis")

"""A run on a terminal: one row for each PopulateJob, drawn anew as it changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.console import Console, Group
from rich.live import Live as RichLive
from rich.table import Table
from rich.text import Text

from populate_operator.display.bar import LONGEST_BAR, SHORTEST_BAR, Bar, number
from populate_operator.display.numbers import Numbers, numbers, pace, time_left

from . import closing, words
from .populating import Populating
from .run import Ending

_COLUMNS = {"made": 9, "pending": 7, "running": 7, "errors": 6, "workers": 7, "pace": 8}
"""With their least widths, so that the bars do not shift as numbers grow."""
_WIDE = 96
_LEFT_OUT_WHERE_NARROW = frozenset({"workers", "pace"})
_LAST_WIDTH = 10


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
    table.add_column("", min_width=SHORTEST_BAR, max_width=LONGEST_BAR, ratio=1)
    shown = [name for name in _COLUMNS if width >= _WIDE or name not in _LEFT_OUT_WHERE_NARROW]
    for name in shown:
        table.add_column(name, justify="right", min_width=_COLUMNS[name], no_wrap=True)
    table.add_column("", min_width=_LAST_WIDTH, no_wrap=True)
    for job in jobs:
        count, cells = _row(job)
        table.add_row(job.name, Bar(count), *(cells[name] for name in shown), _end(job))
    return table


def _row(job: Populating) -> tuple[Numbers, dict[str, Text]]:
    status = job.plan.status if job.plan else {}
    count = numbers(status)
    return count, {
        "made": Text(count.progress),
        "pending": number(count.pending + count.scheduled),
        "running": number(count.reserved, "cyan"),
        "errors": number(count.error, "bold red"),
        "workers": number(len(job.crew.workers)),
        "pace": Text(pace(status)),
    }


def _end(job: Populating) -> Text:
    state = words.state(job)
    colour = {"complete": "green", "up to date": "green", "failed": "red"}.get(state, "yellow")
    return Text(state, colour) if state else Text(time_left(job.seconds_left))


def _complaints(jobs: Sequence[Populating]) -> Iterator[Text]:
    for job in jobs:
        if text := words.complaint(job):
            yield Text.assemble((f"{job.name}: ", "red"), (text, "dim"), no_wrap=True, overflow="ellipsis")

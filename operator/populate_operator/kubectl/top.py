"""All PopulateJobs on the whole screen, live; or one picture of them."""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from populate_operator.cli.exit_codes import ExitCode
from populate_operator.display.bar import LONGEST_BAR, SHORTEST_BAR, Bar, number
from populate_operator.display.numbers import clock, numbers, pace, time_left
from populate_operator.plan.conditions import some

from .ask import Object, Refused
from .views import seconds_left, verdict, where

EVERY = 2.0
"""Seconds between two looks."""
PATIENCE = 5.0
"""Seconds: a cluster that is away holds the screen, and the key q, no longer."""
PIPED_WIDTH = 160
_AROUND = 5
"""Lines besides those of PopulateJobs: two headings, what was left out, what is wrong, and one that stays free."""
_COLUMNS = {"made": 9, "pending": 7, "running": 7, "errors": 6, "workers": 7, "pace": 8, "left": 6}
"""With their least widths, so that the bars do not shift as numbers grow."""
_REASON = 24
_NARROW = 110
_LEFT_OUT_WHERE_NARROW = frozenset({"workers", "pace", "left"})

Look = Callable[..., Sequence[Object]]
"""Takes the `patience` of a Kubectl, where it is another than usual; raises Refused."""


def main(look: Look, *, once: bool) -> int:
    if once or not _is_terminal():
        console = Console(width=None if sys.stdout.isatty() else PIPED_WIDTH, highlight=False)
        console.print(picture(look(), _now(), width=console.width))
    else:
        _watch(look, Console(highlight=False))
    return ExitCode.DONE


def picture(
    jobs: Sequence[Object], now: datetime, *, width: int, height: int | None = None, trouble: str = ""
) -> RenderableType:
    """As many PopulateJobs as `height` lines hold."""
    ordered = sorted(jobs, key=lambda job: tuple(where(job).values()))
    shown = ordered if height is None else ordered[: max(1, height - _AROUND)]
    left_out = Text(f"and {len(jobs) - len(shown)} more" if len(shown) < len(jobs) else "", "dim")
    wrong = Text(trouble, "red", no_wrap=True, overflow="ellipsis")
    return Group(_summary(jobs, now), _table(shown, now, width), *filter(None, (left_out, wrong)))


def _watch(look: Look, console: Console) -> None:
    """Until the key q (or Ctrl-C). Where the cluster is away, what was seen last stays."""
    jobs, trouble = look(), ""
    with _keys() as pressed, Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            size = {"width": console.width, "height": console.height}
            live.update(picture(jobs, _now(), **size, trouble=trouble), refresh=True)
            if (keys := pressed(EVERY)) is not None and (b"q" in keys or not keys):
                return
            try:
                jobs, trouble = look(patience=PATIENCE), ""
            except Refused as error:
                trouble = f"not up to date: {str(error).splitlines()[-1]}"


def _is_terminal() -> bool:
    return sys.platform != "win32" and sys.stdin.isatty() and sys.stdout.isatty()


@contextmanager
def _keys() -> Iterator[Callable[[float], bytes | None]]:
    """A function that waits so many seconds for keys, and returns them as soon as there are some: b"" at their end.

    An interrupt is raised by it, and nowhere else: one in the middle of a picture would leave half of it behind.
    """
    import termios
    import tty

    terminal = sys.stdin.fileno()

    def pressed(seconds: float) -> bytes | None:
        ready, _, _ = select.select([interrupted, terminal], [], [], seconds)
        if interrupted in ready:
            raise KeyboardInterrupt
        return os.read(terminal, 64) if ready else None

    before = termios.tcgetattr(terminal)
    tty.setcbreak(terminal)
    try:
        with _interrupts() as interrupted:
            yield pressed
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


@contextmanager
def _interrupts() -> Iterator[int]:
    """A descriptor that can be read once there was one."""
    interrupted, interrupt = os.pipe()
    before = signal.signal(signal.SIGINT, lambda *_: os.write(interrupt, b"\0"))
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)
        os.close(interrupted)
        os.close(interrupt)


def _summary(jobs: Sequence[Object], now: datetime) -> Text:
    counts = [numbers(job.get("status", {})) for job in jobs]
    pending = some(sum(count.pending + count.scheduled for count in counts), "key")
    running, errors = (sum(getattr(count, field) for count in counts) for field in ("reserved", "error"))
    said = f"{some(len(jobs), 'PopulateJob')}: {pending} pending, {running} running, {some(errors, 'error')}"
    return Text.assemble((said, "bold"), (f"   {clock(now)}", "dim"))


def _table(jobs: Sequence[Object], now: datetime, width: int) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", expand=True)
    shared = len({job["metadata"]["namespace"] for job in jobs}) > 1
    table.add_column("", no_wrap=True, style="bold")
    table.add_column("", min_width=SHORTEST_BAR, max_width=LONGEST_BAR, ratio=1)
    shown = [name for name in _COLUMNS if width >= _NARROW or name not in _LEFT_OUT_WHERE_NARROW]
    for name in shown:
        table.add_column(name, justify="right", min_width=_COLUMNS[name], no_wrap=True)
    table.add_column("", no_wrap=True, min_width=_REASON // 2, max_width=_REASON, overflow="ellipsis")
    for job in jobs:
        cells = _cells(job, now)
        name = "/".join(where(job).values()) if shared else job["metadata"]["name"]
        table.add_row(name, Bar(numbers(job.get("status", {}))), *(cells[column] for column in shown), _state(job))
    return table


def _cells(job: Object, now: datetime) -> dict[str, Text]:
    status = job.get("status", {})
    count, workers = numbers(status), status.get("workers", {})
    return {
        "made": Text(count.progress),
        "pending": number(count.pending + count.scheduled),
        "running": number(count.reserved, "cyan"),
        "errors": number(count.error, "bold red"),
        "workers": Text("/".join(str(workers.get(which, 0)) for which in ("busy", "ready", "desired"))),
        "pace": Text(pace(status)),
        "left": Text(time_left(seconds_left(job, now))),
    }


def _state(job: Object) -> Text:
    reason, _ = verdict(job)
    conditions = job.get("status", {}).get("conditions", [])
    well = any(found["type"] == "Ready" and found["status"] == "True" for found in conditions)
    return Text(reason or "not seen yet", "green" if well else "yellow")


def _now() -> datetime:
    return datetime.now(timezone.utc)

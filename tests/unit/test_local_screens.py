"""What people see of a run, on a terminal and in a pipe."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from populate_jobs import ErrorGroup
from populate_operator.display.bar import Bar
from populate_operator.display.numbers import Numbers
from populate_operator.local import closing
from populate_operator.local.live import Live
from populate_operator.local.plain import Plain
from populate_operator.local.run import Ending
from populate_operator.plan import Plan, Problem
from populate_operator.spec import Spec
from rich.console import Console

from tests.unit.planning import NOW, SPEC, a_refresh, a_tally, after, plan_of, seen

WORKING = seen(
    refresh=a_refresh(total=120, done=40, pending=80), tally=a_tally(pending=70, reserved=2, error=3, scheduled=5)
)


@dataclass
class Shown:
    """As much of a PopulateJob as the screens look at."""

    name: str = "heart-rate"
    plan: Plan | None = None
    spec: Any = SPEC
    resolved: object = "resolved"
    refusal: Problem | None = None
    error: Exception | None = None
    is_resolving: bool = False
    latest_error: ErrorGroup | None = None
    seconds_left: float | None = 42.0
    logs: Path = Path("populate-data/logs")
    crew: Any = field(default_factory=lambda: SimpleNamespace(workers=("w1", "w2"), problem=None))
    keeper: Any = field(default_factory=lambda: SimpleNamespace(database=None, refresh_problem=None))


def drawn(width: int, *jobs: Shown) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None, legacy_windows=False)
    live = Live("-f populate.yaml", console)
    shown: Any = jobs
    live.begin(shown, ["MySQL/MariaDB at db.lab:3306 as me"], [])
    live.show(shown, NOW)
    live.end(shown, Ending.INTERRUPTED, "")
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_wide_terminal_shows_every_number() -> None:
    lines = drawn(120, Shown(plan=plan_of(SPEC, WORKING))).splitlines()
    row = next(line for line in lines if "heart-rate" in line and "━" in line)
    assert re.sub("[━─]", "", row).split() == ["heart-rate", "40/120", "75", "2", "3", "2", "42", "s"]
    assert any("populate exec -f populate.yaml -- python" in line for line in lines)
    assert all(len(line) <= 120 for line in lines if "━" in line)


def test_the_latest_error_stands_below() -> None:
    error = ErrorGroup("…", 3, "ValueError: too few beats", {"recording": 1})
    assert "heart-rate: 3 × ValueError: too few beats" in drawn(
        120, Shown(plan=plan_of(SPEC, WORKING), latest_error=error)
    )


def test_a_narrow_terminal_keeps_the_bar_and_what_matters_most() -> None:
    lines = drawn(78, Shown(plan=plan_of(SPEC, WORKING))).splitlines()
    row = next(line for line in lines if "heart-rate" in line and "━" in line)
    assert len(re.findall("[━─]", row)) >= 8
    assert re.sub("[━─]", "", row).split() == ["heart-rate", "40/120", "75", "2", "3", "42", "s"]


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        (replace(SPEC, suspend=True), "spec.suspend is true"),
        (replace(SPEC, scaling=replace(SPEC.scaling, max_workers=0)), "spec.scaling.maxWorkers is 0"),
    ],
)
def test_a_run_that_is_told_to_rest_does_not_say_that_all_is_made(spec: Spec, why: str) -> None:
    made = seen(refresh=a_refresh(total=3, done=3, pending=0), tally=a_tally())
    jobs: Any = [Shown(plan=plan_of(spec, made), spec=spec), Shown("other", plan=plan_of(SPEC, made))]
    assert list(closing.lines(jobs, Ending.FINISHED, "", "")) == [f"heart-rate: makes no key while {why}"]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (SPEC, "heart-rate: no keys: its key_source is empty"),
        (
            replace(SPEC, restriction="session > 99"),
            "heart-rate: no keys: its key_source has none that fulfils the restriction",
        ),
    ],
)
def test_a_run_that_had_nothing_to_make_says_so(spec: Spec, said: str) -> None:
    nothing = plan_of(spec, seen(refresh=a_refresh(total=0, done=0, pending=0), tally=a_tally()))
    jobs: Any = [Shown(plan=nothing, spec=spec)]
    assert list(closing.lines(jobs, Ending.FINISHED, "", "-f a.yaml")) == [said, "all made: 0 keys"]
    assert said not in list(closing.lines(jobs, Ending.REFUSED, "", "-f a.yaml"))


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        (Numbers(None, 0, 0, 0, 0, 0, 0), "          "),
        (Numbers(100, 0, 100, 0, 0, 0, 0), "          "),
        (Numbers(100, 1, 99, 0, 0, 0, 0), "g         "),
        (Numbers(100, 99, 1, 0, 0, 0, 0), "ggggggggg "),
        (Numbers(100, 100, 0, 0, 0, 0, 0), "gggggggggg"),
        (Numbers(100, 50, 20, 0, 10, 20, 0), "gggggrrc  "),
        (Numbers(100, 60, 0, 0, 0, 20, 20), "ggggggrryy"),
    ],
)
def test_the_bar_is_full_only_when_nothing_is_left(numbers: Numbers, expected: str) -> None:
    console = Console(file=io.StringIO(), width=10, force_terminal=True, color_system="truecolor")
    letters = {"green": "g", "red": "r", "yellow": "y", "cyan": "c", "grey23": " "}
    cells = "".join(
        letters[segment.style.color.name] * len(segment.text)
        for segment in Bar(numbers).__rich_console__(console, console.options)
        if segment.style and segment.style.color
    )
    assert cells == expected


def test_lines_come_when_something_happens_and_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    plain = Plain("-f populate.yaml")
    for second in range(25):
        working = seen(refresh=a_refresh(total=120, pending=120), tally=a_tally(pending=120 - second))
        plain.show([Shown(plan=plan_of(SPEC, working))], after(second))  # type: ignore[list-item]
    plain.show([Shown(plan=plan_of(SPEC, seen(refresh=a_refresh(total=9, done=9))))], after(25))  # type: ignore[list-item]
    lines = [line.split(" ", 1)[1] for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "heart-rate: 0/120 made, 120 pending, 2 workers",
        "heart-rate: 10/120 made, 110 pending, 2 workers",
        "heart-rate: 20/120 made, 100 pending, 2 workers",
        "heart-rate: up to date, 9/9 made, 2 workers",
    ]


def test_a_warning_is_told_once_a_plan(capsys: pytest.CaptureFixture[str]) -> None:
    plain = Plain("")
    failing = Shown(plan=plan_of(SPEC, seen(tally=a_tally(error=1))))
    for second in range(3):
        plain.show([failing], after(second))  # type: ignore[list-item]
    assert capsys.readouterr().out.count("KeysFailed") == 1


def test_the_end_names_what_failed_and_the_way_out(capsys: pytest.CaptureFixture[str]) -> None:
    failed = plan_of(SPEC, seen(refresh=a_refresh(total=3, done=2, error=1), tally=a_tally(error=1)))
    Plain("-f populate.yaml --data d").end([Shown(plan=failed)], Ending.FINISHED, "")  # type: ignore[list-item]
    text = capsys.readouterr().out
    assert "heart-rate: 1 key failed" in text
    assert "populate retry -f populate.yaml --data d --all" in text


def test_a_run_that_could_not_give_everything_back_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    Plain("").end([Shown()], Ending.INTERRUPTED, "the database is away")  # type: ignore[list-item]
    text = capsys.readouterr().out
    assert "the database is away" in text
    assert "nothing stays reserved" not in text

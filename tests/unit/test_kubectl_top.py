"""`kubectl populate top`: pictures, and the live screen on a terminal of its own."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from populate_operator.kubectl import main
from populate_operator.kubectl.top import picture
from rich.console import Console

from tests.terminal import INTERRUPT, WIDTH, Screen, screen
from tests.unit.fake_kubectl import FakeKubectl, finished, stalled, waiting, working
from tests.unit.planning import NOW


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeKubectl:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return FakeKubectl(tmp_path)


def drawn(*jobs: dict[str, Any], width: int = WIDTH, **more: Any) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    console.print(picture(jobs, NOW, width=width, **more))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def cells(line: str) -> list[str]:
    return re.sub("[━─]", "", line).split()


def test_every_number_stands_in_the_row_and_their_sums_above() -> None:
    summary, _, heart_rate = drawn(working())
    assert summary.startswith("1 PopulateJob: 75 keys pending, 2 running, 3 errors")
    name, made, pending, running, errors, workers, pace, *_, state = cells(heart_rate)
    assert [name, made, pending, running, errors] == ["heart-rate", "40/120", "75", "2", "3"]
    assert [workers, pace, state] == ["1/2/3", "24/min", "Populating"]
    assert re.search("━+─+", heart_rate)


def test_what_is_wrong_and_what_nobody_has_seen_is_said() -> None:
    *_, spikes, summary = drawn(stalled(), waiting())
    assert cells(spikes)[-1] == "LoginRefused"
    assert "not seen yet" in summary


def test_namespaces_are_shown_where_there_are_several() -> None:
    assert [cells(line)[0] for line in drawn(working(), finished())[2:]] == ["archive/trace", "lab/heart-rate"]


def test_a_narrow_screen_keeps_what_matters_most() -> None:
    lines = drawn(working(), waiting(), width=80)
    assert all(len(line) <= 80 for line in lines)
    assert cells(lines[2])[:5] == ["heart-rate", "40/120", "75", "2", "3"]
    assert len(re.findall("[━─]", lines[2])) >= 8
    assert "workers" not in lines[1]


def test_what_does_not_fit_is_counted() -> None:
    lines = drawn(working(), waiting(), finished(), height=7)
    assert len(lines) < 7
    assert lines[-1] == "and 1 more"


def test_once_prints_a_picture_and_ends(kubectl: FakeKubectl, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["top", "--once", "heart-rate", "trace"]) == 0
    _, _, trace, heart_rate = capsys.readouterr().out.splitlines()
    assert (cells(trace)[0], cells(heart_rate)[0]) == ("archive/trace", "lab/heart-rate")


def test_without_a_terminal_it_is_once(kubectl: FakeKubectl, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["top"]) == 0
    assert "3 PopulateJobs" in capsys.readouterr().out


@contextmanager
def top_on_a_screen() -> Iterator[Screen]:
    code = "import sys; from populate_operator.kubectl import main; sys.exit(main(['top']))"
    path = ":".join(entry for entry in sys.path if entry)
    with screen([sys.executable, "-c", code], {**os.environ, "PYTHONPATH": path}) as top:
        yield top


def test_the_screen_follows_the_cluster_until_q(kubectl: FakeKubectl) -> None:
    with top_on_a_screen() as top:
        top.until("3 PopulateJobs")
        assert not top.echoes()
        kubectl.has(working(), stalled())
        top.until("2 PopulateJobs")
        kubectl.refuses("Unable to connect to the server: no such host")
        top.until("not up to date: Unable to connect")
        top.press("q")
        assert top.exit_code() == 0
        assert top.echoes()


def test_an_interrupt_ends_it_with_130_and_gives_the_terminal_back(kubectl: FakeKubectl) -> None:
    with top_on_a_screen() as top:
        top.until("3 PopulateJobs")
        top.press(INTERRUPT)
        assert top.exit_code() == 130
        assert top.echoes()


def test_a_cluster_that_is_away_from_the_start_is_1(kubectl: FakeKubectl) -> None:
    kubectl.refuses("Unable to connect to the server: no such host")
    with top_on_a_screen() as top:
        top.until("Unable to connect to the server")
        assert top.exit_code() == 1

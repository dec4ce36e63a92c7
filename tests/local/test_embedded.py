"""The database in the data folder: there for whoever uses it, gone when nobody does, with its data kept."""

from __future__ import annotations

import contextlib
from pathlib import Path

import psutil
import pytest
from populate_jobs import DatabaseSettings, connect
from populate_jobs.errors import DatabaseUnreachable
from populate_operator.local import embedded

from tests.servers.host import PATIENCE


def ask(settings: DatabaseSettings, sql: str) -> list[tuple[object, ...]]:
    with contextlib.closing(connect(settings, name="tests")) as connection:
        return connection.execute(sql).rows


def test_keeps_its_data_and_stops_with_its_last_user(tmp_path: Path) -> None:
    with embedded.running(tmp_path) as settings:
        ask(settings, "CREATE TABLE kept AS SELECT 1 AS one")
        with embedded.running(tmp_path) as same:
            assert same == settings
        assert ask(settings, "SELECT one FROM kept") == [(1,)]
    with pytest.raises(DatabaseUnreachable):
        ask(settings, "SELECT 1")
    with embedded.running(tmp_path) as again:
        assert ask(again, "SELECT one FROM kept") == [(1,)]


def test_comes_back_after_a_crash(tmp_path: Path) -> None:
    with embedded.running(tmp_path) as settings:
        ask(settings, "CREATE TABLE kept AS SELECT 1 AS one")
        server = int((tmp_path / embedded.FOLDER / "postmaster.pid").read_text().split()[0])
        family = [psutil.Process(server), *psutil.Process(server).children()]
        for process in family:
            process.kill()
        psutil.wait_procs(family, PATIENCE)
    with embedded.running(tmp_path) as again:
        assert ask(again, "SELECT one FROM kept") == [(1,)]


@pytest.mark.parametrize("length", [embedded.LONGEST_SOCKET, embedded.LONGEST_SOCKET + 1, 200])
def test_a_folder_with_a_path_as_long_as_a_socket_may_have_or_longer_will_do(tmp_path: Path, length: int) -> None:
    missing = length - len(bytes(tmp_path / "x" / embedded.FOLDER)) + 1
    deep = tmp_path / ("x" * missing)
    with embedded.running(deep) as settings:
        assert ask(settings, "SELECT 1") == [(1,)]


def test_nobody_else_is_let_in_and_no_folder_is_opened(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with embedded.running(closed / "data") as settings:
        assert Path(settings.host).stat().st_mode & 0o077 == 0
        assert ask(settings, "SHOW listen_addresses") == [("",)]
    assert closed.stat().st_mode & 0o777 == 0o700


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    folder = tmp_path / embedded.FOLDER
    folder.mkdir()
    (folder / "something").touch()
    with pytest.raises(embedded.EmbeddedFailed, match="exists but is not empty"), embedded.running(tmp_path):
        pass

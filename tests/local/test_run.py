"""`populate run` from its start to its end, with real workers on real servers."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.local.lab import MODULE, Lab, embedded_alone, mariadb_alone, populate_job, private_lab
from tests.servers import serve
from tests.servers.host import free_port, wait_until

MADE = populate_job("made", "Made")
AGAIN = populate_job("again", "Again")


def test_a_parent_and_its_child_run_to_the_end(lab: Lab) -> None:
    lab.add("works", *range(12))
    lab.write(AGAIN, MADE)
    output = lab.populate("run", "-f", str(lab.manifest), "--once")
    assert lab.made() == lab.made("__again") == set(range(12))
    assert "all made: 24 keys" in output


def test_errors_are_grouped_and_can_be_retried(lab: Lab) -> None:
    lab.add("works", 1, 2)
    lab.add("fails", 3, 4, 5)
    lab.write(MADE)
    output = lab.populate("run", "-f", str(lab.manifest), "--once", expect=1)
    assert "made: 3 keys failed" in output
    assert re.search(r"3 × ValueError: source [345] is broken", output)
    assert f"populate retry -f {lab.manifest} --all" in output
    assert lab.queue("error") == [3, 4, 5]

    lab.execute(f"UPDATE {lab.name('source')} SET conduct = 'works' WHERE source > 3")
    assert "1 key is pending again" in lab.populate("retry", "-f", str(lab.manifest), "--match", "source 4")
    assert "2 keys are pending again" in lab.populate("retry", "-f", str(lab.manifest), "--all")
    lab.populate("run", "-f", str(lab.manifest), "--once", expect=1)
    assert lab.made() == {1, 2, 4, 5}
    lab.populate("ignore", "-f", str(lab.manifest), "made", "--all")
    lab.populate("run", "-f", str(lab.manifest), "--once")
    assert lab.queue("ignore") == [3]


@embedded_alone
def test_a_make_that_inserts_nothing_is_set_aside_and_not_tried_for_ever(lab: Lab) -> None:
    lab.add("nothing", 7)
    lab.add("works", 8)
    lab.write(MADE)
    output = lab.populate("run", "-f", str(lab.manifest), "--once")
    assert lab.queue("ignore") == [7]
    assert lab.made() == {8}
    assert "1 ignored" in output


@embedded_alone
def test_continuous_takes_up_what_is_added_until_it_is_interrupted(lab: Lab) -> None:
    lab.write(MADE, AGAIN)
    run = lab.run()
    wait_until(lambda: "up to date" in run.text(), "the first refresh")
    lab.add("works", 1, 2, 3)
    wait_until(lambda: lab.made("__again") == {1, 2, 3}, "parent and child to follow")
    run.interrupt()
    assert run.exit_code() == 130
    assert "nothing stays reserved" in run.text()


def test_two_runs_and_datajoint_itself_share_one_table(lab: Lab) -> None:
    lab.add("waits", *range(40))
    lab.write(MADE)
    first = lab.run("--once", "--max-workers", "1", MAKER="first")
    wait_until(lambda: len(lab.began()) == 1, "the first run to begin a key")
    theirs = f"from {MODULE} import Made; Made.populate(reserve_jobs=True, refresh=False)"
    datajoint = lab.begin("exec", "-f", str(lab.manifest), "--", sys.executable, "-c", theirs, MAKER="datajoint")
    second = lab.run("--once", "--max-workers", "1", "--data", "second", MAKER="second")
    wait_until(lambda: len(lab.began()) == 3, "all three to begin a key")
    lab.leave()
    assert [run.exit_code() for run in (first, second, datajoint)] == [0, 0, 0]
    rows = lab.execute(f"SELECT source, maker FROM {lab.name('__made')}")
    assert sorted(source for source, _ in rows) == list(range(40))
    assert {maker for _, maker in rows} == {"first", "second", "datajoint"}
    assert lab.queue("reserved") == lab.queue("error") == []


@embedded_alone
def test_no_more_workers_than_it_is_told(lab: Lab) -> None:
    lab.add("waits", 1, 2, 3)
    lab.write(populate_job("made", "Made", scaling={"minWorkers": 3}), AGAIN)
    run = lab.run("--once", "--max-workers", "1")
    lab.first_begun()
    assert len(run.workers()) == 1
    lab.leave()
    assert run.exit_code() == 0


@embedded_alone
@pytest.mark.parametrize(
    ("document", "said"),
    [
        (populate_job("made", "Made", priority=200), ("populate.yaml:", "spec.priority", "127")),
        (populate_job("made", "Made", scalling={}), ("spec.scalling", "scaling")),
        (populate_job("made", "Maid"), ("TableNotFound", "Made")),
        (populate_job("made", "Source"), ("NotAutoPopulated", "Computed")),
        (populate_job("made", "Made", restriction="sauce = 1"), ("source",)),
    ],
)
def test_bad_input_is_refused_with_what_to_do(lab: Lab, document: dict[str, object], said: tuple[str, ...]) -> None:
    lab.write(document)
    output = lab.populate("run", "-f", str(lab.manifest), expect=2)
    assert all(word in output for word in said), output


@mariadb_alone
def test_a_database_of_its_own_is_used_whatever_is_configured(lab: Lab) -> None:
    elsewhere = {"database": {"host": "nowhere.invalid", "name": "elsewhere", "use_tls": True}}
    (lab.folder / "datajoint.json").write_text(json.dumps(elsewhere))
    lab.add("works", 1)
    lab.write(MADE)
    words = ("run", "-f", str(lab.manifest), "--once")
    assert "names nowhere.invalid" in lab.populate(*words, expect=2, **dict.fromkeys(lab.settings.to_environment(), ""))
    output = lab.populate(*words, "--embedded")
    assert "embedded PostgreSQL in" in output
    assert "made: no keys: its key_source is empty" in output
    assert lab.made() == set()


@mariadb_alone
def test_a_wrong_password_is_one_line_without_the_password(lab: Lab) -> None:
    lab.write(MADE)
    wrong = replace(lab.settings, password="not-this-one").to_environment()
    output = lab.populate("run", "-f", str(lab.manifest), "--once", "--database-timeout", "1", expect=1, **wrong)
    assert "LoginRefused" in output
    assert "not-this-one" not in output


@embedded_alone
def test_a_database_that_is_down_is_waited_for_as_long_as_was_said(lab: Lab) -> None:
    lab.write(MADE)
    down = lab.settings.at("127.0.0.1", free_port()).to_environment()
    output = lab.populate("run", "-f", str(lab.manifest), "--once", "--database-timeout", "1", expect=1, **down)
    assert "DatabaseUnreachable" in output
    run = lab.run(**down)
    wait_until(lambda: "unreachable" in run.text(), "the outage to be noticed")
    run.interrupt()
    assert run.exit_code() == 130


@pytest.mark.parametrize("tables", [("~~made",), ("__again", "__made")])
def test_tables_that_are_dropped_under_a_run_are_resolved_again(lab: Lab, tables: tuple[str, ...]) -> None:
    lab.write(MADE)
    run = lab.run()
    wait_until(lambda: "up to date" in run.text(), "the first refresh")
    for table in tables:
        lab.execute(f"DROP TABLE {lab.name(table)}")
    wait_until(lambda: "TableMissing" in run.text(), "the loss to be noticed")
    lab.add("works", 1)
    wait_until(lambda: lab.tried_made() == {1}, "the key to be made")
    run.interrupt()
    assert run.exit_code() == 130


def test_a_column_that_is_renamed_under_a_run_is_a_refusal_until_it_is_back(lab: Lab) -> None:
    term = {"table": f"{MODULE}.Source", "where": "conduct = 'works'"}
    lab.write(populate_job("made", "Made", scaling={"maxWorkers": 1}, restrictBy=[term]))
    run = lab.run()
    wait_until(lambda: "up to date" in run.text(), "the first refresh")
    lab.execute(f"ALTER TABLE {lab.name('source')} RENAME COLUMN conduct TO manner")
    try:
        wait_until(lambda: "there is no attribute conduct" in run.text(), "the restriction to be refused")
    finally:
        lab.execute(f"ALTER TABLE {lab.name('source')} RENAME COLUMN manner TO conduct")
    lab.add("works", 1)
    lab.add("naps", 2)
    wait_until(lambda: lab.tried_made() == {1}, "the key to be made")
    run.interrupt()
    assert run.exit_code() == 130
    assert lab.queue("error") == []


def test_a_run_outlasts_an_outage_of_its_database(tmp_path: Path) -> None:
    with serve("mariadb-10.11") as server, private_lab(server, tmp_path) as lab:
        lab.add("waits", 1)
        lab.write(MADE)
        run = lab.run("--once", "--database-timeout", "300")
        lab.first_begun()
        server.kill()
        wait_until(lambda: "DatabaseUnreachable" in run.text(), "the outage to be noticed")
        server.start()
        lab.leave()
        assert run.exit_code() == 0
        lab.reconnect()
        assert lab.made() == {1}

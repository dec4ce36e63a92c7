"""The database is away, or one of the worker's two sessions is: no key is lost and none blamed."""

import dataclasses
import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest
from populate_jobs import RetryPolicy

from tests.chaos.proxy import Moment, Proxy
from tests.database.depth import patient, repetitions
from tests.servers.host import PATIENCE, wait_until
from tests.worker.blocking import waits_for
from tests.worker.lab import Lab

SOON = RetryPolicy(backoff_seconds=0.1, max_backoff_seconds=0.1)


def test_a_server_that_is_restarted_in_the_middle(own_lab: Lab) -> None:
    own_lab.fill(*["insert"] * 100, "wait", *["insert"] * 100)
    with own_lab.worker(retry=SOON) as worker:
        own_lab.until_in_make(101)
        own_lab.server.restart()
        own_lab.let(101)
        own_lab.until_done()
        worker.stop()
    assert own_lab.made() == list(range(1, 202))
    assert own_lab.started_again() == {101: 2}, "the one whose transaction was lost"


def test_a_server_that_crashes_in_the_middle_and_stays_away_for_a_while(own_lab: Lab) -> None:
    own_lab.fill(*["insert"] * 300)
    with own_lab.worker(retry=SOON) as worker:
        wait_until(lambda: len(own_lab.made()) > 20, "some keys made")
        own_lab.server.kill()
        worker.until_logged("the database does not answer|the queue cannot be asked")
        assert worker.get("/healthz")[0] == 200
        own_lab.server.start()
        own_lab.until_done()
        worker.stop()
    assert own_lab.made() == list(range(1, 301))
    assert len(own_lab.started_again()) <= 2, "those that the outage found in make"


def test_a_server_that_is_down_when_the_worker_starts(own_lab: Lab) -> None:
    own_lab.fill("insert")
    own_lab.server.stop()
    with own_lab.worker() as worker:
        worker.until_logged("the queue cannot be asked")
        worker.until_logged("waiting for the database")
        own_lab.server.start()
        own_lab.until_done()
        worker.stop()
    assert own_lab.made() == [1]


def test_a_runner_that_cannot_come_up_while_the_database_is_away_ends_no_worker(own_lab: Lab) -> None:
    own_lab.fill("insert")
    with own_lab.worker() as worker:
        own_lab.until_done()
        own_lab.server.stop()
        (runner,) = worker.runners()
        os.kill(runner, signal.SIGKILL)
        wait_until(lambda: worker.log.count("waiting for the database") > 6, "more tries than failed starts are borne")
        own_lab.server.start()
        own_lab.fill("insert", first=2)
        wait_until(lambda: own_lab.made() == [1, 2], "both made")
        worker.stop()


def test_a_worker_that_is_stopped_while_the_database_is_away_says_what_it_leaves(own_lab: Lab) -> None:
    own_lab.fill("wait")
    with own_lab.worker(drain_seconds=0) as worker:
        own_lab.until_in_make(1)
        own_lab.server.stop()
        worker.terminate()
        assert worker.exit_code() == 5
        assert "1 keys stay reserved until recovered" in worker.log
    own_lab.server.start()
    own_lab.let(1)
    with own_lab.worker() as successor:
        own_lab.until_done()
        successor.stop()
    assert own_lab.made() == [1]


@patient
def test_commits_that_are_cut_off_lose_no_key_and_blame_none(lab: Lab) -> None:
    commits = repetitions(quick=12, deep=100)
    lab.fill(*["commit"] * commits)
    with Proxy(lab.server.host, lab.server.port).running() as proxy:
        behind = dataclasses.replace(lab.server, host="127.0.0.1", port=proxy.port)
        with lab.worker(environment=behind.environment(), retry=SOON) as worker:
            for item in range(1, commits + 1):
                lab.until_in_make(item)
                proxy.arm(moment_of(item))
                lab.let(item)
                wait_until(lambda: proxy.cuts == item, f"commit {item} cut off")  # noqa: B023
            lab.until_done()
            worker.stop()
    assert lab.made() == list(range(1, commits + 1))
    assert max(lab.starts().values()) <= 2
    assert Moment.AFTER not in {moment_of(item) for item in lab.started_again()}, (
        "what the server has is not made again"
    )


def moment_of(item: int) -> Moment:
    return list(Moment)[item % len(Moment)]


def test_the_runners_session_is_killed_on_the_server(lab: Lab) -> None:
    lab.fill("lose_connection", "insert")
    with lab.worker(retry=SOON) as worker:
        lab.until_in_make(1)
        lab.end_session(int((lab.folder / "session-1").read_text()))
        lab.let(1)
        lab.until_done()
        worker.stop()
    assert lab.made() == [1, 2]
    assert lab.started_again() == {1: 2}


def test_the_supervisors_session_is_killed_on_the_server(lab: Lab) -> None:
    lab.fill("wait", *["insert"] * 100)
    with lab.worker() as worker:
        lab.until_in_make(1)
        ((session,),) = lab.execute(f"SELECT connection_id FROM {lab.document().jobs} WHERE item = 1")
        lab.end_session(session)
        lab.let(1)
        lab.until_done()
        worker.stop()
    assert lab.made() == list(range(1, 102))
    assert lab.started_again() == {}


def test_the_jobs_table_is_dropped_and_declared_again(lab: Lab) -> None:
    lab.fill("wait")
    with lab.worker() as worker:
        lab.until_in_make(1)
        lab.execute(f"DROP TABLE {lab.document().jobs}")
        lab.let(1)
        worker.until_logged("stay reserved|the queue cannot be asked")
        lab.declare_again()
        lab.fill("insert", first=2)
        wait_until(lambda: lab.made() == [1, 2], "both made")
        worker.stop()


def test_the_target_is_dropped_and_declared_again(lab: Lab) -> None:
    """It is renamed between the commit of a make, for which that waits, and what the queue is told of it."""
    target, aside = lab.document().target, lab.name("aside")
    away, back = {
        "mysql": (f"RENAME TABLE {target} TO {aside}", f"RENAME TABLE {aside} TO {target}"),
        "postgresql": (
            f"ALTER TABLE {target} RENAME TO {lab.quoted('aside')}",
            f"ALTER TABLE {aside} RENAME TO {target.rpartition('.')[2]}",
        ),
    }[lab.server.backend]
    lab.fill("wait", *["insert"] * 20)
    soon = RetryPolicy(limit=100, backoff_seconds=0.1, retry_on=("*",))
    with ThreadPoolExecutor(1) as threads, lab.worker(retry=soon) as worker:
        lab.until_in_make(1)
        renamed = threads.submit(lab.execute, away)
        wait_until(lambda: waits_for(lab, target), "the target to be renamed once make has ended")
        lab.let(1)
        renamed.result(PATIENCE)
        worker.until_logged("keys stay reserved")
        lab.execute(back)
        lab.until_done()
        assert worker.process.poll() is None
        worker.stop()
    assert lab.made() == list(range(1, 22))


@pytest.mark.parametrize("variable", ["DJ_PASS", "DJ_USER"])
def test_a_login_that_is_refused_ends_the_worker(lab: Lab, variable: str) -> None:
    with lab.worker(environment={variable: "wrong"}) as worker:
        assert worker.exit_code() == 3
        assert "the server refuses to let this worker work" in worker.log

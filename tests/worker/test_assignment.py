"""The assignment changes under a running worker."""

import dataclasses
import json

from populate_jobs import Assignment

from tests.servers.host import wait_until
from tests.worker.lab import Lab


def test_a_changed_restriction_holds_from_then_on_and_restarts_no_runner(lab: Lab) -> None:
    lab.fill("insert", "insert", "insert", "insert")
    with lab.worker(restriction="item < 3") as worker:
        lab.until_done(left={3: "pending", 4: "pending"})
        runners = worker.runners()
        worker.assign(lab.assignment(restriction="item < 4"))
        lab.until_done(left={4: "pending"})
        assert worker.runners() == runners
        worker.stop()


def test_changed_settings_hold_from_then_on_and_restart_no_runner(lab: Lab) -> None:
    lab.fill("wait", "nothing")
    with lab.worker() as worker:
        lab.until_in_make(1)
        worker.assign(lab.assignment(on_empty="Error"))
        worker.until_logged("assignment has changed")
        lab.let(1)
        lab.until_done(left={2: "error"})
        worker.stop()
    assert len({pid for _, _, pid in lab.ledger()}) == 1


def test_while_it_is_paused_the_key_in_make_is_finished_the_others_given_back_and_none_begun(lab: Lab) -> None:
    lab.fill(*["insert"] * 20, "wait", "insert", "insert")
    with lab.worker() as worker:
        lab.until_in_make(21)
        paused = dataclasses.replace(lab.assignment(), paused=True)
        worker.assign(paused)
        worker.until_logged("no other key is begun")
        lab.until_done(left={21: "reserved", 22: "pending", 23: "pending"})
        lab.let(21)
        lab.until_done(left={22: "pending", 23: "pending"})
        worker.assign(lab.assignment())
        lab.until_done()
        worker.stop()
    assert lab.started_again() == {}


def test_a_worker_that_is_paused_before_its_runner_has_begun_works_afterwards(lab: Lab) -> None:
    paused = dataclasses.replace(lab.assignment(), paused=True)
    lab.fill("insert")
    with lab.worker(assignment=paused) as worker:
        worker.until_logged("connected")
        wait_until(lambda: worker.get("/readyz")[0] == 200, "its runner ready")
        worker.assign(lab.assignment())
        lab.until_done()
        worker.stop()
    assert lab.made() == [1]


def test_an_assignment_of_an_older_operator_pauses_nobody(lab: Lab) -> None:
    old = json.loads(lab.assignment().to_json())
    del old["paused"]
    assert Assignment.from_json(json.dumps(old)) == lab.assignment()


def test_a_changed_concurrency_starts_and_ends_runners(lab: Lab) -> None:
    with lab.worker() as worker:
        worker.until_runners(1)
        worker.assign(lab.assignment(concurrency=2))
        worker.until_runners(2)
        worker.assign(lab.assignment(concurrency=1))
        worker.until_runners(1)
        lab.fill("insert")
        lab.until_done()
        worker.stop()


def test_changed_make_kwargs_reach_the_next_key_and_the_running_one_ends_as_it_began(lab: Lab) -> None:
    lab.fill("told", "wait", "told")
    with lab.worker(make_kwargs={"threshold": 1}) as worker:
        lab.until_in_make(2)
        worker.assign(lab.assignment(make_kwargs={"threshold": 2}))
        worker.until_logged("assignment has changed")
        lab.let(2)
        lab.until_done()
        worker.stop()
    assert (lab.folder / "kwargs-1").read_text() == "[('threshold', 1)]"
    assert (lab.folder / "kwargs-3").read_text() == "[('threshold', 2)]"
    assert lab.started_again() == {}


def test_a_file_that_cannot_be_read_changes_nothing(lab: Lab) -> None:
    with lab.worker() as worker:
        worker.until_logged("connected")
        worker.assignment.write_text("{")
        worker.until_logged("going on as before: the assignment cannot be read")
        lab.fill("insert")
        lab.until_done()
        worker.stop()


def test_a_worker_without_a_usable_assignment_does_not_begin(lab: Lab) -> None:
    broken = dataclasses.replace(lab.document(), protocol=99)
    with lab.worker(assignment=Assignment(broken, lab.assignment().settings)) as worker:
        assert worker.exit_code() == 2
        assert "resolve document of protocol 99" in worker.log


def test_keys_in_hand_when_the_table_changes_are_given_back_or_finished(lab: Lab) -> None:
    lab.fill(*["insert"] * 20, "wait", *["insert"] * 20)
    with lab.worker() as worker:
        lab.until_in_make(21)
        worker.assign(lab.assignment(make_kwargs={"other": True}))
        expected = {21: "reserved"} | dict.fromkeys(range(22, 42), "pending")
        wait_until(lambda: lab.statuses() == expected, "what make has not begun given back")
        lab.let(21)
        lab.until_done()
        worker.stop()
    assert lab.made() == list(range(1, 42))
    assert lab.started_again() == {}

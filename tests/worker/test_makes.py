"""Keys are made, and their rows say so."""

from populate_jobs import RetryPolicy, refresh

from tests.servers.host import wait_until
from tests.worker.lab import Lab


def test_every_key_is_made_once_and_no_row_is_left(lab: Lab) -> None:
    lab.fill(*["insert"] * 200)
    with lab.worker() as worker:
        lab.until_done()
        worker.stop()
    assert lab.made() == list(range(1, 201))
    assert lab.starts() == dict.fromkeys(range(1, 201), 1)


def test_two_workers_share_the_keys_and_make_none_twice(lab: Lab) -> None:
    lab.fill(*["insert"] * 200)
    with lab.worker(host="w1.lab.test") as one, lab.worker(host="w2.lab.test") as two:
        lab.until_done()
        one.stop()
        two.stop()
    assert lab.made() == list(range(1, 201))
    assert lab.starts() == dict.fromkeys(range(1, 201), 1)


def test_concurrency_two_makes_two_keys_at_once(lab: Lab) -> None:
    lab.fill("wait", "wait", "wait")
    with lab.worker(concurrency=2) as worker:
        lab.until_in_make(1)
        lab.until_in_make(2)
        assert lab.statuses()[3] == "pending"
        lab.let(1, 2, 3)
        lab.until_done()
        worker.stop()
    assert len({pid for _, _, pid in lab.ledger()}) == 2


def test_a_key_that_fails_ends_as_an_error_as_datajoint_words_it(lab: Lab) -> None:
    lab.fill("insert", "fail:too few beats", "insert")
    with lab.worker() as worker:
        lab.until_done(left={2: "error"})
        worker.stop()
    assert lab.rows() == {2: ("error", "ValueError: too few beats")}
    assert lab.made() == [1, 3]
    assert "[item=2] ValueError: too few beats" in worker.log


def test_a_transient_failure_is_tried_again(lab: Lab) -> None:
    lab.fill("fail_once")
    with lab.worker(retry=RetryPolicy(backoff_seconds=0.1)) as worker:
        lab.until_done()
        worker.stop()
    assert lab.made() == [1]
    assert lab.starts() == {1: 2}


def test_a_make_that_inserts_nothing_is_ignored_and_not_tried_again(lab: Lab) -> None:
    lab.fill("nothing")
    with lab.worker() as worker:
        lab.until_done(left={1: "ignore"})
        worker.stop()
    assert lab.rows() == {1: ("ignore", "make inserted nothing")}


def test_a_make_that_inserts_nothing_is_an_error_where_the_assignment_says_so(lab: Lab) -> None:
    lab.fill("nothing")
    with lab.worker(on_empty="Error") as worker:
        lab.until_done(left={1: "error"})
        worker.stop()


def test_completed_rows_are_kept_with_their_duration_where_the_assignment_says_so(lab: Lab) -> None:
    lab.fill("insert", "insert")
    with lab.worker(keep_completed=True) as worker:
        lab.until_done(left={1: "success", 2: "success"})
        worker.stop()
    durations = lab.execute(f"SELECT duration FROM {lab.document().jobs}")
    assert all(seconds > 0 for (seconds,) in durations)


def test_sys_exit_in_make_is_that_keys_error_and_the_runner_goes_on(lab: Lab) -> None:
    lab.fill("leave", "insert")
    with lab.worker() as worker:
        lab.until_done(left={1: "error"})
        worker.stop()
    assert lab.rows() == {1: ("error", "SystemExit: 3")}
    assert len({pid for _, _, pid in lab.ledger()}) == 1


def test_a_key_whose_parent_is_deleted_in_make_leaves_no_row(lab: Lab) -> None:
    lab.fill("wait", "insert")
    with lab.worker() as worker:
        lab.until_in_make(1)
        lab.execute(f"DELETE FROM {lab.name('item')} WHERE item = 1")
        lab.let(1)

        def gone() -> bool:
            with lab.queue() as jobs:
                refresh(jobs)  # removes what key_source did not say in time that it has no longer
            return not lab.statuses()

        wait_until(gone, "no row left")
        worker.stop()
    assert lab.made() == [2]


def test_a_key_that_is_in_the_target_already_is_not_made_again(lab: Lab) -> None:
    lab.fill("insert", "wait", "insert")
    lab.execute(f"INSERT INTO {lab.document().target} (item, pid) VALUES (1, 0)")
    lab.let(2)
    with lab.worker() as worker:
        lab.until_done()
        worker.stop()
    assert lab.starts() == {2: 1, 3: 1}


def test_an_idle_worker_notices_new_keys(lab: Lab) -> None:
    with lab.worker() as worker:
        worker.until_logged("connected")
        lab.fill("insert")
        lab.until_done()
        worker.stop()
    assert lab.made() == [1]


def test_long_keys_are_reserved_one_at_a_time(lab: Lab) -> None:
    lab.fill("insert", "wait", "insert", "insert")
    with lab.worker() as worker:
        lab.until_in_make(2)
        wait_until(
            lambda: sorted(lab.statuses().values()) == ["pending", "pending", "reserved"], "what is ahead given back"
        )
        lab.let(2)
        lab.until_done()
        worker.stop()
    assert lab.started_again() == {}

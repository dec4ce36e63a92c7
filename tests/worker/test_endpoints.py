"""/healthz, /metrics and /look."""

import time

from tests.servers.host import PATIENCE, wait_until
from tests.worker.lab import Lab


def test_metrics_count_what_became_of_keys(lab: Lab) -> None:
    lab.fill("insert", "fail", "nothing", "wait")
    with lab.worker() as worker:
        lab.until_in_make(4)
        wait_until(lambda: worker.metric('populate_keys_total{outcome="ignore"}') == 1, "outcomes")
        assert worker.metric('populate_keys_total{outcome="success"}') == 1
        assert worker.metric('populate_keys_total{outcome="error"}') == 1
        assert worker.metric("populate_make_seconds_count") == 3
        assert worker.metric("populate_reserved") == 1
        wait_until(lambda: worker.metric("populate_running") == 1, "one in make")
        assert worker.metric("populate_runner_starts_total") == 1
        assert time.time() - worker.metric("populate_last_heartbeat_timestamp_seconds") < PATIENCE
        lab.let(4)
        lab.until_done(left={2: "error", 3: "ignore"})
        wait_until(lambda: worker.metric("populate_reserved") == 0, "nothing reserved")
        worker.stop()


def test_a_worker_is_alive_while_make_is_busy_and_not_while_its_loop_is_stopped(lab: Lab) -> None:
    lab.fill("wait")
    with lab.worker() as worker:
        lab.until_in_make(1)
        assert worker.get("/healthz") == (200, "OK\n")
        lab.let(1)
        lab.until_done()
        worker.stop()


def test_a_worker_is_ready_once_its_code_was_imported_and_stays_so(lab: Lab) -> None:
    lab.document()
    imported = lab.folder / "imported"
    with lab.worker(environment={"PIPELINE_IMPORTED": str(imported)}) as worker:
        wait_until(worker.answers, "the endpoint")
        assert worker.get("/readyz")[0] == 503
        imported.touch()
        wait_until(lambda: worker.get("/readyz")[0] == 200, "ready")
        worker.stop()


def test_a_worker_whose_code_cannot_be_imported_is_alive_and_never_ready(lab: Lab) -> None:
    with lab.worker(environment={"PIPELINE_BROKEN": "no such library"}) as worker:
        wait_until(lambda: worker.log.count("cannot be imported") > 1, "two failed starts")
        assert worker.get("/healthz")[0] == 200
        assert worker.get("/readyz")[0] == 503
        assert worker.exit_code() == 4


def test_an_unknown_path_is_not_found(lab: Lab) -> None:
    with lab.worker() as worker:
        wait_until(worker.answers, "the endpoint")
        assert worker.get("/")[0] == 404
        assert worker.get("/healthz", "POST")[0] == 404


def test_a_worker_can_be_told_to_look_at_the_queue(lab: Lab) -> None:
    with lab.worker() as worker:
        wait_until(worker.answers, "the endpoint")
        assert worker.get("/look", "POST")[0] == 202
        assert worker.get("/look")[0] == 404
        lab.fill("insert")
        lab.until_done()
        worker.stop()

"""Somebody's `populate(reserve_jobs=True)` works on the same table as our workers do."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator

from populate_jobs import Recovered, recover_orphans

from tests.servers.host import PATIENCE, wait_until
from tests.worker.lab import Lab

OURS = ".lab.test"
POPULATE = "from tests.worker.pipelines.basic import Made; Made.populate(reserve_jobs=True)"


def test_keys_are_shared_with_datajoints_own_populate_and_none_is_made_twice(lab: Lab) -> None:
    lab.fill("wait", "wait", *["insert"] * 200)
    with lab.worker() as worker:
        lab.until_in_make(1)
        with populate(lab) as foreign:
            lab.until_in_make(2)
            lab.let(1, 2)
            assert foreign.wait(timeout=PATIENCE) == 0
            lab.until_done()
            (runner,) = worker.runners()
            worker.stop()
    assert lab.made() == list(range(1, 203))
    assert lab.started_again() == {}
    assert {pid for makers in lab.makers().values() for pid in makers} == {runner, foreign.pid}


def test_what_a_foreign_client_left_reserved_is_given_back_when_it_is_old_enough_and_then_made(lab: Lab) -> None:
    lab.fill("wait")
    with populate(lab) as foreign:
        lab.until_in_make(1)
        foreign.kill()
        foreign.wait()
    assert orphans(lab, older_than=3600) == Recovered()
    assert lab.statuses() == {1: "reserved"}
    wait_until(lambda: orphans(lab, older_than=1) == Recovered(released=1), "a row older than a second")
    lab.let(1)
    with lab.worker() as worker:
        lab.until_done()
        worker.stop()
    assert lab.made() == [1]


def test_a_row_that_is_old_enough_stays_with_a_foreign_client_whose_connection_is_open(lab: Lab) -> None:
    lab.fill("wait")
    with populate(lab):
        lab.until_in_make(1)
        assert orphans(lab, older_than=0) == Recovered()


@contextlib.contextmanager
def populate(lab: Lab) -> Iterator[subprocess.Popen[bytes]]:
    """As somebody runs it at a workstation; killed afterwards unless it has ended."""
    with (lab.folder / "populate.log").open("wb") as output:
        process = subprocess.Popen([sys.executable, "-c", POPULATE], env=lab.environment, stdout=output, stderr=output)
    try:
        yield process
    except BaseException:
        print((lab.folder / "populate.log").read_text(errors="replace"))
        raise
    finally:
        process.kill()
        process.wait()


def orphans(lab: Lab, older_than: float) -> Recovered:
    """What is given back of others' rows."""
    with lab.queue() as jobs:
        return recover_orphans(jobs, older_than, but_hosts_ending=OURS)

"""The operator killed in the middle of what it does, or away for a while: the one that comes after it goes on.

Some points of its life cycle in every run; all of them with POPULATE_DEEP=1.
"""

from __future__ import annotations

import time

import pytest

from tests.database.depth import repetitions
from tests.servers.host import PATIENCE, wait_until

from .apiproxy import ApiProxy, Side, Trap
from .beside import Beside
from .lab import Lab

WRITES = [
    *[("POST pods dry", 1), ("DELETE jobs", 1), ("POST jobs", 1), ("PATCH configmaps", 1), ("PATCH deployments", 1)],
    *[("POST events", 1), ("PATCH deployments", 2), ("PATCH populatejobs/status", 1)],
    *[("PATCH populatejobs/status", 2), ("PATCH populatejobs/status", 3)],
]
"""Name and how manieth of all that the operator writes for a PopulateJob that comes and has its keys made."""
POINTS = [Trap(write, nth, side) for side in Side for write, nth in WRITES]
EVERY = repetitions(quick=4, deep=1)
CONVERGED_SECONDS = repetitions(quick=int(PATIENCE), deep=30)
"""What is promised is measured where nothing else runs: most of it is the time that two pods take to start."""
AWAY_SECONDS = repetitions(quick=20, deep=600)


@pytest.mark.parametrize("point", POINTS[::EVERY], ids=lambda point: f"{point.side.name} {point.write} {point.nth}")
def test_an_operator_killed_at_some_write_leaves_what_the_next_one_goes_on_with(
    own_lab: Lab, beside: Beside, proxy: ApiProxy, point: Trap
) -> None:
    own_lab.add(*["insert"] * 3)
    killed = beside.start(kubeconfig=proxy.kubeconfig).until_well()
    proxy.spring(point, killed.kill)
    job = own_lab.apply(scaling={"maxWorkers": 1, "scaleDownDelaySeconds": 1})
    wait_until(proxy.sprung.is_set, f"the operator killed at {point}")

    returned = time.monotonic()
    beside.start()
    own_lab.until_made(1, 2, 3)
    job.until(progress="3/3", error=0)
    wait_until(lambda: not job.workers() and not own_lab.owned("jobs"), "at rest")
    took = time.monotonic() - returned
    print(f"{point}: converged {took:.1f} s after its return")
    assert len(own_lab.owned("deployments")) == 1
    assert sorted(own_lab.started()) == [1, 2, 3]
    assert "Traceback" not in beside.log()
    assert took < CONVERGED_SECONDS


@pytest.mark.long
@pytest.mark.timeout(AWAY_SECONDS + 900)
def test_workers_go_on_while_the_operator_is_away_and_make_all_that_is_queued(own_lab: Lab, beside: Beside) -> None:
    gone = beside.start()
    own_lab.add("wait", "insert", "fail", "insert")
    job = own_lab.apply()
    own_lab.until_in_make(1)
    job.until(pending=3)
    gone.kill()
    left = time.monotonic()
    workers = job.workers().keys()
    own_lab.let(1)
    wait_until(lambda: own_lab.made() == [1, 2, 4] and own_lab.rows() == {3: "error"}, "what was queued made")
    own_lab.add("insert", first=5)
    wait_until(lambda: time.monotonic() - left > AWAY_SECONDS, "the time over", seconds=AWAY_SECONDS + 1)
    assert job.workers().keys() == workers
    assert own_lab.made() == [1, 2, 4]

    beside.start()
    wait_until(lambda: own_lab.made() == [1, 2, 4, 5], "what is new made, too")
    job.until(progress="4/5", error=1)
    assert sorted(own_lab.started()) == [1, 2, 3, 4, 5]

"""An API server that is away or unwilling, as one operator sees it: nothing is lost meanwhile, and it goes on after."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.database.depth import repetitions
from tests.servers.host import PATIENCE, wait_until

from .apiproxy import ApiProxy
from .beside import Beside
from .lab import Lab

FROZEN_SECONDS = repetitions(quick=20, deep=300)
AWAY_SECONDS = repetitions(quick=10, deep=60)
SEEN_SECONDS = repetitions(quick=int(PATIENCE), deep=90)
"""After it is back."""

Begin = Callable[[ApiProxy], object]
TROUBLES: dict[str, tuple[Begin, Begin, int]] = {
    "frozen": (ApiProxy.freeze, ApiProxy.thaw, FROZEN_SECONDS),
    "frozen, and the connections lost": (ApiProxy.freeze, ApiProxy.lose, FROZEN_SECONDS),
    "restarted": (ApiProxy.close, ApiProxy.open, AWAY_SECONDS),
    "too busy": (lambda proxy: proxy.refuse(True), lambda proxy: proxy.refuse(False), AWAY_SECONDS),
    "forgetful": (ApiProxy.expire, ApiProxy.expire, 0),
}
"""How each begins and ends, and how many seconds are between."""


@pytest.mark.long
@pytest.mark.timeout(FROZEN_SECONDS + 900)
@pytest.mark.parametrize("trouble", TROUBLES)
def test_an_api_server_in_trouble_costs_no_worker_and_no_key_and_edits_are_seen_soon_after(
    own_lab: Lab, beside: Beside, proxy: ApiProxy, trouble: str
) -> None:
    begin, end, seconds = TROUBLES[trouble]
    operator = beside.start(kubeconfig=proxy.kubeconfig)
    own_lab.add("wait", "wait", "insert", "wait")
    job = own_lab.apply(scaling={"maxWorkers": 2}, worker={"drainSeconds": 600})
    own_lab.until_in_make(1, 2)
    job.until(pending=2)
    workers = job.workers().keys()

    begin(proxy)
    began = time.monotonic()
    job.patch(priority=2)
    own_lab.let(1)
    own_lab.until_in_make(4)
    wait_until(lambda: time.monotonic() - began > seconds, "the trouble over", seconds=seconds + 1)
    operator.until_well()
    assert job.workers().keys() == workers

    end(proxy)
    ended = time.monotonic()
    job.until_settled()
    took = time.monotonic() - ended
    print(f"{trouble} for {ended - began:.0f} s: an edit was observed {took:.1f} s after")
    assert took < SEEN_SECONDS
    job.patch(scaling={"maxWorkers": 1})
    own_lab.release()
    own_lab.until_made(1, 2, 3, 4)
    assert sorted(own_lab.started()) == [1, 2, 3, 4]
    job.until_settled()

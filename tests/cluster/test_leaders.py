"""Several operators: one leads, the others wait; and what comes of it when two work by mistake."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.database.depth import repetitions
from tests.servers.host import PATIENCE, wait_until

from .apiproxy import ApiProxy
from .beside import Beside, Operator
from .conftest import Install
from .kubectl import Kubectl
from .lab import Lab

LEASE = "operator"
KILLED_SECONDS = repetitions(quick=int(PATIENCE), deep=30)
IN_ORDER_SECONDS = repetitions(quick=int(PATIENCE), deep=10)
"""Until another one leads, on a machine on which nothing else runs."""
LOST = 1
"""Exit status of a leader that may not be one any more."""


def test_another_one_leads_soon_after_the_leader_is_killed_and_at_once_when_it_ends_in_order(
    own_lab: Lab, beside: Beside, proxy: ApiProxy
) -> None:
    first = lead(own_lab, beside)
    second = wait_behind(own_lab, beside, proxy)
    own_lab.add("insert")
    job = own_lab.apply()
    own_lab.until_made(1)

    assert takeover(own_lab, first.kill) < KILLED_SECONDS
    own_lab.add("insert", first=2)
    own_lab.until_made(1, 2)
    wait_until(lambda: "PATCH populatejobs/status" in proxy.writes, "the second one's status")

    third = wait_behind(own_lab, beside)
    assert takeover(own_lab, second.end) < IN_ORDER_SECONDS
    job.patch(priority=2)
    job.until_settled()
    assert third.end() == 0


def test_a_leader_that_cannot_renew_its_lease_has_ended_before_another_one_leads(
    own_lab: Lab, beside: Beside, proxy: ApiProxy
) -> None:
    first = lead(own_lab, beside, proxy)
    wait_behind(own_lab, beside)
    assert takeover(own_lab, proxy.freeze) < KILLED_SECONDS
    assert first.exit_code() == LOST


@pytest.mark.long
def test_a_leader_that_stood_still_writes_nothing_when_it_goes_on(
    own_lab: Lab, beside: Beside, proxy: ApiProxy
) -> None:
    first = lead(own_lab, beside, proxy)
    second = wait_behind(own_lab, beside)
    own_lab.add("wait", "wait")
    job = own_lab.apply()
    own_lab.until_in_make(1)
    takeover(own_lab, first.stand_still)
    job.patch(scaling={"maxWorkers": 2})
    own_lab.until_in_make(1, 2)
    before = list(proxy.writes)
    first.go_on()
    assert first.exit_code() == LOST
    assert proxy.writes == before
    second.until_well()


def test_two_operators_at_work_by_mistake_make_one_deployment_and_each_key_once(own_lab: Lab, beside: Beside) -> None:
    operators = [beside.start(), beside.start()]
    for operator in operators:
        operator.until_well()
    own_lab.add(*["nap"] * 30)
    job = own_lab.apply(scaling={"maxWorkers": 2, "scaleDownDelaySeconds": 1})
    own_lab.until_made(*range(1, 31))
    assert len(own_lab.owned("deployments")) == 1
    job.until(progress="30/30", error=0)
    own_lab.add("wait", "insert", "insert", first=31)
    own_lab.until_in_make(31)
    own_lab.let(31)
    own_lab.until_made(*range(1, 34))
    assert sorted(own_lab.started()) == list(range(1, 34))
    assert [operator.end() for operator in operators] == [0, 0]
    assert "Traceback" not in beside.log()


def test_of_two_replicas_in_the_cluster_one_leads_and_the_other_takes_its_place(
    own_lab: Lab, install: Install, kubectl: Kubectl
) -> None:
    name = own_lab.namespace
    with install(watchNamespaces=[name], installation=name, replicas=2) as installed:
        here = installed.name
        assert len(installed.pods()) == 2
        wait_until(lambda: holder(own_lab, here, here) in installed.pods(), "one leads")
        leader = holder(own_lab, here, here)
        kubectl("delete", f"pod/{leader}", f"--namespace={here}", "--wait=false")
        wait_until(lambda: holder(own_lab, here, here) in set(installed.pods()) - {leader}, "another one leads")
        own_lab.add("insert")
        own_lab.apply()
        own_lab.until_made(1)


def lead(lab: Lab, beside: Beside, proxy: ApiProxy | None = None) -> Operator:
    operator = start(lab, beside, proxy)
    wait_until(lambda: bool(holder(lab)), "one leads")
    return operator


def wait_behind(lab: Lab, beside: Beside, proxy: ApiProxy | None = None) -> Operator:
    """Returns when it waits, having written nothing."""
    before = holder(lab)
    operator = start(lab, beside, proxy).until_well()
    wait_until(lambda: f"{before} leads" in operator.log.read_text(), "it has seen who leads")
    assert not proxy or not proxy.writes
    return operator


def start(lab: Lab, beside: Beside, proxy: ApiProxy | None) -> Operator:
    lease = f"--leader-election={lab.namespace}/{LEASE}"
    return beside.start(lease, kubeconfig=proxy.kubeconfig if proxy else None)


def takeover(lab: Lab, ends: Callable[[], object]) -> float:
    """Ends the leader in this way; the seconds until another one leads."""
    before, began = holder(lab), time.monotonic()
    ends()
    wait_until(lambda: holder(lab) not in ("", before), "another one leads")
    took = time.monotonic() - began
    print(f"{getattr(ends, '__name__', 'it')}: another one led after {took:.1f} s")
    return took


def holder(lab: Lab, namespace: str = "", name: str = LEASE) -> str:
    """Who leads; empty where nobody does."""
    lease = lab.api.get("leases", namespace or lab.namespace, name)
    return str(lease.get("spec", {}).get("holderIdentity") or "")

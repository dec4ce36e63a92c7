"""Several PopulateJobs on one table."""

from __future__ import annotations

import pytest

from tests.servers.host import wait_until

from .conftest import one_engine
from .installation import Installation
from .lab import Lab


def test_each_of_two_restrictions_has_its_keys_made_by_its_own_workers(lab: Lab) -> None:
    lab.add(*["insert"] * 12)
    few, many = "item <= 4", "item > 4"
    lab.apply("few", restriction=few, worker={"template": lab.template(LAB_MAKER="few")})
    lab.apply("many", restriction=many, worker={"template": lab.template(LAB_MAKER="many")})
    lab.until_made(*range(1, 13))
    assert lab.makers() == {item: "few" if item <= 4 else "many" for item in range(1, 13)}
    assert sorted(lab.started()) == lab.made()


def test_a_more_urgent_populatejob_has_its_keys_made_first(lab: Lab) -> None:
    lab.add("wait", *["insert"] * 5)
    usual = lab.apply("usual", priority=5)
    lab.until_in_make(1)
    urgent = lab.apply("urgent", priority=1, restriction="item >= 5", scaling={"maxWorkers": 0})
    urgent.until(appliedPriority=1, pending=2)
    lab.let(1)
    lab.until_made(*range(1, 7))
    assert lab.started()[0] == 1
    assert set(lab.started()[1:3]) == {5, 6}
    assert len(lab.started()) == 6
    usual.until(progress="6/6")


@pytest.mark.long
@one_engine
def test_another_namespace_leaves_alone_what_a_dead_worker_of_this_one_held(
    lab: Lab, watched: tuple[str, str], operator: Installation
) -> None:
    here, there = watched
    lab.log_in(there)
    lab.add("wait")
    first = lab.apply("first", worker={"drainSeconds": 600})
    lab.until_in_make(1)
    with operator.stopped():  # nobody gives back what the worker held
        (dead,) = first.workers()
        lab.kubectl("delete", f"pod/{dead}", f"--namespace={here}", "--grace-period=0", "--force")
        first.delete()
        lab.until_nothing_is_left()

    lab.add("insert", "insert", first=2)
    second = lab.apply("second", there)
    wait_until(lambda: lab.made() == [2, 3], "the others made")
    foreign = second.until_condition("ForeignReservations", "True", "HeldElsewhere")
    host = f"{dead}.populate-worker.{here}.{here}"
    assert host in foreign["message"]
    second.annotate(refresh="now")
    second.until(lastHandledRefresh="now", reserved=1)
    assert lab.hosts() == {1: host}

    third = lab.apply("third")
    lab.until_in_make(1)
    lab.let(1)
    lab.until_made(1, 2, 3)
    assert lab.started().count(1) == 2
    third.until(progress="3/3")
    second.until_condition("ForeignReservations", "False", "NoneHeld")

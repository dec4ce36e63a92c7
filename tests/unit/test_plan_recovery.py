from __future__ import annotations

from dataclasses import replace

from populate_operator.plan import Queue, Recovery
from populate_operator.plan.recovery import foreign, own, recoveries

from tests.unit.planning import host, seen, workers


def test_gives_back_the_rows_of_our_workers_that_are_gone() -> None:
    queue = Queue(0, {host("a"): 1, host("b"): 2})
    assert recoveries(seen(queue=queue, workers=workers("a"))) == (Recovery((host("b"),)),)


def test_tells_suspects_from_those_that_were_sent_away() -> None:
    queue = Queue(0, {host("a"): 1, host("b"): 2, host("c"): 1})
    deaths = {host("a"): "OOMKilled", host("b"): None}
    assert recoveries(seen(queue=queue, deaths=deaths)) == (
        Recovery((host("b"), host("c"))),
        Recovery((host("a"),), "OOMKilled"),
    )


def test_leaves_other_populate_jobs_workers_and_foreign_clients_alone() -> None:
    queue = Queue(0, {host("other"): 1, "workstation": 3, "": 1})
    observation = seen(queue=queue, alive=frozenset({host("other")}))
    assert recoveries(observation) == ()
    assert foreign(observation) == {"workstation": 3, "": 1}
    assert own(observation) == {}


def test_what_workers_of_a_populate_job_that_is_no_more_left_is_given_back_by_any_other_of_its_table() -> None:
    queue = Queue(0, {host("deleted-worker-a"): 1}, {host("deleted-worker-a"): 2, host("deleted-worker-b"): 1})
    given_back = Recovery((host("deleted-worker-a"), host("deleted-worker-b")))
    assert recoveries(seen(queue=queue, workers=workers("new-worker-a"))) == (given_back,)


def test_an_earlier_run_that_is_proved_dead_is_given_back_and_not_foreign() -> None:
    old = "w1.lab.9z9z"
    observation = seen(queue=Queue(0, {old: 2}), deaths={old: None})
    assert recoveries(observation) == (Recovery((old,)),)
    assert foreign(observation) == {}


def test_keys_that_left_the_restriction_are_their_workers_still_and_given_back_when_those_are_gone() -> None:
    queue = Queue(0, {host("a"): 1}, {host("a"): 1, host("b"): 2, host("c"): 3})
    observation = seen(queue=queue, workers=workers("a", "b"))
    assert own(observation) == {host("a"): 2, host("b"): 2}
    assert recoveries(observation) == (Recovery((host("c"),)),)
    assert foreign(observation) == {}


def test_what_workers_of_another_populate_job_hold_under_its_own_restriction_is_left_to_them() -> None:
    observation = seen(queue=Queue(0, {}, {host("other"): 1}), alive=frozenset({host("other")}))
    assert (own(observation), recoveries(observation), foreign(observation)) == ({}, (), {})


def test_nothing_is_given_back_blindly() -> None:
    assert recoveries(seen(queue=None, deaths={host("a"): "OOMKilled"})) == ()


def test_a_worker_that_is_proved_dead_is_so_although_its_pod_is_there_unless_somebody_knows_better() -> None:
    queue, deaths = Queue(0, {host("a"): 1}), {host("a"): "OOMKilled"}
    observation = seen(queue=queue, workers=workers("a"), deaths=deaths)
    assert recoveries(observation) == (Recovery((host("a"),), "OOMKilled"),)
    assert recoveries(replace(observation, alive=frozenset(queue.held))) == ()

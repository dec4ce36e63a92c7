from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from populate_jobs import Counts, Progress
from populate_operator.plan import (
    Memory,
    Observation,
    Previous,
    Problem,
    Queue,
    Refresh,
    Resolved,
    Rollout,
    Tally,
    Upstream,
    Worker,
)
from populate_operator.plan.agenda import Step
from populate_operator.plan.cadence import LOOK_EVERY, READ_LOOK_EVERY
from populate_operator.plan.completion import Outcome
from populate_operator.spec import Refresh as RefreshSpec
from populate_operator.spec import Scaling, Spec

from tests.unit.planning import (
    DOCUMENT,
    ONCE,
    OURS,
    SPEC,
    a_problem,
    a_refresh,
    a_tally,
    after,
    before,
    host,
    next_of,
    plan_of,
    seen,
    workers,
)


@pytest.mark.parametrize(
    ("spec", "fields", "expected"),
    [
        (SPEC, {"queue": Queue(4)}, 4),
        (SPEC, {"queue": Queue(4, {host("a"): 2}), "workers": workers("a")}, 6),
        (SPEC, {"queue": Queue(0, {"rig": 7})}, 0),
        (SPEC, {"queue": Queue(0, {}, {host("a"): 64}), "workers": workers("a", "b"), "replicas": 1}, 1),
        (SPEC, {"queue": Queue(2, {}, {host("a"): 64}), "workers": workers("a"), "replicas": 1}, 3),
        (SPEC, {"queue": Queue(0, {}, {host("other"): 3}), "alive": frozenset({host("other")})}, 0),
        (replace(SPEC, suspend=True), {"queue": Queue(4)}, 0),
        (SPEC, {"queue": Queue(4), "resolved": None}, 0),
        (SPEC, {"queue": Queue(4), "refusal": a_problem("TableNotFound", lasting=True)}, 0),
        (SPEC, {"queue": Queue(4), "refusal": a_problem("DatabaseUnreachable")}, 4),
        (SPEC, {"queue": Queue(4), "refusal": a_problem("ServerChanged", lasting=True), "replicas": 3}, 0),
        (SPEC, {"queue": Queue(4), "database": a_problem("TableMissing"), "replicas": 3}, 0),
        (SPEC, {"queue": None, "database": a_problem("DatabaseUnreachable"), "replicas": 3}, 3),
        (replace(SPEC, scaling=Scaling(max_workers=2)), {"queue": None, "replicas": 3}, 2),
        (SPEC, {"queue": Queue(4), "generation": 2}, 4),
        (ONCE, {"queue": Queue(0), "replicas": 3}, 0),
    ],
)
def test_number_of_workers(spec: Spec, fields: dict[str, Any], expected: int) -> None:
    assert plan_of(spec, seen(**fields)).replicas == expected


def interval(seconds: int) -> Spec:
    return replace(SPEC, refresh=RefreshSpec(interval_seconds=seconds))


def every(minutes: int) -> Spec:
    return replace(SPEC, refresh=RefreshSpec(resolve_interval_seconds=minutes * 60))


@pytest.mark.parametrize(
    ("spec", "fields", "expected"),
    [
        (SPEC, {"resolved": None}, {Step.RESOLVE}),
        (SPEC, {"generation": 2}, {Step.RESOLVE}),
        (SPEC, {"refusal": a_problem("TableNotFound", ago=3, times=2, lasting=True)}, {Step.RESOLVE}),
        (SPEC, {"refusal": a_problem("TableNotFound", ago=1, times=2, lasting=True)}, set()),
        (SPEC, {"refusal": a_problem("DatabaseUnreachable", ago=1, times=2), "tally": a_tally(ago=9)}, set()),
        (every(1), {"tally": a_tally(ago=0)}, {Step.RESOLVE}),
        (every(9), {"tally": a_tally(ago=0)}, set()),
        (SPEC, {"database": a_problem("TableMissing", ago=2)}, {Step.RESOLVE}),
        (SPEC, {"database": a_problem("TableMissing", ago=200)}, set()),
        (SPEC, {"refresh": None, "tally": None}, {Step.REFRESH}),
        (SPEC, {"refresh": None, "refresh_problem": a_problem("StatementFailed", ago=1, times=5)}, set()),
        (SPEC, {"refresh": a_refresh(ago=5)}, set()),
        (SPEC, {"refresh": a_refresh(ago=5), "tally": a_tally(pending=1)}, {Step.REFRESH}),
        (SPEC, {"refresh": a_refresh(ago=5), "refresh_problem": a_problem("StatementFailed", ago=5)}, {Step.REFRESH}),
        (interval(1), {}, {Step.REFRESH}),
        (ONCE, {"refresh": a_refresh(ago=5), "upstream": Upstream(busy=True)}, {Step.REFRESH}),
        (SPEC, {"upstream": Upstream(made_at=before(0.5))}, {Step.REFRESH}),
        (replace(SPEC, suspend=True), {"refresh": a_refresh(ago=5)}, set()),
        (replace(SPEC, priority=1), {}, {Step.REPRIORITIZE}),
        (replace(SPEC, orphan_timeout_seconds=60), {}, {Step.RECOVER_ORPHANS}),
        (replace(SPEC, orphan_timeout_seconds=60), {"orphans_at": before(30)}, set()),
        (ONCE, {"tally": a_tally(ago=50, pending=1), "refresh": a_refresh(ago=60)}, {Step.REFRESH}),
        (ONCE, {"tally": a_tally(ago=50, error=1), "refresh": a_refresh(ago=60), "curing": True}, set()),
    ],
)
def test_what_is_due(spec: Spec, fields: dict[str, Any], expected: set[Step]) -> None:
    assert plan_of(spec, seen(**fields)).steps == expected


@pytest.mark.parametrize(
    ("spec", "fields", "expected"),
    [
        (SPEC, {}, 5),
        (SPEC, {"refresh": a_refresh(took=0.4)}, 20),
        (interval(60), {}, 60),
        (interval(1), {}, None),
        (SPEC, {"tally": a_tally(pending=1)}, None),
        (SPEC, {"tally": None}, None),
        (SPEC, {"refresh": None}, None),
        (SPEC, {"refresh_problem": a_problem("StatementFailed")}, None),
        (SPEC, {"generation": 2}, None),
        (replace(SPEC, suspend=True), {}, None),
        (ONCE, {}, None),
        (ONCE, {"upstream": Upstream(busy=True)}, None),
    ],
)
def test_checks_in_place_of_refreshing_while_no_key_waits(
    spec: Spec, fields: dict[str, Any], expected: float | None
) -> None:
    assert plan_of(spec, seen(**fields)).check_every == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, True),
        ({"tally": a_tally(error=3)}, True),
        ({"tally": a_tally(scheduled=1)}, False),
        ({"queue": Queue(1)}, False),
        ({"queue": Queue(0, {host("a"): 1}), "workers": workers("a")}, False),
        ({"queue": Queue(0, {}, {host("a"): 1}), "workers": workers("a")}, False),
        ({"queue": Queue(0, {}, {host("other"): 1}), "alive": frozenset({host("other")})}, True),
        ({"replicas": 1}, False),
        ({"queue": None, "database": a_problem("DatabaseUnreachable")}, False),
        ({"tally": a_tally(error=3), "curing": True}, False),
    ],
)
def test_is_at_rest_when_nothing_is_going_on(fields: dict[str, Any], expected: bool) -> None:
    assert plan_of(SPEC, seen(**fields)).at_rest == expected


@pytest.mark.parametrize(("fields", "expected"), [({}, True), ({"workers": workers("a")}, False)])
@pytest.mark.parametrize("spec", [replace(SPEC, suspend=True), replace(SPEC, scaling=Scaling(max_workers=0))])
def test_keys_that_nobody_is_to_make_let_it_rest(spec: Spec, fields: dict[str, Any], expected: bool) -> None:
    assert plan_of(spec, seen(tally=a_tally(pending=3), queue=Queue(3), **fields)).at_rest == expected


def test_warm_workers_rest_too() -> None:
    warm = replace(SPEC, scaling=Scaling(min_workers=2))
    assert plan_of(warm, seen(replicas=2, workers=workers("a", "b"))).at_rest


def test_once_takes_a_last_look_before_it_is_complete() -> None:
    working = plan_of(ONCE, seen(tally=a_tally(reserved=1), refresh=a_refresh(ago=2, total=9, done=8, reserved=1)))
    dry = seen(tally=a_tally(ago=-1), refresh=a_refresh(ago=2, total=9, done=8, reserved=1))
    looking = plan_of(ONCE, dry, next_of(working), after(1))
    assert (looking.outcome, looking.steps) == (None, {Step.REFRESH})
    looked = replace(dry, refresh=a_refresh(ago=-2, total=9, done=9), tally=a_tally(ago=-2))
    assert plan_of(ONCE, looked, next_of(looking), after(2)).outcome is Outcome.COMPLETE


@pytest.mark.parametrize("spec", [ONCE, replace(ONCE, suspend=True)])
def test_once_takes_a_look_after_a_restart_before_it_is_complete(spec: Spec) -> None:
    restarted = Previous(memory=Memory(worked_at=before(1)))
    known = seen(refresh=a_refresh(ago=60))
    assert plan_of(ONCE, known, restarted).outcome is None
    assert plan_of(spec, known, restarted).steps == (frozenset() if spec.suspend else {Step.REFRESH})
    assert plan_of(ONCE, seen(refresh=a_refresh(ago=0.1)), restarted).outcome is Outcome.COMPLETE


def test_failed_takes_a_look_after_a_restart() -> None:
    failed = seen(tally=a_tally(error=1), refresh=a_refresh(ago=60))
    previous = next_of(plan_of(ONCE, failed))
    again = plan_of(ONCE, failed, replace(previous, memory=Memory(worked_at=before(1))))
    assert (again.outcome, again.steps) == (Outcome.FAILED, {Step.REFRESH})


def test_workers_go_on_where_the_answer_they_work_by_was_lost() -> None:
    assert plan_of(SPEC, seen(resolved=None, queue=None, replicas=5)).replicas == 5


def test_a_new_priority_that_could_not_be_written_waits_as_refreshing_does() -> None:
    edited = replace(SPEC, priority=9)
    assert Step.REPRIORITIZE in plan_of(edited, seen()).steps
    assert Step.REPRIORITIZE not in plan_of(edited, seen(refresh_problem=a_problem("ReadOnly", times=5))).steps


def test_once_looks_again_as_soon_as_upstream_is_through_however_long_the_interval() -> None:
    slow = replace(ONCE, refresh=RefreshSpec(interval_seconds=3600))
    waiting = plan_of(slow, seen(refresh=a_refresh(ago=30), upstream=Upstream(busy=True, made_at=before(40))))
    through = seen(refresh=a_refresh(ago=30), upstream=Upstream(made_at=before(1)))
    assert plan_of(slow, through, next_of(waiting)).steps == {Step.REFRESH}


def test_complete_does_nothing_more() -> None:
    complete = plan_of(ONCE, seen())
    later = plan_of(ONCE, seen(queue=Queue(5), tally=a_tally(pending=5)), next_of(complete), after(1000))
    assert (later.outcome, later.replicas, later.steps) == (Outcome.COMPLETE, 0, frozenset())


@pytest.mark.parametrize(("ready", "wanted"), [(0, 0), (2, 2)])
def test_keys_of_workers_that_are_leaving_ask_for_no_others(ready: int, wanted: int) -> None:
    leaving = (Worker(host("a"), draining=True), Worker(host("b"), draining=True))
    draining = seen(queue=Queue(ready, {host("a"): 1}, {host("b"): 1}), workers=leaving, replicas=2)
    first = plan_of(SPEC, draining)
    assert (first.busy, first.status["workers"]["busy"], first.recoveries) == (frozenset(), 2, ())
    assert plan_of(SPEC, draining, next_of(first), after(3600)).replicas == wanted


def test_once_is_not_complete_while_a_key_is_made_that_left_the_restriction() -> None:
    last = seen(queue=Queue(0, {}, {host("a"): 1}), workers=workers("a"), replicas=1)
    made = plan_of(ONCE, last)
    assert (made.outcome, made.replicas, made.busy) == (None, 1, {host("a")})
    later = plan_of(ONCE, last, next_of(made), after(3600))
    assert (later.outcome, later.replicas) == (None, 1)


def test_failed_goes_on_looking_for_retried_errors() -> None:
    failed = seen(tally=a_tally(ago=5, error=1), refresh=a_refresh(ago=30))
    assert plan_of(ONCE, replace(failed, tally=a_tally(error=1))).outcome is Outcome.FAILED
    made = plan_of(ONCE, failed, next_of(plan_of(ONCE, replace(failed, tally=a_tally(error=1)))))
    assert (made.outcome, made.at_rest) == (Outcome.FAILED, True)


def test_tells_each_thing_once() -> None:
    first = plan_of(SPEC, seen(resolved=None, queue=None, tally=None, refresh=None))
    second = plan_of(SPEC, seen(queue=Queue(2), replicas=0), next_of(first))
    third = plan_of(SPEC, seen(queue=Queue(2), replicas=2), next_of(second))
    down = plan_of(SPEC, seen(queue=None, database=a_problem("DatabaseUnreachable"), replicas=2), next_of(third))
    assert [event.reason for event in first.events] == []
    assert [event.reason for event in second.events] == ["Resolved", "Reachable", "ScaledUp"]
    assert [event.reason for event in third.events] == []
    assert [(event.type, event.reason) for event in down.events] == [("Warning", "DatabaseUnreachable")]


def test_a_worker_that_died_is_told_with_its_reason() -> None:
    holds = seen(queue=Queue(0, {host("a"): 1}), deaths={host("a"): "OOMKilled"})
    before, after = plan_of(SPEC, holds), plan_of(SPEC, seen(given_back=plan_of(SPEC, holds).recoveries))
    assert [[event.type for event in made.events if event.reason == "WorkerDied"] for made in (before, after)] == [
        [],
        ["Warning"],
    ]
    assert "OOMKilled" in after.events[-1].message


def test_looks_again_when_the_next_thing_is_due() -> None:
    made = plan_of(SPEC, seen(refresh=a_refresh(ago=3), tally=a_tally(pending=1)))
    assert made.look_again_at == after(2)
    assert plan_of(SPEC, seen()).look_again_at == after(30)


def test_a_roll_is_told_once_by_an_event_whatever_its_counts_become() -> None:
    first = plan_of(SPEC, seen(rollout=Rollout(2, 0)))
    second = plan_of(SPEC, seen(rollout=Rollout(0, 1)), next_of(first))
    third = plan_of(SPEC, seen(), next_of(second))
    rolled = [[event.type for event in made.events if event.reason == "RollingOut"] for made in (first, second, third)]
    assert rolled == [["Normal"], [], []]


REFUSALS = ("PodsRefused", "ResolveTimedOut", "ImagePullFailed", "ResolveFailed", "SecretUnusable", "TableNotFound")
BUSY = {"queue": Queue(9, {host("a"): 1, host("b"): 1}), "workers": workers("a", "b", "c"), "replicas": 3}


@pytest.mark.parametrize("reason", REFUSALS)
def test_a_refusal_after_an_answer_sends_no_worker_home_and_brings_none(reason: str) -> None:
    refused = seen(**BUSY, refusal=a_problem(reason, lasting=True))
    first = plan_of(SPEC, refused)
    second = plan_of(SPEC, refused, next_of(first), after(3600))
    assert [(made.replicas, made.paused) for made in (first, second)] == [(3, False)] * 2
    assert first.status["conditions"][0]["reason"] == reason


def test_a_refusal_after_an_answer_lets_idle_workers_go_and_with_them_what_resolve_may_wait_for() -> None:
    refused = seen(**{**BUSY, "queue": Queue(0, {host("a"): 1})}, refusal=a_problem("ResolveTimedOut", lasting=True))
    first = plan_of(SPEC, refused)
    assert plan_of(SPEC, refused, next_of(first), after(3600)).replicas == 1


@pytest.mark.parametrize("reason", REFUSALS)
def test_an_edit_that_is_refused_lets_keys_in_make_be_finished_and_no_other_begun(reason: str) -> None:
    refused = seen(**BUSY, generation=2, refusal=a_problem(reason, lasting=True))
    made = plan_of(SPEC, refused)
    assert (made.replicas, made.paused, made.rouse, made.busy) == (2, True, (), {host("a"), host("b")})
    finished = replace(refused, queue=Queue(9))
    assert plan_of(SPEC, finished, next_of(made), after(1)).replicas == 0


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, True),
        ({"refusal": a_problem("DatabaseUnreachable")}, True),
        ({"resolved": None}, False),
        ({"generation": 2}, False),
        ({"generation": 2, "refusal": a_problem("ImagePullFailed", lasting=True)}, False),
        ({"refusal": a_problem("SecretUnusable", lasting=True)}, False),
    ],
)
def test_pods_are_rolled_once_what_they_are_to_be_was_answered(fields: dict[str, Any], expected: bool) -> None:
    assert plan_of(SPEC, seen(**fields)).rolls == expected


@pytest.mark.parametrize("refusal", [None, a_problem("DatabaseUnreachable")])
def test_an_edit_that_is_being_asked_about_pauses_nobody(refusal: Problem | None) -> None:
    made = plan_of(SPEC, seen(**BUSY, generation=2, refusal=refusal))
    assert (made.replicas, made.paused) == (10, False)


small = st.integers(0, 5)
counts = st.builds(Counts, small, small, small, small, small, small)
moments = st.integers(-600, 600).map(after)
ours = st.sampled_from([host("a"), host("b"), host("c")])
names = ours | st.sampled_from(["rig", ""])
problems = st.none() | st.sampled_from(["TableMissing", "DatabaseUnreachable", "LoginRefused"]).map(a_problem)
refreshes = st.builds(
    lambda at, total, done, counted: Refresh(at, at, 0, Progress(total, min(total, done)), counted),
    moments,
    small,
    small,
    counts,
)
observations = st.builds(
    Observation,
    ours=st.just(OURS),
    generation=st.integers(1, 2),
    resolved=st.none() | st.builds(Resolved, st.just(DOCUMENT), st.just(1), moments),
    refusal=st.none() | st.sampled_from([*REFUSALS, "ServerChanged"]).map(lambda name: a_problem(name, lasting=True)),
    database=problems,
    queue=st.none() | st.builds(Queue, small, st.dictionaries(names, small), st.dictionaries(ours, small)),
    tally=st.none() | st.builds(Tally, counts, moments),
    refresh=st.none() | refreshes,
    refresh_problem=problems,
    replicas=small,
    workers=st.lists(
        st.builds(Worker, names.filter(bool), draining=st.booleans()), unique_by=lambda worker: worker.host
    ).map(tuple),
    deaths=st.dictionaries(names, st.none() | st.just("OOMKilled")),
    upstream=st.builds(Upstream, st.booleans(), st.none() | moments),
)
specs = st.builds(
    replace,
    st.sampled_from([SPEC, ONCE]),
    suspend=st.booleans(),
    scaling=st.builds(Scaling, small, small, st.integers(1, 3), st.none() | st.integers(1, 9), st.integers(0, 60)),
)


def is_lost(observation: Observation) -> bool:
    """Nobody knows what to make, or where."""
    problems = (observation.refusal, observation.database)
    reasons = {problem.reason for problem in problems if problem is not None}
    return observation.resolved is None or bool(reasons & {"ServerChanged", "TableMissing"})


@given(specs, st.lists(observations, min_size=1, max_size=4))
def test_whatever_is_seen_the_plan_keeps_its_bounds(spec: Spec, sequence: list[Observation]) -> None:
    previous = Previous({}, Memory())
    for second, observation in enumerate(sequence):
        made = plan_of(spec, observation, previous, after(second))
        holders = observation.queue.holders if observation.queue else ()
        living = {worker.host for worker in observation.workers} - observation.deaths.keys()
        assert 0 <= made.replicas <= spec.scaling.max_workers
        assert not spec.suspend or made.replicas == 0
        if not (spec.suspend or made.outcome or is_lost(observation)):
            assert made.replicas >= min(len(made.busy), observation.replicas, spec.scaling.max_workers)
        assert made.look_again_at > after(second)
        assert all(name in holders and name not in living for given in made.recoveries for name in given.hosts)
        assert all(
            name.endswith(OURS) or name in observation.deaths for given in made.recoveries for name in given.hosts
        )
        types = [condition["type"] for condition in made.status["conditions"]]
        assert len(types) == len(set(types))
        assert "Ready" in types
        assert not {"Reconciling", "Stalled"} <= set(types)
        previous = next_of(made)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"is_read": True, "tally": a_tally(reserved=1), "queue": Queue(0, {host("a"): 1})}, READ_LOOK_EVERY),
        ({"is_read": True}, LOOK_EVERY),
        ({"tally": a_tally(reserved=1), "queue": Queue(0, {host("a"): 1})}, LOOK_EVERY),
    ],
    ids=["others wait for its keys", "it has none", "nobody reads them"],
)
def test_looks_more_often_at_keys_that_another_one_reads(fields: dict[str, Any], expected: float) -> None:
    assert plan_of(SPEC, seen(**fields)).look_every == expected

from __future__ import annotations

from dataclasses import replace

from populate_jobs import ErrorGroup
from populate_operator.manifest.crd import definition
from populate_operator.manifest.schema import invalid_fields, unknown_fields
from populate_operator.plan import Previous, Queue
from populate_operator.plan.metav1 import timestamp

from tests.unit.planning import (
    ONCE,
    SPEC,
    a_problem,
    a_refresh,
    a_tally,
    after,
    host,
    next_of,
    plan_of,
    seen,
    workers,
)

BUSY = seen(
    refresh=a_refresh(total=120, done=30, pending=90),
    tally=replace(
        a_tally(pending=75, scheduled=2, reserved=4, error=2, ignore=1),
        errors=(ErrorGroup("…", 2, "ValueError: too few beats", {"recording": 1, "unit": b"\x01\xff"}),),
    ),
    queue=Queue(75, {host("a"): 3, "rig": 1}),
    workers=workers("a", "b"),
    replicas=2,
)


def test_says_how_far_the_keys_are() -> None:
    status = plan_of(SPEC, BUSY).status
    assert {
        name: status[name] for name in ("total", "done", "pending", "scheduled", "reserved", "error", "ignored")
    } == {
        "total": 120,
        "done": 36,
        "pending": 75,
        "scheduled": 2,
        "reserved": 4,
        "error": 2,
        "ignored": 1,
    }
    assert status["progress"] == "36/120"
    assert status["workers"] == {"desired": 10, "ready": 2, "busy": 1}
    assert status["topErrors"] == [
        {"message": "ValueError: too few beats", "count": 2, "sampleKey": {"recording": 1, "unit": "01ff"}}
    ]


def test_has_no_field_that_the_definition_does_not_describe() -> None:
    first = plan_of(ONCE, BUSY)
    later = replace(BUSY, tally=a_tally(ago=-10, error=1), refresh=a_refresh(-9, total=120, done=119), queue=Queue(0))
    status = {**plan_of(ONCE, later, next_of(first), after(12)).status}
    assert "completionTime" in status
    both = {**first.status, **status, "throughputPerMinute": 1.5, "estimatedCompletionTime": "2026-03-01T12:00:00Z"}
    schema = definition().schema["properties"]["status"]
    assert list(unknown_fields(both, schema)) == []
    assert list(invalid_fields(both, schema)) == []


def test_the_transition_time_moves_only_with_the_status() -> None:
    first = plan_of(SPEC, BUSY)
    second = plan_of(SPEC, replace(BUSY, database=a_problem("DatabaseUnreachable")), next_of(first), after(5))
    third = plan_of(SPEC, replace(BUSY, database=a_problem("LoginRefused")), next_of(second), after(9))
    times = [
        {condition["type"]: condition["lastTransitionTime"] for condition in made.status["conditions"]}
        for made in (first, second, third)
    ]
    assert [at["Ready"] for at in times] == ["2026-03-01T12:00:00Z", "2026-03-01T12:00:05Z", "2026-03-01T12:00:05Z"]
    assert {at["Resolved"] for at in times} == {"2026-03-01T12:00:00Z"}


def test_an_idle_populate_job_is_not_written_again_and_again() -> None:
    idle = seen(refresh=a_refresh(total=5, done=5))
    first = plan_of(SPEC, idle)
    assert plan_of(SPEC, replace(idle, tally=a_tally(ago=-7)), next_of(first), after(7)).status == first.status


def test_a_refresh_that_changes_nothing_is_told_once_a_minute() -> None:
    first = plan_of(SPEC, seen(refresh=a_refresh(ago=0, total=5, done=5)))
    for second, expected in ((50, 0), (70, 70)):
        observation = seen(refresh=a_refresh(ago=-second, total=5, done=5), tally=a_tally(ago=-second))
        status = plan_of(SPEC, observation, next_of(first), after(second)).status
        assert status["lastRefreshTime"] == timestamp(after(expected))
    more = seen(refresh=a_refresh(ago=-9, total=6, done=5, pending=1), tally=a_tally(ago=-9, pending=1))
    assert plan_of(SPEC, more, next_of(first), after(9)).status["lastRefreshTime"] == timestamp(after(9))


def test_what_could_not_be_seen_stays() -> None:
    previous = Previous({"total": 9, "done": 4, "lastHandledRefresh": "x", "workers": {"selector": "a=b"}})
    status = plan_of(SPEC, seen(queue=None, tally=None, refresh=None), previous).status
    assert (status["total"], status["done"], status["lastHandledRefresh"]) == (9, 4, "x")
    assert status["workers"]["selector"] == "a=b"


def test_throughput_and_end_are_there_while_there_is_work_and_coarse() -> None:
    previous = Previous()
    for second in range(0, 20, 2):
        observation = replace(BUSY, tally=a_tally(ago=-second, pending=75 - second))
        made = plan_of(SPEC, observation, previous, after(second))
        previous = next_of(made)
    assert made.status["throughputPerMinute"] == 60.0
    assert made.status["estimatedCompletionTime"] == "2026-03-01T12:02:00Z"
    suspended = plan_of(replace(SPEC, suspend=True), observation, previous, after(19)).status
    assert "estimatedCompletionTime" not in suspended
    done = plan_of(SPEC, replace(BUSY, tally=a_tally(ago=-30)), previous, after(30)).status
    assert not {"throughputPerMinute", "estimatedCompletionTime"} & done.keys()


def test_completion_time_is_when_it_was_first_seen_and_goes_when_errors_are_retried() -> None:
    failed = seen(tally=a_tally(error=1), refresh=a_refresh(total=1))
    first = plan_of(ONCE, failed)
    again = plan_of(ONCE, failed, next_of(first), after(60))
    assert first.status["completionTime"] == again.status["completionTime"] == "2026-03-01T12:00:00Z"
    retried = plan_of(ONCE, seen(tally=a_tally(pending=1)), next_of(again), after(90))
    assert "completionTime" not in retried.status

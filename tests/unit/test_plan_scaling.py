from __future__ import annotations

import pytest
from populate_operator.plan.observation import Worker
from populate_operator.plan.scaling import Load, Lull, Scale, look_limit, pinned, scale, to_rouse, wanted_workers
from populate_operator.spec import Scaling

from tests.unit.planning import NOW, after, before


@pytest.mark.parametrize(
    ("scaling", "work", "rate", "expected"),
    [
        (Scaling(), 0, None, 0),
        (Scaling(), 3, None, 3),
        (Scaling(), 50, None, 10),
        (Scaling(keys_per_worker=10), 1, None, 1),
        (Scaling(keys_per_worker=10), 21, None, 3),
        (Scaling(min_workers=2), 0, None, 2),
        (Scaling(min_workers=2, max_workers=0), 9, None, 0),
        (Scaling(target_drain_seconds=60, keys_per_worker=5), 20, None, 1),
        (Scaling(target_drain_seconds=60), 0, None, 0),
        (Scaling(target_drain_seconds=60), 600, 2.0, 5),
        (Scaling(target_drain_seconds=1), 3, 0.01, 3),
    ],
)
def test_wants_a_worker_for_each_share_of_the_work(
    scaling: Scaling, work: int, rate: float | None, expected: int
) -> None:
    assert wanted_workers(scaling, Load(work, busy=0), rate) == expected


def test_counting_no_further_than_the_limit_gives_the_same_answer() -> None:
    for scaling in (Scaling(), Scaling(keys_per_worker=7, max_workers=3), Scaling(target_drain_seconds=30)):
        limit = look_limit(scaling, 1.7)
        least, most = (wanted_workers(scaling, Load(keys, busy=0), 1.7) for keys in (limit, 10**9))
        assert least == most == scaling.max_workers


def test_grows_at_once() -> None:
    assert scale(Scaling(), Load(8, busy=1), None, current=1, lull=None, now=NOW) == Scale(8)


def test_shrinks_only_after_the_delay_and_to_the_most_that_was_wanted_meanwhile() -> None:
    scaling = Scaling(scale_down_delay_seconds=60)
    first = scale(scaling, Load(2, busy=0), None, current=8, lull=None, now=NOW)
    assert first == Scale(8, Lull(NOW, 2))
    second = scale(scaling, Load(5, busy=0), None, current=8, lull=first.lull, now=after(30))
    assert second == Scale(8, Lull(NOW, 5))
    assert scale(scaling, Load(0, busy=0), None, current=8, lull=second.lull, now=after(60)) == Scale(5)


def test_work_that_returns_ends_the_lull() -> None:
    assert scale(Scaling(), Load(9, busy=0), None, current=8, lull=Lull(before(59), 1), now=NOW).lull is None


def test_never_stops_busy_workers_for_want_of_work() -> None:
    scaling = Scaling(keys_per_worker=100, scale_down_delay_seconds=0)
    assert scale(scaling, Load(6, busy=6), None, current=6, lull=None, now=NOW).replicas == 6


@pytest.mark.parametrize(
    ("scaling", "load", "expected"),
    [
        (Scaling(), Load(0, busy=1, taken=1), 1),
        (Scaling(), Load(1, busy=1, taken=1), 2),
        (Scaling(keys_per_worker=10), Load(5, busy=2, taken=1), 2),
        (Scaling(min_workers=2), Load(0, busy=1, taken=1), 2),
        (Scaling(max_workers=2), Load(5, busy=1, taken=1), 2),
    ],
)
def test_workers_at_keys_that_nobody_else_is_to_make_stay_beside_those_that_are_wanted(
    scaling: Scaling, load: Load, expected: int
) -> None:
    assert scale(scaling, load, None, current=1, lull=None, now=NOW).replicas == expected


def test_idle_workers_are_told_of_keys_no_more_of_them_than_there_are_keys() -> None:
    starting, leaving = Worker("a", ready=False), Worker("b", draining=True)
    workers = (starting, leaving, *map(Worker, "cdef"))
    assert to_rouse(workers, {"c"}, ready=2) == ("d", "e")
    assert to_rouse(workers, {"c"}, ready=100) == ("d", "e", "f")
    assert to_rouse(workers, set(), ready=0) == ()


def test_a_lowered_max_workers_wins_over_busy_workers_and_needs_no_delay() -> None:
    assert scale(Scaling(max_workers=2), Load(6, busy=6), None, current=6, lull=None, now=NOW).replicas == 2
    assert scale(Scaling(max_workers=0), Load(6, busy=6), None, current=6, lull=None, now=NOW).replicas == 0


@pytest.mark.parametrize(
    ("rate", "concurrency", "expected"),
    [(None, 1, 3), (0.0, 1, 3), (10.0, 1, 0), (0.1, 1, 0), (0.1, 4, 3), (0.01, 1, 3)],
)
def test_busy_workers_are_pinned_unless_their_keys_end_within_the_drain(
    rate: float | None, concurrency: int, expected: int
) -> None:
    assert pinned(3, rate, concurrency, drain_seconds=30) == expected

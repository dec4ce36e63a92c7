from __future__ import annotations

import pytest
from populate_jobs import Counts
from populate_operator.plan import Observation
from populate_operator.plan.pace import WINDOW, Pace, Standing, estimated_completion, follow, standing
from populate_operator.plan.scaling import Load, scale
from populate_operator.spec import Scaling

from tests.unit.planning import NOW, a_refresh, a_tally, after, seen


def counted(second: float = 0, **counts: int) -> Observation:
    """Counted so many seconds after NOW."""
    return seen(refresh=a_refresh(total=100, done=40, pending=60), tally=a_tally(ago=-second, **counts))


def test_done_moves_on_by_what_left_the_queue_since_the_refresh() -> None:
    refresh = a_refresh(total=100, done=40, pending=50, reserved=8, error=2)
    assert standing(refresh, Counts(pending=30, reserved=8, error=3)) == Standing(100, 59)


def test_done_never_falls_below_what_was_measured_nor_exceeds_the_total() -> None:
    refresh = a_refresh(total=100, done=40, pending=10)
    assert standing(refresh, Counts(pending=500)) == Standing(100, 40)
    assert standing(a_refresh(total=45, done=40, pending=10), Counts()) == Standing(45, 45)


def test_a_key_that_was_made_and_not_yet_out_of_the_queue_when_measured_is_not_counted_twice() -> None:
    refresh = a_refresh(total=100, done=40, pending=50, reserved=20)
    assert standing(refresh, Counts(pending=50, reserved=10)) == Standing(100, 40)
    assert standing(refresh, Counts(pending=25)) == Standing(100, 75)


def test_rows_that_nobody_will_make_leave_done_what_was_measured() -> None:
    refresh = a_refresh(total=10, done=6, pending=4, reserved=3)
    assert standing(refresh, Counts(pending=4, reserved=3)) == Standing(10, 6)


def test_keys_that_failed_are_not_done() -> None:
    assert standing(a_refresh(total=10, pending=10), Counts(error=10)) == Standing(10, 0)


def test_throughput_is_measured_over_a_window_by_the_clock_and_by_busy_workers() -> None:
    pace = Pace()
    for second in range(200):
        pace = follow(pace, counted(second, pending=max(0, 60 - second // 4)), busy=2, now=after(second))
    assert pace.done_per_second == pytest.approx(0.25, rel=0.1)
    assert pace.settled_per_worker_second == pytest.approx(0.125, rel=0.1)
    assert pace.samples[-1].at.timestamp() - pace.samples[0].at.timestamp() <= WINDOW + 2
    assert len(pace.samples) <= WINDOW / 2 + 2


def test_remembers_when_keys_were_last_made_or_given_up() -> None:
    first = follow(Pace(), counted(pending=60), busy=1, now=NOW)
    second = follow(first, counted(1, pending=59), busy=1, now=after(1))
    third = follow(second, counted(2, pending=59), busy=1, now=after(2))
    fourth = follow(third, counted(3, pending=58, error=1), busy=1, now=after(3))
    found = [pace.settled_at for pace in (first, second, third, fourth)]
    assert found == [None, after(1), after(1), after(3)]


def test_rows_made_before_the_first_look_are_no_news_but_unknown() -> None:
    assert follow(Pace(), counted(pending=60), busy=1, now=NOW).done_per_second is None


def test_estimates_the_end_from_what_is_left() -> None:
    pace = follow(Pace(), counted(pending=60), busy=1, now=NOW)
    pace = follow(pace, counted(10, pending=40), busy=1, now=after(10))
    assert estimated_completion(counted(pending=40), pace, after(10)) == after(30)
    assert estimated_completion(counted(pending=0), pace, after(10)) is None


def test_the_estimate_counts_keys_that_fail_as_work_done() -> None:
    pace = follow(Pace(), counted(pending=60), busy=1, now=NOW)
    pace = follow(pace, counted(10, pending=40, error=20), busy=1, now=after(10))
    assert pace.done_per_second == 0.0
    assert estimated_completion(counted(pending=40), pace, after(10)) == after(30)


def test_plans_between_two_counts_do_not_slow_the_pace_that_was_measured() -> None:
    pace = follow(Pace(), counted(pending=60), busy=1, now=NOW)
    for second in range(1, 400):
        last_count = second - second % 200
        pace = follow(pace, counted(last_count, pending=60 - last_count // 10), busy=2, now=after(second))
    assert pace.done_per_second == pytest.approx(0.1)
    assert pace.settled_per_worker_second == pytest.approx(0.05, rel=0.01)


@pytest.mark.parametrize(
    ("seconds", "keys", "target", "concurrency", "at_most"),
    [
        (1, 5000, 1800, 1, 4),
        (300, 200, 14400, 1, 6),
        (300, 200, 14400, 4, 2),
        (7200, 30, 86400, 1, 4),
        (30, 8, 30, 1, 8),
    ],
)
def test_a_target_has_as_many_workers_as_it_takes_and_about_no_more(
    seconds: int, keys: int, target: int, concurrency: int, at_most: int
) -> None:
    most, took = simulated(seconds, keys, Scaling(max_workers=50, target_drain_seconds=target), concurrency)
    assert most <= at_most
    assert took <= 1.3 * target + seconds


def test_keys_that_come_to_take_longer_have_more_workers() -> None:
    pace = Pace(measured=1.0, worker_rate=1.0)
    for second in range(0, 200, 5):
        pace = follow(pace, counted(second, pending=60), busy=1, now=after(second))
    assert pace.measured == 1.0
    assert pace.worker_rate == pytest.approx(1 / 195)


def test_workers_that_take_long_to_start_are_seldom_stopped_before_they_have() -> None:
    scaling, pace, lull, replicas, stopped, waiting = (
        Scaling(max_workers=100, target_drain_seconds=600),
        Pace(),
        None,
        0,
        0,
        100,
    )
    running: list[int] = []
    up: list[int] = []
    for clock in range(0, 3600, 2):
        running = [end for end in running if end > clock]
        begun = min(waiting, sum(at <= clock for at in up) - len(running))
        running, waiting = running + [clock + 600] * begun, waiting - begun
        pace = follow(pace, at(clock, 100, waiting, len(running)), len(running), after(clock))
        load = Load(waiting + len(running), len(running))
        size = scale(scaling, load, pace.worker_rate, replicas, lull, after(clock))
        stopped += sum(at > clock for at in up[size.replicas :])
        up = [*up[: size.replicas], *[clock + 40] * (size.replicas - len(up))]
        replicas, lull = size.replicas, size.lull
    assert not waiting
    assert not running
    assert stopped <= 15


def simulated(seconds: int, keys: int, scaling: Scaling, concurrency: int) -> tuple[int, int]:
    """The most workers there were, and the seconds until all keys were made, that take `seconds` each."""
    step, pace, lull = max(1, seconds // 60), Pace(), None
    waiting, replicas, most, clock = keys, 0, 0, 0
    running: list[int] = []
    while waiting or running:
        running = [end for end in running if end > clock]
        begun = min(waiting, replicas * concurrency - len(running))
        running += [clock + seconds] * begun
        waiting -= begun
        busy = -(-len(running) // concurrency)
        pace = follow(pace, at(clock, keys, waiting, len(running)), busy, after(clock), concurrency)
        load = Load(waiting + len(running), busy)
        size = scale(scaling, load, pace.worker_rate, replicas, lull, after(clock))
        replicas, lull, most, clock = size.replicas, size.lull, max(most, size.replicas), clock + step
    return most, clock


def at(second: int, keys: int, waiting: int, running: int) -> Observation:
    refresh = a_refresh(total=keys, done=0, pending=keys)
    return seen(refresh=refresh, tally=a_tally(ago=-second, pending=waiting, reserved=running))

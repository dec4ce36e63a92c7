"""How many keys a worker holds beyond those being made."""

import pytest
from populate_worker.supervisor.prefetch import Pace, feed, overdue, rest, stuck, wanted

NEW, INSTANT, MILLISECONDS, HALF_A_SECOND, MINUTE = (Pace(seconds) for seconds in (None, 0.0, 0.004, 0.5, 60.0))


@pytest.mark.parametrize(
    ("pace", "running", "waiting", "fed", "asks_for"),
    [
        # Nothing is known of the makes: one key for each runner that has none.
        (NEW, [None], 0, 0, 1),
        (NEW, [None], 1, 0, 0),
        (NEW, [3.0], 0, 0, 0),
        (NEW, [None, 3.0, None], 1, 0, 1),
        # Long makes: the same.
        (MINUTE, [None], 0, 0, 1),
        (MINUTE, [10.0], 0, 0, 0),
        (MINUTE, [None, 10.0], 0, 0, 1),
        # Short ones: a second's worth, 64 at most, refilled when below half.
        (HALF_A_SECOND, [0.1], 0, 0, 2),
        (HALF_A_SECOND, [0.1], 0, 1, 0),
        (HALF_A_SECOND, [0.1, 0.2], 0, 0, 4),
        (MILLISECONDS, [0.001], 0, 0, 64),
        (MILLISECONDS, [0.001], 0, 31, 33),
        (MILLISECONDS, [0.001], 10, 22, 0),
        (MILLISECONDS, [0.001] * 8, 0, 0, 64),
        (INSTANT, [None], 0, 0, 64),
        # What one runner was fed is of no use to another that has none.
        (MILLISECONDS, [0.001, None], 0, 40, 24),
        (MILLISECONDS, [0.001, None], 0, 64, 1),
        (MILLISECONDS, [0.001, None], 1, 40, 0),
        # A make that runs longer than makes used to is one of the long ones.
        (MILLISECONDS, [2.0], 0, 0, 0),
        (MILLISECONDS, [2.0, 0.001], 0, 0, 64),
        # More runners than a prefetch: each still gets a key.
        (INSTANT, [None] * 100, 0, 0, 100),
        # No runner, no key.
        (MILLISECONDS, [], 0, 0, 0),
    ],
)
def test_keys_asked_for(pace: Pace, running: list[float | None], waiting: int, fed: int, asks_for: int) -> None:
    assert wanted(pace, running, waiting, fed) == asks_for


@pytest.mark.parametrize(
    ("pace", "runners", "keys"),
    [
        (NEW, 1, 0),
        (MINUTE, 1, 0),
        (HALF_A_SECOND, 1, 1),
        (Pace(0.03), 1, 10),
        (MILLISECONDS, 1, 64),
        (MILLISECONDS, 4, 16),
        (INSTANT, 100, 1),
    ],
)
def test_keys_that_a_runner_is_fed_ahead(pace: Pace, runners: int, keys: int) -> None:
    assert feed(pace, runners) == keys


@pytest.mark.parametrize(
    ("pace", "fed", "seconds"),
    [
        (NEW, [0], 0),
        (MINUTE, [0], 0),
        (MILLISECONDS, [10], 0.02),
        (MILLISECONDS, [10, 0], 0),
        (HALF_A_SECOND, [1], 0.15),
    ],
)
def test_runners_that_are_fed_need_not_be_listened_to_for_a_while(pace: Pace, fed: list[int], seconds: float) -> None:
    assert rest(pace, fed) == pytest.approx(seconds)


def test_the_pace_follows_the_makes() -> None:
    pace = Pace().after(1.0)
    assert pace == Pace(1.0)
    for _ in range(30):
        pace = pace.after(0.01)
    assert pace.seconds == pytest.approx(0.01, rel=0.2)


@pytest.mark.parametrize(
    ("pace", "since_alone", "dry"),
    [
        (MILLISECONDS, 59.0, False),
        (MILLISECONDS, 61.0, True),
        (MILLISECONDS, 66.0, False),
        (MILLISECONDS, 121.0, True),
        (NEW, 61.0, False),
    ],
)
@pytest.mark.parametrize("suspect_waits", [True, False])
def test_short_keys_run_dry_for_a_moment_once_a_minute(
    pace: Pace, since_alone: float, dry: bool, suspect_waits: bool
) -> None:
    assert pace.runs_dry(since_alone, suspect_waits=suspect_waits) is dry


@pytest.mark.parametrize(
    ("since_alone", "suspect_waits", "dry"), [(599.0, True, False), (601.0, True, True), (601.0, False, False)]
)
def test_long_keys_run_dry_after_ten_of_them_where_a_suspect_waits(
    since_alone: float, suspect_waits: bool, dry: bool
) -> None:
    assert MINUTE.runs_dry(since_alone, suspect_waits=suspect_waits) is dry


def test_keys_that_waited_too_long_go_back() -> None:
    assert not overdue(4.9)
    assert overdue(5.1)


def test_a_runner_that_has_been_at_its_key_for_long_is_not_fed() -> None:
    assert not stuck(None)
    assert not stuck(0.9)
    assert stuck(1.1)

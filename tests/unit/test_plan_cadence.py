from __future__ import annotations

from datetime import datetime

import pytest
from populate_jobs import Counts
from populate_operator.plan.cadence import due, next_count, next_refresh, next_try
from populate_operator.plan.observation import Tally

from tests.unit.planning import NOW, a_problem, a_refresh, after, before


@pytest.mark.parametrize(
    ("took", "interval", "expected"),
    [(0.001, None, 5), (1.0, None, 50), (60.0, None, 600), (1.0, 7, 7), (0.001, 3600, 3600)],
)
def test_refreshes_for_about_two_percent_of_the_time(took: float, interval: float | None, expected: float) -> None:
    assert next_refresh(a_refresh(0, took), interval, None) == after(expected)


def test_the_first_refresh_is_due_at_once() -> None:
    assert due(next_refresh(None, 3600, None), NOW)


@pytest.mark.parametrize(
    ("trigger", "took", "expected"),
    [
        (after(0.1), 0.001, 0.5),
        (after(0.1), 0.1, 1),
        (after(0.1), 120.0, 600),
        (before(0.05), 0.1, 1),
        (before(20), 0.1, 3600),
    ],
)
def test_upstream_brings_the_next_refresh_forward_within_the_budget(
    trigger: datetime, took: float, expected: float
) -> None:
    assert next_refresh(a_refresh(0, took), 3600, trigger) == after(expected)


@pytest.mark.parametrize(("took", "expected"), [(0.0, 0.5), (0.5, 25), (100, 600)])
def test_counts_fully_as_often_as_it_is_cheap(took: float, expected: float) -> None:
    assert next_count(Tally(Counts(), NOW, took)) == after(expected)


@pytest.mark.parametrize(("times", "expected"), [(1, 1), (2, 2), (5, 16), (50, 300)])
def test_tries_again_after_twice_as_long_each_time(times: int, expected: float) -> None:
    assert next_try(a_problem("DatabaseUnreachable", times=times)) == after(expected)

from __future__ import annotations

import pytest
from populate_operator.display.numbers import pace, time_left


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(None, ""), (0.2, "1 s"), (45, "45 s"), (119, "119 s"), (600, "10 min"), (12_000, "3 h 20 min"), (200_000, "2 d")],
)
def test_time_left_is_as_coarse_as_it_is_uncertain(seconds: float | None, expected: str) -> None:
    assert time_left(seconds) == expected


@pytest.mark.parametrize(
    ("a_minute", "expected"),
    [(None, ""), (0.0, ""), (0.5, "0.5/min"), (24.0, "24/min"), (60.0, "1/s"), (7400.0, "123/s")],
)
def test_pace_in_the_unit_that_reads_best(a_minute: float | None, expected: str) -> None:
    assert pace({"throughputPerMinute": a_minute}) == expected

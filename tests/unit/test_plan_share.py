from __future__ import annotations

import pytest
from populate_operator.plan.share import Claim, share


def claim(wanted: int, *, replicas: int = 0, busy: int = 0, slots: int = 1, priority: int = 5) -> Claim:
    return Claim(slots, busy, wanted, max(replicas, wanted), priority)


@pytest.mark.parametrize(
    ("capacity", "claims", "expected"),
    [
        (4, [claim(10)], [4]),
        (4, [claim(10), claim(10)], [2, 2]),
        (4, [claim(1), claim(10)], [1, 3]),
        (1, [claim(5), claim(5)], [1, 0]),
        (1, [claim(5), claim(5, priority=1)], [0, 1]),
        (2, [claim(0, replicas=2), claim(2)], [0, 2]),
        (2, [claim(0, replicas=2), claim(1)], [1, 1]),
        (2, [claim(2, busy=2), claim(2, priority=0)], [2, 0]),
        (2, [claim(5, slots=8)], [1]),
        (4, [claim(5, slots=3), claim(5)], [1, 1]),
        (0, [], []),
    ],
)
def test_shares_slots_fairly_and_takes_idle_workers_before_refusing_wanted_ones(
    capacity: int, claims: list[Claim], expected: list[int]
) -> None:
    assert share(capacity, claims) == expected

from __future__ import annotations

import pytest
from populate_operator.plan.share import Claim, Present, grown, share


def claim(replicas: int, *, pinned: int = 0, slots: int = 1, priority: int = 5) -> Claim:
    return Claim(slots, replicas, pinned, priority)


@pytest.mark.parametrize(
    ("capacity", "claims", "expected"),
    [
        (4, [claim(10)], [4]),
        (4, [claim(10), claim(10)], [2, 2]),
        (4, [claim(1), claim(10)], [1, 3]),
        (1, [claim(5), claim(5)], [1, 0]),
        (1, [claim(5), claim(5, priority=1)], [0, 1]),
        (3, [claim(5), claim(5, priority=1)], [1, 2]),
        (2, [claim(2, pinned=2), claim(2, priority=0)], [2, 0]),
        (3, [claim(5, pinned=2), claim(5)], [2, 1]),
        (4, [claim(5, pinned=2), claim(5)], [2, 2]),
        (2, [claim(5, slots=8)], [1]),
        (4, [claim(5, slots=3), claim(5)], [1, 1]),
        (1, [claim(0, pinned=3)], [0]),
        (0, [], []),
    ],
)
def test_shares_slots_fairly_and_leaves_pinned_workers_where_they_are(
    capacity: int, claims: list[Claim], expected: list[int]
) -> None:
    assert share(capacity, claims) == expected


@pytest.mark.parametrize(
    ("capacity", "claims", "given", "present", "expected"),
    [
        (3, [claim(5), claim(5, priority=1)], [1, 2], [Present(3, 3), Present(0, 0)], [1, 0]),
        (3, [claim(5), claim(5, priority=1)], [1, 2], [Present(1, 3), Present(0, 0)], [1, 0]),
        (3, [claim(5), claim(5, priority=1)], [1, 2], [Present(1, 2), Present(0, 0)], [1, 1]),
        (3, [claim(5), claim(5, priority=1)], [1, 2], [Present(1, 1), Present(1, 1)], [1, 2]),
        (3, [claim(5)], [3], [Present(1, 3)], [1]),
        (3, [claim(5)], [3], [Present(0, 0)], [3]),
        (3, [claim(5), claim(5, priority=1)], [1, 2], [Present(0, 0), Present(0, 0)], [1, 2]),
        (4, [claim(5), claim(5, slots=3)], [1, 1], [Present(2, 2), Present(0, 0)], [1, 0]),
        (2, [claim(5, slots=8)], [1], [Present(0, 0)], [1]),
        (2, [claim(5, slots=8), claim(0)], [1, 0], [Present(0, 0), Present(0, 1)], [0, 0]),
        (2, [claim(3), claim(0)], [2, 0], [Present(5, 5), Present(0, 0)], [2, 0]),
    ],
    ids=[
        "not yet told to go", "told to go", "one gone", "all gone", "its own", "from none", "both from none",
        "a wide one waits", "a wide one alone", "a wide one not alone yet", "fewer at once",
    ],
)  # fmt: skip
def test_nobody_grows_into_the_slots_of_workers_that_are_still_there(
    capacity: int, claims: list[Claim], given: list[int], present: list[Present], expected: list[int]
) -> None:
    assert grown(capacity, claims, given, present) == expected

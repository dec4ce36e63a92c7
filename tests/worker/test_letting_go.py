"""When a worker closes a connection that it can make no use of without another."""

import pytest
from populate_worker.supervisor.letting_go import LET_GO_SECONDS, LettingGo, waits_in_vain

LONGEST = LET_GO_SECONDS[1]


def test_a_connection_of_no_use_is_let_go_once_after_a_while() -> None:
    letting_go = LettingGo()
    assert not letting_go.is_due(100.0, is_of_use=False)
    assert not letting_go.is_due(100.0 + LET_GO_SECONDS[0] - 0.1, is_of_use=False)
    assert letting_go.is_due(100.0 + LONGEST, is_of_use=False)
    assert not letting_go.is_due(1000.0, is_of_use=False)


def test_use_begins_the_while_anew() -> None:
    letting_go = LettingGo()
    letting_go.is_due(100.0, is_of_use=False)
    letting_go.is_due(104.0, is_of_use=True)
    assert not letting_go.is_due(104.0 + LONGEST, is_of_use=False)
    assert letting_go.is_due(104.0 + 2 * LONGEST, is_of_use=False)


def test_whoever_asks_is_never_told_to_ask_again_in_the_past() -> None:
    """A supervisor that winds down would turn without a pause until its last make has ended."""
    letting_go = LettingGo()
    for now in range(100, 200):
        for is_of_use in (False, True, False):
            letting_go.is_due(float(now), is_of_use=is_of_use)
            assert letting_go.at is None or letting_go.at > now


@pytest.mark.parametrize(
    ("starved", "asks", "making", "in_vain"),
    [
        (True, True, False, True),
        # Where the database is down, or answers, an idle runner is at its place.
        (False, True, False, False),
        # Nobody has tried again, and there may be connections now.
        (True, False, False, False),
        (True, True, True, False),
    ],
)
def test_idle_runners_wait_in_vain_while_their_supervisor_asks_and_no_connection_is_free(
    starved: bool, asks: bool, making: bool, in_vain: bool
) -> None:
    assert waits_in_vain(starved=starved, asks=asks, idle=1, making=making) is in_vain
    assert not waits_in_vain(starved=starved, asks=asks, idle=0, making=making)

"""From where a restricted reserver reads the queue."""

from datetime import datetime

from populate_jobs.frontier import HOLDS_SECONDS, Frontier, Position

EARLY, LATE = (Position(5, datetime(2026, 1, day)) for day in (1, 2))


def test_the_first_look_begins_at_the_head() -> None:
    assert Frontier().start(now=100.0) is None


def test_the_next_look_begins_where_the_last_one_found_the_first_row() -> None:
    frontier = Frontier().after(None, EARLY, began=100.0, ended=100.001)
    assert frontier.start(now=100.1) == EARLY
    assert frontier.after(EARLY, LATE, began=100.1, ended=100.2).start(now=100.3) == LATE


def test_the_head_is_looked_at_again_after_a_second_however_far_the_frontier_moved() -> None:
    frontier = Frontier().after(None, EARLY, began=100.0, ended=100.001)
    frontier = frontier.after(EARLY, LATE, began=100.8, ended=100.9)
    assert frontier.start(now=100.002 + HOLDS_SECONDS) is None


def test_where_the_head_is_far_away_it_is_looked_at_less_often() -> None:
    frontier = Frontier().after(None, EARLY, began=100.0, ended=100.5)
    assert frontier.start(now=150.0) == EARLY
    assert frontier.start(now=150.6) is None

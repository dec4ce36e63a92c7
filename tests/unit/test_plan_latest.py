from __future__ import annotations

from dataclasses import replace

from populate_jobs import ErrorGroup
from populate_operator.plan import Tally
from populate_operator.plan.latest import latest

from tests.unit.planning import a_tally


def tally(**groups: int) -> Tally:
    found = tuple(ErrorGroup(name, count, name, {}) for name, count in groups.items())
    return replace(a_tally(error=sum(groups.values())), errors=found)


def test_the_news_is_what_has_grown() -> None:
    assert latest(tally(frequent=9, rare=1), tally(frequent=9, rare=2)) == ErrorGroup("rare", 2, "rare", {})
    assert latest(tally(frequent=9), tally(frequent=9, new=1)) == ErrorGroup("new", 1, "new", {})


def test_at_first_the_most_frequent_is_the_news() -> None:
    assert latest(None, tally(frequent=9, rare=1)) == ErrorGroup("frequent", 9, "frequent", {})


def test_there_is_no_news_where_nothing_has_grown() -> None:
    assert latest(tally(frequent=9, rare=2), tally(frequent=8)) is None
    assert latest(None, tally()) is None

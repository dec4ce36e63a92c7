from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
from populate_jobs import ResolveDocument, ServerIdentity
from populate_operator.plan import Upstream
from populate_operator.plan.lineage import Lineage, Relative

from tests.unit.planning import DOCUMENT, after, before

CHILD = replace(DOCUMENT, target='"cardio"."__summary"', jobs='"cardio"."~~summary"')


def lineage(child: ResolveDocument | None, *others: Relative) -> Lineage[int]:
    """The child is number 0, the others count from 1."""
    found = Lineage[int]()
    for number, relative in enumerate((Relative(child, True, None), *others)):
        found.put(number, relative)
    return found


def upstream(child: ResolveDocument | None, others: Iterable[Relative]) -> Upstream:
    return lineage(child, *others).upstream(0)


def reading(*tables: str) -> Upstream:
    """What a child that reads these tables sees of a busy parent, `cardio.HeartRate`."""
    return upstream(replace(CHILD, upstream=tables), [Relative(DOCUMENT, True, after(1))])


@pytest.mark.parametrize("table", ["__heart_rate", "__heart_rate__beat", "~~heart_rate"])
def test_the_target_its_parts_and_its_jobs_table_make_upstream(table: str) -> None:
    assert reading('"cardio"."subject"', f'"cardio"."{table}"') == Upstream(True, after(1))


@pytest.mark.parametrize("table", ["heart_rate", "__heart_rate_2", "__heart"])
def test_tables_of_like_names_do_not(table: str) -> None:
    assert reading(f'"cardio"."{table}"') == Upstream()


def test_works_with_the_quotes_of_mysql() -> None:
    parent = replace(DOCUMENT, target="`cardio`.`__trace`", jobs="`cardio`.`~~trace`")
    child = replace(CHILD, upstream=("`cardio`.`__trace__window`",))
    assert upstream(child, [Relative(parent, True, None)]) == Upstream(busy=True)


def test_the_same_names_on_another_server_are_other_tables() -> None:
    elsewhere = replace(DOCUMENT, server=ServerIdentity("18.0", "two", "UTC"))
    child = replace(CHILD, upstream=(DOCUMENT.target,))
    assert upstream(child, [Relative(elsewhere, True, after(1))]) == Upstream()


def test_two_populate_jobs_on_one_table_do_not_wait_for_each_other() -> None:
    assert upstream(replace(DOCUMENT, upstream=(DOCUMENT.jobs,)), [Relative(DOCUMENT, True, None)]) == Upstream()


def test_one_that_is_not_resolved_yet_may_be_upstream() -> None:
    assert upstream(CHILD, [Relative(None, True, None)]) == Upstream(busy=True)
    assert upstream(CHILD, [Relative(None, False, None)]) == Upstream()


def test_one_that_is_not_resolved_yet_is_thought_to_be_on_the_server_of_its_home_only() -> None:
    assert upstream(CHILD, [Relative(None, True, None, home="elsewhere")]) == Upstream()


def test_somebody_may_be_busy_for_one_that_is_not_resolved_itself() -> None:
    assert upstream(None, []) == Upstream(busy=True)


@pytest.mark.parametrize(
    ("path", "busy"),
    [("cardio.HeartRate", True), ("lab.other.HeartRate", True), ("cardio.Heart", False), ("cardio.Trace", False)],
)
def test_one_that_is_not_resolved_yet_is_known_by_its_class(path: str, busy: bool) -> None:
    for quoted in ('"cardio"."__heart_rate"', "`cardio`.`__heart_rate__beat`"):
        child = replace(CHILD, upstream=(quoted,))
        assert upstream(child, [Relative(None, True, None, path)]) == Upstream(busy=busy)


def test_the_latest_of_several_counts() -> None:
    child = replace(CHILD, upstream=(DOCUMENT.target,))
    found = upstream(child, [Relative(DOCUMENT, False, before(9)), Relative(DOCUMENT, False, before(3))])
    assert found == Upstream(False, before(3))


TRACE = replace(DOCUMENT, target='"cardio"."__trace"', jobs='"cardio"."~~trace"')
RATE = replace(DOCUMENT, upstream=(TRACE.target,))
SUMMARY = replace(CHILD, upstream=(RATE.target,))


def test_who_feeds_an_idle_one_that_feeds_it_makes_it_busy() -> None:
    rate = Relative(RATE, False, before(5), looked_at=before(1))
    assert upstream(SUMMARY, [rate, Relative(TRACE, True, before(9))]) == Upstream(True, before(5))
    assert upstream(SUMMARY, [rate, Relative(TRACE, False, before(9))]) == Upstream(False, before(5))


def test_who_feeds_one_that_is_over_for_good_keeps_nobody_waiting() -> None:
    over, busy = Relative(RATE, False, before(5)), Relative(TRACE, True, before(1))
    assert upstream(SUMMARY, [over, busy]) == Upstream(False, before(5))
    assert upstream(SUMMARY, [over, Relative(None, True, None, "cardio.Trace")]) == Upstream(False, before(5))
    assert upstream(SUMMARY, [replace(over, looked_at=before(2)), busy]).busy
    assert upstream(SUMMARY, [replace(over, looked_at=before(2)), Relative(None, True, None, "cardio.Trace")]).busy


def test_an_idle_one_that_has_not_looked_at_what_was_made_for_it_is_busy() -> None:
    trace = Relative(TRACE, False, before(3))
    assert upstream(SUMMARY, [Relative(RATE, False, before(5), looked_at=before(4)), trace]).busy
    assert not upstream(SUMMARY, [Relative(RATE, False, before(5), looked_at=before(2)), trace]).busy
    assert not upstream(SUMMARY, [Relative(RATE, False, before(5), looked_at=None), trace]).busy


def test_tables_that_feed_each_other_do_not_keep_it_from_ending() -> None:
    assert lineage(replace(SUMMARY, target=TRACE.target), Relative(RATE, False, None)).upstream(1) == Upstream(
        busy=True
    )


def test_those_below_read_what_it_makes() -> None:
    child = replace(CHILD, upstream=('"cardio"."__heart_rate__beat"',))
    found = lineage(child, Relative(DOCUMENT, True, None), Relative(CHILD, True, None), Relative(None, True, None))
    assert (found.below(1), found.below(0), found.below(3)) == ([0], [], [])


def test_the_lineage_follows_a_new_answer_and_a_deletion() -> None:
    found = lineage(replace(CHILD, upstream=(DOCUMENT.target,)), Relative(None, False, None))
    found.put(1, Relative(DOCUMENT, True, None))
    assert (found.upstream(0), found.below(1)) == (Upstream(busy=True), [0])
    found.put(0, Relative(CHILD, True, None))
    assert (found.upstream(0), found.below(1)) == (Upstream(), [])
    found.put(0, Relative(replace(CHILD, upstream=(DOCUMENT.jobs,)), True, None))
    found.drop(1)
    assert found.upstream(0) == Upstream()

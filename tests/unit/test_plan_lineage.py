from __future__ import annotations

from dataclasses import replace

import pytest
from populate_jobs import ServerIdentity
from populate_operator.plan import Upstream
from populate_operator.plan.lineage import Relative, upstream

from tests.unit.planning import DOCUMENT, after, before

CHILD = replace(DOCUMENT, target='"cardio"."__summary"', jobs='"cardio"."~~summary"')


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

from __future__ import annotations

from typing import Any

import pytest
from populate_operator.plan import Upstream
from populate_operator.plan.completion import Outcome, outcome

from tests.unit.planning import a_refresh, a_tally, before, seen


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, Outcome.COMPLETE),
        ({"tally": a_tally(ignore=3)}, Outcome.COMPLETE),
        ({"tally": a_tally(error=1, ignore=3)}, Outcome.FAILED),
        ({"tally": a_tally(error=1, pending=1)}, None),
        ({"tally": a_tally(scheduled=1)}, None),
        ({"tally": a_tally(reserved=1)}, None),
        ({"tally": None}, None),
        ({"refresh": None}, None),
        ({"tally": a_tally(ago=5)}, None),
        ({"upstream": Upstream(busy=True)}, None),
        ({"upstream": Upstream(made_at=before(0.5))}, None),
        ({"upstream": Upstream(made_at=before(50))}, Outcome.COMPLETE),
    ],
)
def test_once_is_over_when_a_refresh_after_all_work_left_nothing_to_do(
    fields: dict[str, Any], expected: Outcome | None
) -> None:
    assert outcome("Once", seen(**fields), worked_at=before(10), before=None) is expected


def test_keys_worked_on_after_the_refresh_began_ask_for_another_one() -> None:
    assert outcome("Once", seen(refresh=a_refresh(ago=1)), worked_at=before(0.5), before=None) is None


def test_complete_is_final() -> None:
    more = seen(tally=a_tally(pending=5))
    assert outcome("Once", more, worked_at=None, before=Outcome.COMPLETE) is Outcome.COMPLETE


def test_retried_errors_reopen_failed() -> None:
    assert outcome("Once", seen(tally=a_tally(pending=2)), worked_at=None, before=Outcome.FAILED) is None


def test_what_is_asked_of_the_errors_reopens_failed_before_it_is_done() -> None:
    asked = seen(tally=a_tally(error=2), curing=True)
    assert outcome("Once", asked, worked_at=None, before=Outcome.FAILED) is None
    assert outcome("Once", asked, worked_at=None, before=Outcome.COMPLETE) is Outcome.COMPLETE


def test_failed_outlasts_a_restart_of_the_observer() -> None:
    assert outcome("Once", seen(tally=None, refresh=None), None, Outcome.FAILED) is Outcome.FAILED


def test_failed_lasts_until_a_refresh_after_the_restart_says_otherwise() -> None:
    failed = seen(tally=a_tally(error=1), refresh=a_refresh(ago=60))
    assert outcome("Once", failed, worked_at=before(1), before=Outcome.FAILED) is Outcome.FAILED
    assert outcome("Once", seen(), worked_at=before(10), before=Outcome.FAILED) is Outcome.COMPLETE


def test_continuous_is_never_over() -> None:
    assert outcome("Continuous", seen(), worked_at=None, before=None) is None

"""Who takes a Lease when: by what the reader saw change on its own clock."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from populate_operator.kube.lease import (
    HOLDS_SECONDS,
    LEADS_SECONDS,
    RENEW_EVERY,
    Record,
    Seen,
    Step,
    given_back,
    look,
    record,
    spec,
    step,
)
from populate_operator.kube.main import main

NOW = datetime(2026, 3, 1, 12, 0, 0, 250000, tzinfo=timezone(timedelta(hours=1)))
THEIRS = Record("other", 15.0, "2026-03-01T11:00:00.000000Z", 3)


def lease(**changed: Any) -> dict[str, Any]:
    said = {"holderIdentity": "other", "leaseDurationSeconds": 15, "renewTime": THEIRS.renewed, "leaseTransitions": 3}
    return {"metadata": {"resourceVersion": "7"}, "spec": {**said, **changed}}


@pytest.mark.parametrize(
    ("seen", "clock", "due"),
    [
        (None, 0.0, Step.TAKE),
        (Seen(Record("", 1.0, "", 3), 100.0), 100.0, Step.TAKE),
        (Seen(THEIRS, 100.0), 114.9, Step.WAIT),
        (Seen(THEIRS, 100.0), 115.0, Step.TAKE),
        (Seen(Record("me", 15.0, "", 3), 100.0), 100.0, Step.RENEW),
        (Seen(Record("me", 15.0, "", 3), 100.0), 999.0, Step.RENEW),
    ],
    ids=["there is none", "given back", "another one's", "another one's, run out", "its own", "its own, run out"],
)
def test_a_lease_is_taken_when_it_is_free_or_was_not_renewed_for_as_long_as_it_holds(
    seen: Seen | None, clock: float, due: Step
) -> None:
    assert step(seen, "me", clock) is due


@pytest.mark.parametrize("renewed", ["1999-01-01T00:00:00Z", "2999-01-01T00:00:00Z"])
def test_another_machine_s_clock_may_be_wrong(renewed: str) -> None:
    seen = look(lease(renewTime=renewed), None, 100.0)
    assert step(seen, "me", 110.0) is Step.WAIT
    assert step(seen, "me", 115.0) is Step.TAKE


def test_a_renewal_that_is_seen_begins_the_waiting_anew() -> None:
    first = look(lease(), None, 100.0)
    assert look(lease(), first, 110.0) == first
    again = look(lease(renewTime="2026-03-01T11:00:02.000000Z"), first, 110.0)
    assert step(again, "me", 124.0) is Step.WAIT
    assert look(None, again, 111.0) is None


def test_a_lease_that_is_taken_counts_and_one_that_is_renewed_does_not() -> None:
    time = "2026-03-01T11:00:00.250000Z"
    renewed = {"holderIdentity": "me", "leaseDurationSeconds": 15, "renewTime": time}
    taken = {**renewed, "acquireTime": time}
    assert spec(None, "me", NOW) == {**taken, "leaseTransitions": 0}
    assert spec(Seen(THEIRS, 0.0), "me", NOW) == {**taken, "leaseTransitions": 4}
    assert spec(Seen(Record("me", 15.0, "", 4), 0.0), "me", NOW) == renewed


def test_a_lease_that_is_given_back_is_free() -> None:
    freed = {name: value for name, value in lease(**given_back())["spec"].items() if value is not None}
    assert step(look({"spec": freed}, None, 0.0), "me", 0.0) is Step.TAKE
    assert record({"spec": freed}).transitions == 3


def test_the_holder_has_stopped_before_another_one_begins_and_can_miss_a_renewal() -> None:
    assert LEADS_SECONDS + RENEW_EVERY < HOLDS_SECONDS
    assert 3 * RENEW_EVERY < LEADS_SECONDS


@pytest.mark.parametrize("text", ["operator", "/operator", "lab/", ""])
def test_a_lease_without_its_namespace_is_bad_input(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([f"--leader-election={text}"])
    assert f"{text!r} is not NAMESPACE/NAME" in capsys.readouterr().err

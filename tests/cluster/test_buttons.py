"""Annotations that ask for something once."""

from __future__ import annotations

from tests.servers.host import wait_until

from .conftest import one_engine
from .lab import Lab


def test_retry_errors_queues_failed_keys_again_once(lab: Lab) -> None:
    lab.add("fail", "fail", "insert")
    job = lab.apply()
    lab.until_rows({1: "error", 2: "error"})
    often = "2 keys failed; most often (2): ValueError: item"
    wait_until(lambda: job.condition("JobsFailing").get("message", "").startswith(often), often)

    lab.change(1, "insert")
    job.annotate(retry_errors="monday")
    wait_until(lambda: lab.made() == [1, 3] and lab.rows() == {2: "error"}, "the mended key made")
    job.until(lastHandledRetryErrors="monday", error=1)
    assert sorted(lab.started()) == [1, 1, 2, 2, 3]
    assert {"KeysFailed", "ScaledUp"} <= job.events()

    lab.change(2, "insert")
    job.annotate(retry_errors="tuesday")
    lab.until_made(1, 2, 3)
    job.until_condition("JobsFailing", "False", "NoErrors")


def test_refresh_finds_new_keys_before_their_time(lab: Lab) -> None:
    lab.add("insert")
    job = lab.apply(refresh={"intervalSeconds": 86400})
    lab.until_made(1)
    lab.add("insert", first=2)
    job.annotate(refresh="now")
    lab.until_made(1, 2)
    job.until(lastHandledRefresh="now", progress="2/2")


@one_engine
def test_of_the_errors_those_that_match_are_ignored_or_tried_again_and_no_others(lab: Lab) -> None:
    lab.add("fail", "fail", "fail")
    job = lab.apply()
    lab.until_rows(dict.fromkeys((1, 2, 3), "error"))
    second, third = '{"at": "first", "match": "item 2 is"}', '{"at": "second", "match": "item 3 is"}'
    job.annotate(ignore_errors=second)
    lab.until_rows({1: "error", 2: "ignore", 3: "error"})
    lab.change(3, "insert")
    job.annotate(retry_errors=third)
    lab.until_rows({1: "error", 2: "ignore"})
    job.until(lastHandledIgnoreErrors=second, lastHandledRetryErrors=third, error=1, ignored=1)
    assert sorted(lab.started()) == [1, 2, 3, 3]

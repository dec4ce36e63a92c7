"""Figures of the benchmarks."""

from bench.report import beside


def test_a_count_that_both_have_none_of_is_a_ratio_of_one() -> None:
    assert beside("pods", "any", 1, 0, 0, "<= 1").ratio == 1


def test_a_count_that_only_the_peer_has_is_a_ratio_of_nothing() -> None:
    assert beside("pods", "any", 1, 0, 4, "<= 1").ratio == 0


def test_a_count_that_only_we_have_is_over_every_limit() -> None:
    assert not beside("pods", "any", 1, 1, 0, "<= 1000").holds

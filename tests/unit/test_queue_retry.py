"""When a failed key is tried again, and how much later."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from populate_jobs import Failure, RetryPolicy
from populate_jobs.retry import backoff, worth_retrying


def _failure(message: str) -> Failure:
    return Failure(message.partition(":")[0], message)


@pytest.mark.parametrize(
    "message",
    [
        "OperationalError: (1213, 'Deadlock found when trying to get lock; try restarting transaction')",
        "OperationalError: (1205, 'Lock wait timeout exceeded')",
        "OperationalError: (1020, 'Record has changed since last read')",
        "LostConnectionError: Connection was lost during a transaction.",
        "DeadlockDetected: deadlock detected\nDETAIL: Process 1 waits",
        "OperationalError: (1412, 'Table definition has changed, please retry transaction')",
        "LockNotAvailable: canceling statement due to lock timeout",
        "SIGTERM: Runner killed by SIGTERM",
        "SerializationFailure: could not serialize access due to concurrent update",
    ],
)
def test_transient_errors_of_the_database_are_retried_without_asking(message: str) -> None:
    assert worth_retrying(RetryPolicy(), _failure(message))


@pytest.mark.parametrize("message", ["ValueError: 1205 beats", "KeyError: 'x'", "IntegrityError: (1452, 'no parent')"])
def test_errors_of_the_key_are_not(message: str) -> None:
    assert not worth_retrying(RetryPolicy(), _failure(message))


@pytest.mark.parametrize("pattern", ["ValueError", "valueerror", "*TOO FEW*", "*", "ValueError: ??? few beats*"])
def test_a_pattern_is_the_name_of_the_exception_or_matches_the_whole_message(pattern: str) -> None:
    assert worth_retrying(RetryPolicy(retry_on=(pattern,)), _failure("ValueError: too few beats\nin window 3"))


@pytest.mark.parametrize("pattern", ["Value", "too few", "ValueErrors", ""])
def test_part_of_a_name_or_message_is_no_match(pattern: str) -> None:
    assert not worth_retrying(RetryPolicy(retry_on=(pattern,)), _failure("ValueError: too few beats"))


def test_what_must_fail_fails_whatever_may_be_retried() -> None:
    policy = RetryPolicy(retry_on=("*",), fail_on=("ValueError", "*deadlock*"))
    assert not worth_retrying(policy, _failure("ValueError: x"))
    assert not worth_retrying(policy, _failure("OperationalError: (1213, 'Deadlock')"))
    assert worth_retrying(policy, _failure("KeyError: x"))


def test_the_wait_doubles_up_to_its_most() -> None:
    policy = RetryPolicy(limit=6, backoff_seconds=10, max_backoff_seconds=100)
    assert [backoff(policy, attempts, 0.0) for attempts in range(1, 8)] == [10, 20, 40, 80, 100, 100, None]


def test_without_retries_the_first_failure_is_the_last() -> None:
    assert backoff(RetryPolicy(limit=0), 1, 0.0) is None


@given(
    limit=st.integers(0, 100),
    attempts=st.integers(1, 200),
    base=st.floats(0, 3600),
    most=st.floats(0, 86_400),
    chance=st.floats(0, 1, exclude_max=True),
)
def test_the_wait_is_never_more_than_its_most_nor_less_than_half(
    limit: int, attempts: int, base: float, most: float, chance: float
) -> None:
    policy = RetryPolicy(limit=limit, backoff_seconds=base, max_backoff_seconds=most)
    wait = backoff(policy, attempts, chance)
    assert (wait is None) == (attempts > limit)
    if wait is not None:
        assert min(base, most) / 2 <= wait <= most


def test_a_policy_is_read_from_json_lists() -> None:
    data = {"limit": 1, "backoff_seconds": 2, "max_backoff_seconds": 3, "retry_on": ["a"], "fail_on": []}
    assert RetryPolicy.from_mapping(data) == RetryPolicy(1, 2, 3, ("a",), ())

"""Error messages that differ from key to key only in what varies are one kind of error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from populate_jobs.observe import signature


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ValueError: 3 beats in window 17", "ValueError: 112 beats in window 4"),
        ("ValueError: mean -0.5 of 1e-9", "ValueError: mean +12.75 of 3"),
        ("KeyError: 'age'", "KeyError: 'date of birth'"),
        ('FileNotFoundError: "/data/a 1.bin"', 'FileNotFoundError: "/data/b 2.bin"'),
        ("DataJointError: `lab`.`scan` lacks 5", "DataJointError: `lab2`.`scan` lacks 17"),
        ("RuntimeError: at 0x7f00dead", "RuntimeError: at 0x1"),
        (
            "KeyError: f81d4fae-7dec-11d0-a765-00a0c91e6bf6 gone",
            "KeyError: 00000000-0000-0000-0000-000000000001 gone",
        ),
        ("ValueError: same\nfirst trace", "ValueError: same\nsecond trace"),
        ("  ValueError: same", "ValueError: same  "),
    ],
)
def test_what_varies_from_key_to_key_does_not_tell_errors_apart(one: str, other: str) -> None:
    assert signature(one) == signature(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ValueError: too few beats", "ValueError: too many beats"),
        ("ValueError: 3", "TypeError: 3"),
        ("", "ValueError"),
    ],
)
def test_the_words_of_a_message_do(one: str, other: str) -> None:
    assert signature(one) != signature(other)


def test_a_signature_is_readable() -> None:
    assert signature("ValueError: 3 beats in 'scan 7' of window 17") == "ValueError: … beats in … of window …"


@given(st.text(max_size=5000))
def test_any_text_has_a_signature_of_bounded_length_on_one_line(message: str) -> None:
    found = signature(message)
    assert len(found) <= 200
    assert "\n" not in found


@pytest.mark.timeout(20)
@pytest.mark.parametrize("piece", ["'", '"', "`", "-1.", "0x", "12345678-", "e+"])
def test_no_text_keeps_it_busy(piece: str) -> None:
    assert len(signature(piece * 20_000)) <= 200

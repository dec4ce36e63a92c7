"""A runner's output as log lines, each with its key."""

import pytest
from populate_worker.supervisor.output import LONGEST_LINE, Tagger

MARKER = b"\x1emarker "


def lines(*pieces: bytes) -> list[str]:
    tagger = Tagger(MARKER, "runner 7")
    return [line for piece in pieces for line in tagger.feed(piece)] + list(tagger.end())


def test_lines_carry_the_key_of_the_marker_before_them() -> None:
    output = b"import\n" + MARKER + b"a=1\none\n" + MARKER + b"a=2\ntwo\n" + MARKER + b"\nidle\n"
    assert lines(output) == ["[runner 7] import", "[a=1] one", "[a=2] two", "[runner 7] idle"]


def test_however_the_output_is_torn_the_lines_are_the_same() -> None:
    output = b"import\n" + MARKER + b"a=1\none\n\nrest" + MARKER + b"a=2\n" + MARKER + b"\nlast"
    whole = lines(output)
    assert whole == ["[runner 7] import", "[a=1] one", "[a=1] ", "[a=1] rest", "[runner 7] last"]
    for cut in range(len(output)):
        assert lines(output[:cut], output[cut:]) == whole
    assert lines(*(output[at : at + 1] for at in range(len(output)))) == whole


def test_a_line_without_an_end_goes_out_when_its_key_is_done() -> None:
    assert lines(MARKER + b"a=1\nno newline", MARKER + b"a=2\n") == ["[a=1] no newline"]


def test_what_is_no_text_goes_out_escaped() -> None:
    assert lines(b"\xff\xfe\n") == ["[runner 7] \\xff\\xfe"]


def test_a_control_character_of_the_output_is_no_marker() -> None:
    assert lines(b"\x1eother a=1\n") == ["[runner 7] \x1eother a=1"]


@pytest.mark.parametrize("pieces", [1, 100])
def test_a_very_long_line_goes_out_in_pieces_and_is_not_kept(pieces: int) -> None:
    tagger = Tagger(MARKER, "r")
    part = b"x" * (10 * LONGEST_LINE // pieces)
    found = [line for _ in range(pieces) for line in tagger.feed(part)]
    assert len(found) >= 8
    found += tagger.end()
    assert all(len(line) <= LONGEST_LINE + len("[r] ") for line in found)
    assert "".join(line.removeprefix("[r] ") for line in found) == (part * pieces).decode()


def test_of_a_progress_bar_the_last_state_goes_out() -> None:
    assert lines(b"10%\r50%\r100%\n", b"windows\r\n") == ["[runner 7] 100%", "[runner 7] windows"]

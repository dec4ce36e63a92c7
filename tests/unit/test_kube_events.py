"""Events as the API server takes them."""

from __future__ import annotations

import pytest
from populate_operator.kube.events import event
from populate_operator.plan.events import Event

from tests.unit.kube import resource
from tests.unit.planning import NOW

MOST_BYTES = 1024
"""Of a note, by the API server's rules."""


@pytest.mark.parametrize("letter", ["a", "é", "語", "\N{GRINNING FACE}", "\x00"])
def test_a_note_is_as_long_as_may_be_whatever_its_letters(letter: str) -> None:
    note = event(resource(), Event("Normal", "Told", letter * 5000), "me", NOW)["note"]
    assert 950 < len(note.encode()) < MOST_BYTES

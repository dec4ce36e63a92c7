"""Text packed without DataJoint is text that DataJoint unpacks."""

import datajoint as dj
from hypothesis import example, given
from hypothesis import strategies as st
from populate_jobs import pack_text


@given(st.text())
@example("")
@example("line\n" * 20_000)
@example("x" * 980)
@example("ß" * 1001)
@example("\0 'quoted' %s \\ ☃")
def test_datajoint_unpacks_what_we_pack(text: str) -> None:
    assert dj.blob.unpack(pack_text(text)) == text


@given(st.text())
def test_what_we_pack_is_what_datajoint_packs(text: str) -> None:
    assert pack_text(text) == dj.blob.pack(text)


def test_a_lone_surrogate_is_written_out() -> None:
    assert dj.blob.unpack(pack_text("before\udc80after")) == "before\\udc80after"

"""The quickstart's part on a laptop, typed as it stands: its files, its commands, and what it says they print."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.documentation.blocks import ROOT, Block, blocks
from tests.documentation.shell import Typed, typed
from tests.local.lab import environment
from tests.servers.host import PATIENCE

PAGE = ROOT / "docs" / "quickstart.md"
INSTALLS = re.compile(r"pip install '\.\[local\]'\n")
"""What the environment of the tests has already: the project, as `make setup` installs it."""


def on_a_laptop() -> list[Block]:
    """The blocks before the part in a cluster."""
    end = PAGE.read_text().splitlines().index("## In a cluster") + 1
    return [block for block in blocks(PAGE) if block.line < end]


def commands(found: list[Block]) -> Iterator[Typed]:
    for block in found:
        if block.kind == "console":
            yield from typed(block.text)


def pattern(shown: str) -> str:
    """`…` stands for what differs from run to run."""
    return ".*".join(map(re.escape, shown.split("…")))


def test_it_goes_as_the_quickstart_says(tmp_path: Path) -> None:
    found = on_a_laptop()
    for block in found:
        if block.title:
            (tmp_path / block.title).write_text(block.text)
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    surroundings = environment(PATH=path, XDG_STATE_HOME=str(tmp_path / "state"))
    first, *others = commands(found)
    assert INSTALLS.fullmatch(first.command)
    for other in others:
        done = subprocess.run(
            ["bash", "-c", other.command],
            env=surroundings, cwd=tmp_path, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=PATIENCE,
        )  # fmt: skip
        said = done.stdout + done.stderr
        assert done.returncode == 0, f"{other.command}{said}"
        for line in other.shown:
            assert re.search(pattern(line), said), f"{other.command}shows no line like {line}:\n{said}"

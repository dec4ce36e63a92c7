"""The fenced blocks of the documentation: where they stand, of what kind they are, and what they hold."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^(?P<indent> *)(?P<fence>```+)(?P<info>.*)$")
INFO = re.compile(r'^(?P<kind>[a-z]*)(?: title="(?P<title>[^"]+)")?$')


@dataclass(frozen=True)
class Block:
    page: Path
    line: int
    """Of the fence, from 1."""
    kind: str
    title: str
    """Name of the file that it is, where it is one."""
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    """What people read to use it: docs/, and the pages of the site that lie elsewhere."""
    beside = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "bench/README.md")
    found = [
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "charts").rglob("README.md"),
        *(ROOT / "examples").rglob("README.md"),
    ]
    return sorted({*found, *(ROOT / name for name in beside if (ROOT / name).exists())})


def blocks(page: Path) -> Iterator[Block]:
    lines = enumerate(page.read_text(encoding="utf-8").splitlines(), start=1)
    for number, line in lines:
        if (fence := FENCE.match(line)) is None:
            continue
        info = INFO.match(fence["info"].strip())
        assert info, f"{page}:{number}: a fence says its kind, and perhaps a title: {line}"
        inside = []
        for _, text in lines:
            if text.strip() == fence["fence"]:
                break
            inside.append(text)
        yield Block(page, number, info["kind"], info["title"] or "", textwrap.dedent("\n".join(inside)) + "\n")


def every_block() -> list[Block]:
    return [block for page in pages() for block in blocks(page)]

"""What the makes wrote down, as counts by key."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Ledger:
    starts: Counter[int] = field(default_factory=Counter)
    commits: Counter[int] = field(default_factory=Counter)

    @classmethod
    def read(cls, folder: Path) -> Ledger:
        ledger = cls()
        for path in folder.iterdir():
            for line in path.read_text().splitlines():
                event, item, _ = line.split()
                counted = {"start": ledger.starts, "commit": ledger.commits}[event]
                counted[int(item)] += 1
        return ledger
